"""Masks at another size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

ROUNDING = 1e-4  # shares of a pixel below this are rounding, not mask


def resize_mask(mask: Tensor, size: tuple[int, int], crop: tuple[int, int, int, int] | None = None) -> Tensor:
    """Resize a mask so that regions keep their area and thin structures stay whole.

    A pixel of the result belongs to the mask if at least half of it is covered. That would break a 3 px drain of a
    2,000 px image into dots at 512 px and lose a guide wire, so wherever the mask is too thin to fill a 3 × 3 block of
    the result, every pixel that it touches belongs to it instead: a thin device comes out up to one pixel wider on
    each side and never interrupted. (Our choice; the paper is silent. A device is kept, so wider is the safe side.)

    Args:
        mask: Bool, shape (1, H, W).
        size: Height and width of the whole result, px.
        crop: Top, left, height and width of the part of the result to return, px; all of it where None.

    Returns:
        Bool tensor of shape (1, height, width).
    """
    top, left, height, width = crop or (0, 0, *size)
    if tuple(mask.shape[-2:]) == tuple(size):
        return mask[:, top : top + height, left : left + width]
    rows = overlap(mask.shape[-2], size[0], device=mask.device)[top : top + height]
    columns = overlap(mask.shape[-1], size[1], device=mask.device)[left : left + width]
    covered = rows @ mask.to(rows.dtype) @ columns.T
    region = covered >= 0.5 - ROUNDING
    touched = covered > ROUNDING
    body = region & _dilate(_erode(region, 1), 3)  # 3 × 3 blocks, and the corners that are 2 px from one
    thin = touched & ~_dilate(body, 1)
    return region | thin | (touched & _dilate(thin, 1))  # the last joins a device to a body


def overlap(n_in: int, n_out: int, device: torch.device | None = None) -> Tensor:
    """Share of each of `n_out` equal cells that each of `n_in` equal cells covers: (n_out, n_in), rows sum to 1."""
    edges = torch.arange(n_out + 1, dtype=torch.float64) * n_in / n_out
    pixels = torch.arange(n_in, dtype=torch.float64)
    shared = torch.minimum(edges[1:, None], pixels + 1) - torch.maximum(edges[:-1, None], pixels)
    return (shared.clamp(min=0) * n_out / n_in).to(device, torch.float32)


def _dilate(mask: Tensor, radius_px: int) -> Tensor:
    size = 2 * radius_px + 1
    return max_pool2d(mask.float(), size, stride=1, padding=radius_px) > 0


def _erode(mask: Tensor, radius_px: int) -> Tensor:
    return ~_dilate(~mask, radius_px)
