"""Which objects an edited phantom shows, by analysis by synthesis: trained on nothing.

A film is compared with the autoencoder's round trip of the true film with and without an object, where the two differ.
"""

from __future__ import annotations

from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

SIGMA_PX = 2.0  # hidden texture can't be guessed, so errors are low-pass
VISIBLE = 4 / 255  # where an object changes a film by at least this, it can be seen


def low_pass(films: Tensor) -> Tensor:
    """Films (B, 1, H, W) without what is finer than `SIGMA_PX`."""
    return gaussian_blur(films, [int(6 * SIGMA_PX) | 1] * 2, [SIGMA_PX, SIGMA_PX])


def shows(films: Tensor, with_object: Tensor, without_object: Tensor) -> Tensor:
    """Whether each film is nearer to the one with the object, where the object is visible.

    Args:
        films: To be judged, shape (B, 1, H, W).
        with_object: Round trips of the true films with the object, likewise.
        without_object: And without it.

    Returns:
        Bool, shape (B,).
    """
    films, present, absent = low_pass(films), low_pass(with_object), low_pass(without_object)
    difference = present - absent
    where = difference.abs() > VISIBLE
    # Projected on what the object adds, 0 is absent and 1 present.
    share = ((films - absent) * difference * where).flatten(1).sum(1) / (difference**2 * where).flatten(1).sum(1).clamp(
        min=1e-12
    )
    return share > 0.5
