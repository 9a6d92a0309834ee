"""A finding of the phantom drawn onto a radiograph that was taken: real texture with a known truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radedit.phantom.anatomy import Anatomy, Side, sign
from radedit.phantom.canvas import Array, Canvas
from radedit.phantom.findings import Consolidation, Mask

# Where the phantom's lungs end, as fractions of its field: by them a real lung is laid onto the drawn one.
MEDIAL, LATERAL = 0.06, 0.37  # from the midline
APEX, BASE = 0.12, 0.82
SIGMA = 0.02  # of the film's side: what is finer is texture, and shows through
TISSUE = 60  # percentile of the grey levels around the lungs: soft tissue, neither bone nor air


def consolidated(
    image: Array, lung: Mask, other: Mask, consolidation: Consolidation, anatomy: Anatomy
) -> tuple[Array, Mask]:
    """A film with a consolidation drawn into one of its lungs.

    The consolidation's share of the lung's air turns to soft tissue, in grey levels of the film's own; texture stays.

    Args:
        image: Grey levels in [0, 1], shape (size, size).
        lung: The lung on the consolidation's side, bool, likewise.
        other: The other lung.
        consolidation: What to draw.
        anatomy: A phantom's chest, for the consolidation's place in its lung.

    Returns:
        The film, and where it is consolidated.

    Raises:
        ValueError: If a lung is empty.
    """
    canvas = _over(lung, consolidation.side, anatomy)
    size = image.shape[0]
    fill = consolidation.draw(anatomy, canvas).fill
    assert fill is not None
    inside = ndimage.gaussian_filter(lung.astype(np.float32), 0.006 * size)
    fill = fill * inside
    low = ndimage.gaussian_filter(image, SIGMA * size)
    added = fill * np.clip(_tissue(image, lung | other) - low, 0, None)
    mask = (fill > 0.3 * consolidation.density) & lung
    return np.clip(image + added, 0, 1).astype(np.float32), mask


def _over(lung: Mask, side: Side, anatomy: Anatomy) -> Canvas:
    """Anatomical coordinates of a film's pixels, so that the phantom's lung lies on the film's."""
    rows, columns = (np.flatnonzero(lung.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        raise ValueError(f"The mask of the {side} lung is empty, so nothing can be drawn into it.")
    size = lung.shape[0]
    y, x = np.mgrid[0:size, 0:size]
    y = APEX + (BASE - APEX) * (y - rows[0]) / (rows[-1] - rows[0] + 1)
    s = sign(side)
    medial, lateral = (columns[0], columns[-1] + 1) if s > 0 else (columns[-1] + 1, columns[0])
    across = MEDIAL + (LATERAL - MEDIAL) * (x - medial) / (lateral - medial)
    return Canvas(size, (anatomy.midline + s * across).astype(np.float32), y.astype(np.float32), np.eye(2, 3))


def _tissue(image: Array, lungs: NDArray[np.bool_]) -> float:
    """Grey level of soft tissue: what lies between and just around the lungs."""
    rows, columns = (np.flatnonzero(lungs.any(axis=axis)) for axis in (1, 0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    return float(np.percentile(image[box][~lungs[box]], TISSUE))
