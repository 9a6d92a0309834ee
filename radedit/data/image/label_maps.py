"""Telling a mask from a picture that numbers or colours several structures."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter, minimum_filter

from radedit.data.image.raster import Raster

FEW = 32  # levels; a smooth border has more, or none that fills an area
NAMED = 8
Whole = npt.NDArray[np.unsignedinteger[Any]]


def mask_of(path: Path, raster: Raster) -> npt.NDArray[np.bool_]:
    """Which pixels are above half of a picture's largest level, once it has been found to be a mask.

    Args:
        path: Where it is from, for errors.
        raster: As read.

    Returns:
        Shape (H, W).

    Raises:
        ValueError: If it is a label map: in more than two colours, or in grey levels of which one between black and
            the brightest fills an area. Or if its background is not black.
    """
    if raster.values.ndim == 3 and raster.tinted.any():
        red, green, blue = np.moveaxis(raster.values.astype(np.int64), -1, 0)
        colours = np.unique(red << 32 | green << 16 | blue).tolist()
        if len(colours) > 2:
            names = [f"({colour >> 32}, {colour >> 16 & 0xFFFF}, {colour & 0xFFFF})" for colour in colours]
            raise ValueError(_several(path, "colours", names))
    else:
        levels = raster.values if raster.values.ndim == 2 else raster.values[..., 0]
        if is_label_map(levels, raster.white):
            raise ValueError(_several(path, "levels", [str(level) for level in np.unique(levels).tolist()]))
    grey, _ = raster.grey()
    found = np.unique(grey)
    largest = float(found[-1])
    if raster.alpha is not None and largest == 0:
        raise ValueError(
            f"Mask {path} is black wherever it is not transparent. Allowed is white on black; export it without alpha."
        )
    if found.size == 2 and found[0] > largest / 2:
        low, high = (f"{level * raster.white:.0f}" for level in found)
        raise ValueError(
            f"Mask {path} has the levels {low} and {high} and no black background. Allowed is white on black."
        )
    if found.size > 2:
        warnings.warn(
            f"Mask {path} has {found.size} grey levels instead of two; pixels above half of the largest are taken.",
            stacklevel=3,
        )
    return grey > largest / 2


def is_label_map(levels: Whole, white: int) -> bool:
    """Whether grey levels number structures.

    There are more than two then, and either all are close to black, or one between the ends has an area of its own,
    which the levels of a smooth border do not have.

    Args:
        levels: Shape (H, W).
        white: Largest level of the file's type.
    """
    counts = np.unique(levels)
    if counts.size <= 2:
        return False
    low, high = int(counts[0]), int(counts[-1])
    if high <= FEW:
        return True
    inside = minimum_filter(levels, 3) == maximum_filter(levels, 3)  # of an area of one level
    if counts.size > FEW:  # JPEG, or a wide blur, which is flat at its ends
        away = 8 * (white // 255)
        inside &= (levels > low + away) & (levels < high - away)
        _, areas = np.unique(levels[inside], return_counts=True)
        return bool(areas.size and areas.max() > 0.01 * levels.size)
    return bool((inside & (levels > low) & (levels < high)).any())


def _several(path: Path, what: str, names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (
        f"Mask {path} has the {what} {', '.join(names[:NAMED])}{more}: it seems to number several structures. "
        "A mask has two levels; write one file per structure, white on black."
    )
