"""The paper's preprocessing: one square of fixed size and full grey range from each sample."""

from __future__ import annotations

import torch
from torch import Tensor

from radedit.data.image.geometry import Geometry, check_mask_size
from radedit.types import Sample

__all__ = ["Geometry", "preprocess", "stretch"]


def preprocess(sample: Sample, size: int) -> Sample:
    """Resize, crop and stretch a sample (App. A and B, steps 1 to 3).

    1. Resize such that the short side is `size`, bilinear, antialiased.
    2. Centre-crop to `size` × `size`.
    3. Map the crop's lowest and highest grey level to 0 and 1. (For the diffusion model the paper maps to [−1, 1];
       that is left to the autoencoder's wrapper, so that one image serves predictors and editors.)

    Masks and boxes go the same way. A box that was cropped away leaves its name with no boxes, and a mask all false,
    so that "was not visible" differs from "was not drawn".

    Args:
        sample: A sample in its image's own geometry.
        size: Side of the square, px; the paper uses 512.

    Returns:
        The sample with an image of shape (1, size, size), exactly 0 at its darkest and 1 at its brightest.

    Raises:
        ValueError: If a mask does not match its image, or the crop has one grey level everywhere.
    """
    geometry = Geometry.of(sample.image, size)
    for name, mask in sample.masks.items():
        check_mask_size(f"Mask {name!r} for record {sample.record.id!r}", mask, (geometry.height, geometry.width))
    try:
        image = stretch(geometry.image(sample.image))
    except ValueError as error:
        raise ValueError(f"Record {sample.record.id!r}: {error}") from error
    return Sample(
        record=sample.record,
        image=image,
        masks={name: geometry.mask(mask) for name, mask in sample.masks.items()},
        boxes={name: geometry.boxes(boxes) for name, boxes in sample.boxes.items()},
    )


def stretch(image: Tensor) -> Tensor:
    """Map an image's lowest grey level to 0 and its highest to 1 (App. B, step 3).

    Raises:
        ValueError: If it has one level only, or one that is not finite.
    """
    low, high = torch.aminmax(image)
    if not high > low or not torch.isfinite(high - low):
        raise ValueError(
            f"the centre square has grey levels from {low:g} to {high:g}, so it cannot be stretched to [0, 1]. "
            "Look at the image: it may be blank, or cropped badly."
        )
    return (image - low) / (high - low)
