"""CheXmask's masks: from runs, or from landmarks where the runs cannot be trusted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from radedit.data.datasets.chexmask.index import IndexedRow, read_row
from radedit.data.layouts.rle import decode_absolute

STRUCTURES = {
    "left_lung": ("Left Lung",),  # the patient's, so at larger x
    "right_lung": ("Right Lung",),
    "lungs": ("Left Lung", "Right Lung"),
    "heart": ("Heart",),
}
N_LANDMARKS = 120
LANDMARKS = {"Right Lung": slice(0, 44), "Left Lung": slice(44, 94), "Heart": slice(94, N_LANDMARKS)}
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass(frozen=True)
class SegmentedMask:
    """The union of structures of one image, decoded when it is called with the image's height and width, px."""

    index: Path
    key: str
    structures: tuple[str, ...]

    def __call__(self, size: tuple[int, int]) -> Tensor:
        """Bool tensor of shape (1, H, W).

        Raises:
            ValueError: If the mask is of another size, or cannot be decoded.
        """
        row = read_row(self.index, self.key)
        return torch.stack([_decoded(row, structure, size) for structure in self.structures]).any(dim=0)


def _decoded(row: IndexedRow, structure: str, size: tuple[int, int]) -> Tensor:
    height, width = row.size
    if size not in (row.size, (width, height)):
        raise ValueError(
            f"CheXmask's mask is {width}×{height}, but its image is {size[1]}×{size[0]}. Masks of the original "
            "resolution go with images as published, not with resized ones such as CheXpert-v1.0-small."
        )
    if not row.masks[structure]:
        return torch.zeros(1, *size, dtype=torch.bool)
    if size == row.size:
        return decode_absolute(row.masks[structure], size)
    return _filled(row.landmarks, structure, size)


def _filled(landmarks: str, structure: str, size: tuple[int, int]) -> Tensor:
    """The polygon of a structure's landmarks, its border included."""
    numbers = [float(number) for number in NUMBER.findall(landmarks)]
    if len(numbers) != 2 * N_LANDMARKS:
        raise ValueError(
            f"CheXmask's Height and Width are crossed, so the mask has to be filled from its landmarks; but these are "
            f"{len(numbers)} numbers instead of {2 * N_LANDMARKS}."
        )
    points = np.reshape(numbers, (-1, 2))
    height, width = size
    if (points < 0).any() or (points > [width, height]).any():
        raise ValueError(
            f"CheXmask's landmarks reach from {points.min(axis=0)} to {points.max(axis=0)}, outside the image of "
            f"{width}×{height}. Its row is of another image."
        )
    canvas = Image.new("1", (width, height))
    ImageDraw.Draw(canvas).polygon([tuple(point) for point in points[LANDMARKS[structure]]], fill=1, outline=1)
    return torch.from_numpy(np.array(canvas))[None]
