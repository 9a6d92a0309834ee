"""Which objects an edited phantom shows, by analysis by synthesis: trained on nothing.

A film is written as the true film without an object, plus some amount of what the object adds, plus some of what
another object adds. An amount of 0 is absent, 1 is present.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

SIGMA_PX = 2.0  # hidden texture can't be guessed, so errors are low-pass
VISIBLE = 4 / 255  # where an object changes a film by at least this, it can be seen


def low_pass(films: Tensor) -> Tensor:
    """Films (B, 1, H, W) without what is finer than `SIGMA_PX`."""
    return gaussian_blur(films, [int(6 * SIGMA_PX) | 1] * 2, [SIGMA_PX, SIGMA_PX])


def shows(films: Tensor, with_object: Tensor, without_object: Tensor, other: Tensor) -> Tensor:
    """Whether each film has more than half of an object, where the object is visible.

    The other object is fitted along with it, because they lie over one another: a drain that was kept together with
    the dark air around it is no weaker for that.

    Args:
        films: To be judged, shape (B, 1, H, W).
        with_object: Round trips of the true films with the object, likewise.
        without_object: And without it.
        other: What another object adds to a film, likewise.

    Returns:
        Bool, shape (B,).
    """
    absent = low_pass(without_object)
    added = low_pass(with_object) - absent
    visible = added.abs() > VISIBLE
    parts = torch.stack([part * visible for part in (added, low_pass(other))], dim=-1).flatten(1, -2).double()
    difference = ((low_pass(films) - absent) * visible).flatten(1).double()
    normal = parts.mT @ parts + 1e-9 * torch.eye(2, dtype=torch.float64)  # an object that is nowhere visible is absent
    amounts = torch.linalg.solve(normal, parts.mT @ difference[..., None])
    return amounts[:, 0, 0] > 0.5
