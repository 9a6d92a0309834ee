"""Masks in pixels, how they become masks of latents, and where each experiment edits and keeps.

Masks in pixels are bool tensors of shape (1, H, W). Radii are given for images of 512 pixels and scaled with the
shorter side, so that they mean the same anatomy at any size. Sides are the patient's: the left lung is on the image's
right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from radedit.types import Box, EditMasks, Sample

SIZEABLE = 0.1  # our choice: of all pixels of a lung mask; a lung has a third at least, specks and leads far less


def dilate(mask: Tensor, radius_px_at_512: float) -> Tensor:
    """Grow a mask by a Euclidean disc ("isotropic dilation", Appendix C).

    Args:
        mask: Bool, shape (1, H, W).
        radius_px_at_512: Radius in pixels of an image whose shorter side is 512.

    Returns:
        Pixels whose centre is within the radius of a pixel of the mask; bool, shape (1, H, W).

    Raises:
        ValueError: If the radius is negative.
    """
    if not radius_px_at_512 >= 0:
        raise ValueError(
            f"A mask is to grow by {radius_px_at_512:g} pixels; expected 0 or more (free_px, dilation_px and "
            "device_dilation_px of a mask strategy)."
        )
    if not mask.any():
        return mask.clone()
    distance_px = ndimage.distance_transform_edt(~mask[0].numpy())
    return torch.from_numpy(distance_px <= _scaled(radius_px_at_512, mask))[None]


def erode(mask: Tensor, radius_px_at_512: float) -> Tensor:
    """Shrink a mask by a Euclidean disc. The border of the image does not eat into it. Arguments as for `dilate`."""
    return ~dilate(~mask, radius_px_at_512)


def shift(mask: Tensor, right_px_at_512: float, down_px_at_512: float) -> Tensor:
    """Move a mask, rounded to whole pixels; what leaves the image is lost, what enters it is False.

    Args:
        mask: Bool, shape (1, H, W).
        right_px_at_512: Pixels to the image's right, of an image whose shorter side is 512; may be negative.
        down_px_at_512: Pixels down, likewise.
    """
    down, right = (round(_scaled(px_at_512, mask)) for px_at_512 in (down_px_at_512, right_px_at_512))
    moved = torch.zeros_like(mask)
    _, rows, columns = mask.nonzero(as_tuple=True)
    rows, columns = rows + down, columns + right
    inside = (rows >= 0) & (rows < mask.shape[-2]) & (columns >= 0) & (columns < mask.shape[-1])
    moved[:, rows[inside], columns[inside]] = True
    return moved


def split_lungs(mask: Tensor) -> tuple[Tensor, Tensor]:
    """The patient's right and left lung from one mask of both.

    Args:
        mask: Both lungs, bool, shape (1, H, W).

    Returns:
        Right and left lung, each bool, shape (1, H, W). Components below a tenth of the mask belong to neither.

    Raises:
        ValueError: If there are not exactly two sizeable components, side by side.
    """
    labels, n_components = ndimage.label(mask[0].numpy(), structure=np.ones((3, 3)))
    shares = np.bincount(labels.ravel(), minlength=n_components + 1)[1:] / max(1, int(mask.sum()))
    sizeable = [index for index, share in enumerate(shares, start=1) if share >= SIZEABLE]
    if len(sizeable) != 2:
        found = ", ".join(f"{100 * share:.0f} %" for share in sorted(shares, reverse=True)[:4]) or "none"
        raise ValueError(
            f"The lung mask has {len(sizeable)} sizeable components (shares of its area: {found}), but one for each "
            f"lung is needed, of {100 * SIZEABLE:.0f} % or more. Lungs that touch, or are cut in two, must be split by "
            "hand."
        )
    (row_a, column_a), (row_b, column_b) = ndimage.center_of_mass(labels > 0, labels, sizeable)
    if abs(column_a - column_b) <= abs(row_a - row_b):
        raise ValueError(
            "The two components of the lung mask lie one above the other, not side by side: "
            "they are parts of one lung, or the image is rotated."
        )
    right, left = sizeable if column_a < column_b else sizeable[::-1]
    return torch.from_numpy(labels == right)[None], torch.from_numpy(labels == left)[None]


def lung_side_by_boxes(lung: Tensor, boxes: Mapping[str, Sequence[Box]]) -> str:
    """Which lung a mask is, by annotated boxes: a check of `split_lungs`, or of names that came with the data.

    Args:
        lung: Mask of one lung, bool, shape (1, H, W).
        boxes: Must have "right_lung" and "left_lung", the patient's sides.

    Returns:
        "right" or "left", whichever boxes cover more of the mask.

    Raises:
        ValueError: If boxes are missing, or if both cover the same share, or none.
    """
    if missing := {"right_lung", "left_lung"} - set(boxes):
        raise ValueError(f"There are no boxes {sorted(missing)}, but {sorted(boxes) or 'none'}.")
    right, left = (int((lung & _paint(boxes[f"{side}_lung"], lung.shape)).sum()) for side in ("right", "left"))
    if right == left:
        raise ValueError(f"Boxes of both lungs cover {right} pixels of the mask, so they do not tell which lung it is.")
    return "right" if right > left else "left"


class LatentMasks(NamedTuple):
    """Masks of latents, and what pooling cost.

    Attributes:
        masks: m_edit and m_keep, float32, 0 or 1, never both.
        lost: Share of m_edit's cells that m_keep took, 0…1, one for each row; 1 where m_edit covers no cell at all.
    """

    masks: EditMasks
    lost: Tensor


def check_keep_share(keep_share: float) -> None:
    """Raise a `ValueError` for a `keep_share` that `to_latent` does not take."""
    if not 0 <= keep_share <= 1:
        raise ValueError(f"keep_share is {keep_share}; expected a share, 0…1.")


def to_latent(edit: Tensor, keep: Tensor, factor: int, keep_share: float = 0) -> LatentMasks:
    """Bring masks to the resolution of latents: in doubt, a cell is kept.

    A cell of `factor` × `factor` pixels is kept if any of its pixels is, and edited if at least half of them are to be
    and it is not kept. So complementary masks stay complementary, and a thin drain stays whole.

    Args:
        edit: Pixels to change, bool, shape (1, H, W) or (B, 1, H, W).
        keep: Pixels to keep, likewise.
        factor: Pixels for each latent cell and direction, as of the autoencoder.
        keep_share: Least share of a cell's pixels that must be kept for the cell to be, 0…1. A cell that a device only
            touches keeps the finding in the rest of it.

    Returns:
        Masks of shape (1, H / factor, W / factor) or (B, 1, H / factor, W / factor), and `lost` of shape () or (B,).
    """
    if edit.shape != keep.shape:
        raise ValueError(f"The edit mask has shape {tuple(edit.shape)}, but the keep mask {tuple(keep.shape)}.")
    height, width = edit.shape[-2:]
    if height % factor or width % factor:
        raise ValueError(
            f"A mask of {height}×{width} pixels does not divide into cells of {factor}×{factor}. "
            "Preprocess the image and its masks to a multiple first."
        )
    m_keep = max_pool2d(keep.float(), factor) * (avg_pool2d(keep.double(), factor) >= keep_share)
    m_edit = (avg_pool2d(edit.double(), factor) >= 0.5).float()
    n_cells = m_edit.sum((-3, -2, -1))
    n_lost = (m_edit * m_keep).sum((-3, -2, -1))
    lost = torch.where(n_cells > 0, n_lost / n_cells, 1.0)
    return LatentMasks(EditMasks(m_edit * (1 - m_keep), m_keep), lost)


def lesion_and_device(
    sample: Sample,
    lesion: str = "pneumothorax",
    device: str = "drain",
    dilation_px: float = 5,
    device_dilation_px: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Edit a lesion and keep a device; the rest is free (Section 5.3).

    Args:
        sample: Must have masks of both names.
        lesion: Name of the mask to edit.
        device: Name of the mask to keep; it may be empty.
        dilation_px: Both are dilated by this radius, in pixels of an image of 512: contours miss the border (App. C).
        device_dilation_px: Radius for the device; None for the same. A wide margin keeps the lesion around the device.

    Returns:
        Pixels to edit and to keep, each bool, shape (1, H, W).
    """
    edit = dilate(_mask(sample, lesion), dilation_px)
    keep = dilate(_mask(sample, device), dilation_px if device_dilation_px is None else device_dilation_px)
    return _not_empty(edit, sample, f"mask {lesion!r}"), keep


def boxes_complement(
    sample: Sample, boxes: str = "opacities", mask: str | None = None, free_px: float = 0
) -> tuple[Tensor, Tensor]:
    """Edit inside boxes and keep all else, m_keep = 1 − m_edit (Section 5.2), but for a band around them where asked.

    Args:
        sample: Must have boxes of that name, or the mask.
        boxes: Name of the boxes; every pixel that they touch is edited.
        mask: Name of a mask to edit inside instead, for images that have no boxes; boxes where None.
        free_px: Width of a band around what is edited that is free: not guided, not kept; in pixels of an image of 512.
            None in the paper. A box that ends on the heart cuts it off where nothing beside it may give way.

    Returns:
        Pixels to edit and to keep, each bool, shape (1, H, W).
    """
    if mask is not None:
        edit = _not_empty(_mask(sample, mask), sample, f"mask {mask!r}")
    elif boxes not in sample.boxes:
        raise ValueError(
            f"Record {sample.record.id!r} has no boxes {boxes!r}; it has {sorted(sample.boxes) or 'none'}."
        )
    else:
        edit = _not_empty(_paint(sample.boxes[boxes], sample.image.shape), sample, f"boxes {boxes!r}")
    return edit, ~dilate(edit, free_px)


def one_lung(sample: Sample, side: str) -> tuple[Tensor, Tensor]:
    """Edit one lung and keep the other; the rest is free (Section 5.4).

    Args:
        sample: Must have masks "left_lung" and "right_lung", see `split_lungs`.
        side: The patient's, "left" (on the image's right) or "right".

    Returns:
        Pixels to edit and to keep, each bool, shape (1, H, W).
    """
    other = {"left": "right", "right": "left"}.get(side)
    if other is None:
        raise ValueError(f"side is {side!r}, but must be 'left' or 'right', as the patient sees it.")
    edit = _not_empty(_mask(sample, f"{side}_lung"), sample, f"mask '{side}_lung'")
    keep = _mask(sample, f"{other}_lung")
    right, left = (edit, keep) if side == "right" else (keep, edit)
    if keep.any() and _middle(right) > _middle(left):
        raise ValueError(
            f"The mask 'right_lung' of record {sample.record.id!r} lies to the image's right of 'left_lung'. Sides are "
            "the patient's: exchange the two masks, or mirror the image."
        )
    return edit, keep


def both_lungs(sample: Sample) -> tuple[Tensor, Tensor]:
    """Edit both lungs; nothing is kept, so that the rest is free (Section 5.4: m_keep = 0).

    Args:
        sample: Must have a mask "lungs", or "left_lung" and "right_lung".

    Returns:
        Pixels to edit and to keep, each bool, shape (1, H, W).
    """
    if "lungs" in sample.masks:
        edit = _mask(sample, "lungs")
    else:
        edit = _mask(sample, "left_lung") | _mask(sample, "right_lung")
    return _not_empty(edit, sample, "lung mask"), torch.zeros_like(edit)


def none(sample: Sample) -> tuple[Tensor, Tensor]:
    """Edit everywhere and keep nothing, for editors without masks, and for images that have none.

    Returns:
        Pixels to edit and to keep, each bool, shape (1, H, W).
    """
    edit = torch.ones_like(sample.image, dtype=torch.bool)
    return edit, ~edit


def _scaled(px_at_512: float, mask: Tensor) -> float:
    return px_at_512 * min(mask.shape[-2:]) / 512


def _paint(boxes: Sequence[Box], shape: Sequence[int]) -> Tensor:
    """Every pixel that a box touches, bool, shape (1, H, W)."""
    mask = torch.zeros(tuple(shape), dtype=torch.bool)
    for box in boxes:
        top, left = max(0, math.floor(box.y)), max(0, math.floor(box.x))
        bottom, right = max(0, math.ceil(box.y + box.height)), max(0, math.ceil(box.x + box.width))
        mask[:, top:bottom, left:right] = True
    return mask


def _mask(sample: Sample, name: str) -> Tensor:
    """A sample's mask, after checking that it is there and fits the image."""
    if name not in sample.masks:
        raise ValueError(f"Record {sample.record.id!r} has no mask {name!r}; it has {sorted(sample.masks) or 'none'}.")
    mask = sample.masks[name]
    if mask.shape != sample.image.shape:
        raise ValueError(
            f"Mask {name!r} of record {sample.record.id!r} is {_size(mask)} but its image is {_size(sample.image)}. "
            "Apply the same resize and crop to both; see radedit.data.image.transforms.preprocess."
        )
    return mask


def _middle(mask: Tensor) -> float:
    """Mean column of its pixels."""
    return float(mask.nonzero()[:, -1].double().mean())


def _not_empty(edit: Tensor, sample: Sample, source: str) -> Tensor:
    if not edit.any():
        raise ValueError(
            f"The {source} of record {sample.record.id!r} is empty, so there is nowhere to edit. "
            "If it was there in the whole picture, the crop has cut it off."
        )
    return edit


def _size(image: Tensor) -> str:
    return "×".join(str(length) for length in image.shape[-2:])
