"""Which objects an edited phantom shows, by analysis by synthesis: trained on nothing.

An image is compared with the autoencoder's round trip of the true image with and without an object, where the two
differ.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

SIGMA_PX = 2.0  # hidden texture can't be guessed, so errors are low-pass
LOCAL_PX = 6.0  # our choice: wider than a drain, narrower than a lung
VISIBLE = 4 / 255  # where an object changes an image by at least this, it can be seen


def low_pass(images: Tensor, sigma_px: float = SIGMA_PX) -> Tensor:
    """Images (B, 1, H, W) without what is finer than `sigma_px`."""
    radius = int(3 * sigma_px)
    kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma_px) ** 2).to(images)
    kernel /= kernel.sum()
    padded = pad(images, [radius] * 4, mode="reflect")
    return conv2d(conv2d(padded, kernel[None, None, None]), kernel[None, None, :, None])  # one axis after the other


def shows(
    images: Tensor, with_object: Tensor, without_object: Tensor, *, beside: tuple[Tensor, Tensor] | None = None,
    share: float = 0.5,
) -> Tensor:  # fmt: skip
    """Whether each image shows more than a share of an object; half of it: nearer to the one with it than without.

    Args:
        images: To be judged, shape (B, 1, H, W).
        with_object: Round trips of the true images with the object, likewise.
        without_object: And without it.
        beside: Round trips with and without another object, which the images may show, too, wholly or in part. It is
            fitted along, and both in local contrast: else the air around a drain counts against the drain.
        share: Of the object's pattern where it is visible, 0…1.

    Returns:
        Bool, shape (B,).
    """

    def seen(images: Tensor) -> Tensor:
        return low_pass(images) if beside is None else low_pass(images) - low_pass(images, LOCAL_PX)

    where = (low_pass(with_object) - low_pass(without_object)).abs() > VISIBLE
    absent = seen(without_object)
    adds = [seen(with_object) - absent] + ([] if beside is None else [seen(beside[0]) - seen(beside[1])])
    # Projected on what each object adds, 0 is absent and 1 present.
    basis = torch.stack([(added * where).flatten(1) for added in adds], dim=-1).double()
    change = ((seen(images) - absent) * where).flatten(1)[..., None].double()
    gram = basis.mT @ basis + 1e-9 * torch.eye(len(adds), dtype=torch.float64)
    return torch.linalg.solve(gram, basis.mT @ change)[:, 0, 0] > share
