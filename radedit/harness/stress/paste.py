"""Putting the original back where an edit should not have changed it: m_keep is exact in latents, not in pixels."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

PasteBack = Literal["none", "keep", "contrast", "outside"]
MODES: tuple[str, ...] = get_args(PasteBack)
# Of "contrast", in pixels of an image whose shorter side is 512; our choice, on training images of Section 5.3.
EDGE_PX = 4.0  # a device is blurred beyond its mask
AROUND_PX = 8.0  # σ of what is around it
LEAST_AROUND = 0.1  # weight of pixels around it below which their change fades, deep inside a wide mask


def paste_back(
    edited: Tensor, source: Tensor, edit_mask: Tensor, keep_mask: Tensor, mode: str, feather_px: float
) -> Tensor:
    """Replace the edit by its source where the masks say so, with a soft seam.

    "none", "keep" and "outside" are about pixels: the seam lies on the side of the edit, and pasted pixels are the
    source's own, exactly. "contrast" is for devices that one can look through. X-rays add up: a drain in a pneumothorax
    is as dark as the air around it, and its own pixels would keep that air. So it keeps what the device adds: the
    source's pixels, changed as much as the edit changes what is around them.

    Args:
        edited: Edited images, shape (B, 1, H, W).
        source: Their originals, likewise.
        edit_mask: Pixels that were to change, bool, likewise.
        keep_mask: Pixels that were to be kept, bool, likewise; they win where both masks overlap.
        mode: "none" pastes nothing, "keep" pastes inside `keep_mask`, "outside" inside it and outside `edit_mask`,
            "contrast" inside `keep_mask` and `EDGE_PX` around it, as above. Deep in a wide mask it is as "keep".
        feather_px: σ of the Gaussian with which the source fades beyond the pasted pixels, in pixels of an image
            whose shorter side is 512; 0 is a hard seam. "contrast" has none.

    Returns:
        Shape (B, 1, H, W).

    Raises:
        ValueError: If the mode, the feather or a shape is not as above.
    """
    check_paste_back(mode, feather_px)
    for name, tensor in {"source": source, "edit_mask": edit_mask, "keep_mask": keep_mask}.items():
        if tensor.shape != edited.shape:
            raise ValueError(
                f"{name} has shape {tuple(tensor.shape)}, but edited {tuple(edited.shape)}; they must agree."
            )
    if mode == "none":
        return edited
    scale = min(edited.shape[-2:]) / 512
    if mode == "contrast":
        return torch.stack([_with_device(*images, scale) for images in zip(edited, source, keep_mask, strict=True)])
    pasted = keep_mask if mode == "keep" else keep_mask | ~edit_mask
    weight = torch.stack([_fade(mask, feather_px * scale) for mask in pasted]).to(edited)
    return torch.where(pasted, source, torch.lerp(edited, source, weight))


def check_paste_back(mode: str, feather_px: float) -> None:
    """Raise a `ValueError` for a mode or a feather that `paste_back` does not take."""
    if mode not in MODES:
        raise ValueError(f"paste_back is {mode!r}; allowed are {', '.join(MODES)}.")
    if not feather_px >= 0:
        raise ValueError(f"The feather is {feather_px:g} px; allowed are 0 (a hard seam) and more.")


def _with_device(edited: Tensor, source: Tensor, keep: Tensor, scale: float) -> Tensor:
    """An edit (1, H, W) with what the source's device adds, on the change that is around it, carried on under it."""
    if not keep.any():
        return edited
    device = ndimage.distance_transform_edt(~keep[0].cpu().numpy()) <= EDGE_PX * scale
    around = (~device).astype(np.float32)
    change = (edited - source)[0].cpu().numpy()
    weight, total = (ndimage.gaussian_filter(image, AROUND_PX * scale) for image in (around, change * around))
    under = torch.from_numpy(total / np.maximum(weight, LEAST_AROUND)).to(edited)
    return torch.where(torch.from_numpy(device).to(keep.device), (source + under).clamp(0, 1), edited)


def _fade(mask: Tensor, sigma_px: float) -> Tensor:
    """1 inside a mask (1, H, W), and a Gaussian of the distance to it outside."""
    if sigma_px == 0 or not mask.any():
        return mask.float()
    distance_px = torch.from_numpy(ndimage.distance_transform_edt(~mask[0].cpu().numpy()))[None]
    return torch.exp(-((distance_px / sigma_px) ** 2) / 2).float()
