"""Findings of the phantom drawn onto a radiograph that was taken: real texture with a known truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radedit.phantom.anatomy import Anatomy, Side, sign
from radedit.phantom.canvas import Array, Canvas, Points
from radedit.phantom.findings import Consolidation, Drain, Mask, Pneumothorax
from radedit.phantom.render import LUNG_AIR, PNEUMOTHORAX_AIR

OneSided = Pneumothorax | Drain | Consolidation  # what has a place in one lung

BASE = 0.82  # y at which the phantom's lungs end, a fraction of the field
NARROWEST = 0.06  # of a lung near its apex, so that a row of few pixels is not torn apart
SIGMA = 0.02  # of the image's side: what is finer is texture, and shows through
TISSUE = 60  # percentile of the grey levels around the lungs: soft tissue, neither bone nor air
MARKINGS = 0.6  # share of the texture in a lung that is vessels; ribs make the rest, and stay over bare air
AIR = 25  # percentile of those in them: aerated lung, also where half of it is dense


@dataclass(frozen=True)
class LungCanvas(Canvas):
    """Anatomical coordinates of an image's pixels, row by row, so that the phantom's lung lies on the image's.

    Attributes:
        height: y of each row, shape (size,).
        columns: Medial and lateral border of the image's lung in each row, px, shape (2, size).
        across: Those of the phantom's lung, signed distances from the midline, likewise.
        midline: x of the phantom's midline.
    """

    height: Points
    columns: Points
    across: Points
    midline: float

    @classmethod
    def over(cls, lung: Mask, side: Side, anatomy: Anatomy) -> LungCanvas:
        """The canvas of an image's lung.

        Raises:
            ValueError: If the lung is empty.
        """
        size, rows = lung.shape[0], np.flatnonzero(lung.any(axis=1))
        if not len(rows):
            raise ValueError(f"The mask of the {side} lung is empty, so nothing can be drawn into it.")
        first, last = lung[rows].argmax(axis=1), size - lung[rows, ::-1].argmax(axis=1)
        medial, lateral = (first, last) if side == "left" else (last, first)
        every = np.arange(size)
        columns = np.stack([np.interp(every, rows, border) for border in (medial, lateral)])
        columns = ndimage.gaussian_filter1d(columns, SIGMA * size, axis=1, mode="nearest")
        height = anatomy.apex + (BASE - anatomy.apex) * (every - rows[0]) / (rows[-1] - rows[0] + 1)
        y = height.astype(np.float32)
        inner = anatomy.medial(y)
        across = sign(side) * np.stack([inner, np.maximum(anatomy.lateral(y), inner + NARROWEST)])
        scale = (across[1] - across[0]) / (columns[1] - columns[0])
        x = anatomy.midline + across[0][:, None] + scale[:, None] * (every - columns[0][:, None])
        heights = np.broadcast_to(y[:, None], x.shape)
        return cls(size, x.astype(np.float32), heights, np.eye(2, 3), height, columns, across, anatomy.midline)

    def to_image(self, points: Points) -> Points:
        """Anatomical points, shape (n, 2), in image coordinates."""
        row = (points[:, 1] - self.height[0]) / (self.height[1] - self.height[0])
        every = np.arange(self.size)
        (column, wall), (inner, outer) = (
            [np.interp(row, every, border) for border in borders] for borders in (self.columns, self.across)
        )
        x = column + (points[:, 0] - self.midline - inner) * (wall - column) / (outer - inner)
        return np.stack([x, row], axis=1) / self.size


def draw(
    image: Array, lungs: Mapping[Side, Mask], findings: Iterable[OneSided], anatomy: Anatomy
) -> tuple[Array, dict[str, Mask]]:
    """An image with findings drawn into its lungs.

    Where a consolidation fills the lung, it turns to soft tissue; where there is bare air, it loses its markings and
    darkens; a tube is laid over it. Grey levels are the image's own: how much aerated lung is darker than soft tissue
    says what the phantom's brightness is worth here.

    Args:
        image: Grey levels in [0, 1], shape (size, size).
        lungs: Both lungs by the patient's side, bool, likewise.
        findings: What to draw, one over the other.
        anatomy: A phantom's chest, for places within a lung.

    Returns:
        The image, and the mask of each finding.

    Raises:
        ValueError: If a lung that is drawn into is empty.
    """
    both = lungs["left"] | lungs["right"]
    masks: dict[str, Mask] = {}
    for finding in findings:
        lung, canvas = lungs[finding.side], LungCanvas.over(lungs[finding.side], finding.side, anatomy)
        effect = finding.draw(anatomy, canvas)
        inside = ndimage.gaussian_filter(lung.astype(np.float32), 0.006 * len(image))
        low = ndimage.gaussian_filter(image, SIGMA * len(image))
        tissue = _tissue(image, both)
        unit = max(tissue - float(np.percentile(image[both], AIR)), 0.05) / LUNG_AIR
        if effect.fill is not None:
            image = image + effect.fill * inside * np.clip(tissue - low, 0, None)
        if effect.air is not None:
            bare = effect.air * inside
            image = image - bare * (MARKINGS * (image - low) + unit * PNEUMOTHORAX_AIR)
        if effect.add is not None:
            image = image + unit * effect.add * (1.0 if isinstance(finding, Drain) else inside)
        image = np.clip(image, 0, 1).astype(np.float32)
        masks |= {key: mask if isinstance(finding, Drain) else mask & lung for key, mask in effect.masks.items()}
    return image, masks


def _tissue(image: Array, lungs: NDArray[np.bool_]) -> float:
    """Grey level of soft tissue: what lies between and just around the lungs."""
    rows, columns = (np.flatnonzero(lungs.any(axis=axis)) for axis in (1, 0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    return float(np.percentile(image[box][~lungs[box]], TISSUE))
