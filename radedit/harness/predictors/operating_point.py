"""A threshold by the sensitivity or the specificity that it must reach on in-distribution images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class OperatingPoint:
    """What a classifier must reach on its in-distribution test set, by which its threshold is chosen.

    Attributes:
        sensitivity: Share of images with the finding that are called positive, 0 < share ≤ 1; or
        specificity: Share of images without it that are not. One of the two.

    Raises:
        ValueError: If both or neither are given, or one is no such share.
    """

    sensitivity: float | None = None
    specificity: float | None = None

    def __post_init__(self) -> None:
        given = [share for share in (self.sensitivity, self.specificity) if share is not None]
        if len(given) != 1 or not 0 < given[0] <= 1:
            raise ValueError(
                f"predictor.operating_point has sensitivity {self.sensitivity} and specificity {self.specificity}; "
                "expected one of them, a share above 0 and at most 1: predictor.operating_point.sensitivity=0.95."
            )

    def __str__(self) -> str:
        name = "sensitivity" if self.sensitivity is not None else "specificity"
        return f"{name} {getattr(self, name):g}"

    def threshold(self, labels: ArrayLike, probabilities: ArrayLike) -> float:
        """The threshold that reaches it at the least cost of the other, for predictions p ≥ threshold.

        It lies in the middle between two probabilities that occur, so that rounding moves no prediction across it.

        Args:
            labels: 0 or 1 for each image, shape (N,).
            probabilities: 0…1, likewise.

        Raises:
            ValueError: If no image has the finding, or none lacks it, whichever counts.
        """
        positive, p = np.asarray(labels, dtype=bool), np.asarray(probabilities, dtype=np.float64)
        if self.sensitivity is not None:
            of_class = _some(np.sort(p[positive])[::-1], "with the finding")
            last = of_class[_count(self.sensitivity, len(of_class)) - 1]  # that must be called positive
            below = p[p < last]
            return float((last + below.max()) / 2) if len(below) else float(last)
        assert self.specificity is not None
        of_class = _some(np.sort(p[~positive]), "without the finding")
        last = of_class[_count(self.specificity, len(of_class)) - 1]  # that must not
        above = p[p > last]
        return float((last + above.min()) / 2) if len(above) else float(np.nextafter(last, 2.0))


def _count(share: float, n: int) -> int:
    """Least number of n that is at least this share."""
    return max(1, math.ceil(share * n - 1e-9))


def _some(values: NDArray[np.float64], which: str) -> NDArray[np.float64]:
    if not len(values):
        raise ValueError(
            f"predictor.operating_point needs in-distribution images {which}; the predictor's test set has none."
        )
    return values
