"""Putting the original back where an edit should not have changed it: m_keep is exact in latents, not in pixels."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from scipy import ndimage
from torch import Tensor

PasteBack = Literal["none", "keep", "outside"]
MODES: tuple[str, ...] = get_args(PasteBack)


def paste_back(
    edited: Tensor, source: Tensor, edit_mask: Tensor, keep_mask: Tensor, mode: str, feather_px: float
) -> Tensor:
    """Replace the edit by its source where the masks say so, with a soft seam.

    The seam lies on the side of the edit: pasted pixels are the source's own, exactly.

    Args:
        edited: Edited images, shape (B, 1, H, W).
        source: Their originals, likewise.
        edit_mask: Pixels that were to change, bool, likewise.
        keep_mask: Pixels that were to be kept, bool, likewise; they win where both masks overlap.
        mode: "none" pastes nothing, "keep" pastes inside `keep_mask`, "outside" inside it and outside `edit_mask`.
        feather_px: σ of the Gaussian with which the source fades beyond the pasted pixels, in pixels of an image
            whose shorter side is 512; 0 is a hard seam.

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
    pasted = keep_mask if mode == "keep" else keep_mask | ~edit_mask
    weight = torch.stack([_fade(mask, feather_px * min(mask.shape[-2:]) / 512) for mask in pasted]).to(edited)
    return torch.where(pasted, source, torch.lerp(edited, source, weight))


def check_paste_back(mode: str, feather_px: float) -> None:
    """Raise a `ValueError` for a mode or a feather that `paste_back` does not take."""
    if mode not in MODES:
        raise ValueError(f"paste_back is {mode!r}; allowed are {', '.join(MODES)}.")
    if not feather_px >= 0:
        raise ValueError(f"The feather is {feather_px:g} px; allowed are 0 (a hard seam) and more.")


def _fade(mask: Tensor, sigma_px: float) -> Tensor:
    """1 inside a mask (1, H, W), and a Gaussian of the distance to it outside."""
    if sigma_px == 0 or not mask.any():
        return mask.float()
    distance_px = torch.from_numpy(ndimage.distance_transform_edt(~mask[0].cpu().numpy()))[None]
    return torch.exp(-((distance_px / sigma_px) ** 2) / 2).float()
