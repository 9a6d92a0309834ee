"""What a viewer shows of a DICOM picture, written once more from the standard: pixel by pixel, and without files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Lut:
    """A look-up table: `entries[i]` is for the value `first + i`; beyond the ends, the end's entry holds."""

    first: int
    entries: Sequence[int]
    bits: int

    def at(self, value: float) -> float:
        place = math.floor(value + 0.5) - self.first
        return float(self.entries[min(max(place, 0), len(self.entries) - 1)])


@dataclass(frozen=True)
class View:
    """How stored values become grey.

    Attributes:
        slope: And `intercept`: rescale (C.11.1.1.2), unless `modality` is there.
        modality: Modality LUT (C.11.1.1).
        voi: VOI LUT (C.11.2.1.1); it goes before a window.
        window: Centre and width (C.11.2.1.2).
        function: Of the window (C.11.2.1.3).
        inverted: MONOCHROME1.
        padding: Least and largest stored value that is no picture (C.7.5.1.1.2).
    """

    slope: float = 1
    intercept: float = 0
    modality: Lut | None = None
    voi: Lut | None = None
    window: tuple[float, float] | None = None
    function: str = "LINEAR"
    inverted: bool = False
    padding: tuple[int, int] | None = None


def expected(stored: NDArray[np.int64], view: View) -> NDArray[np.float64]:
    """Grey levels in [0, 1], of the shape of `stored`."""
    is_picture = [view.padding is None or not view.padding[0] <= int(value) <= view.padding[1] for value in stored.flat]
    real = [_real(int(value), view) for value in stored.flat]
    shown = [_interest(value, view) for value in real]
    if len({value for value, inside in zip(shown, is_picture, strict=True) if inside}) == 1:
        shown = real  # a window that shows nothing is none
    if view.inverted:
        shown = [-value for value in shown]
    inside = [value for value, shows in zip(shown, is_picture, strict=True) if shows]
    low, high = min(inside), max(inside)
    grey = [(value - low) / (high - low) if shows else 0 for value, shows in zip(shown, is_picture, strict=True)]
    return np.array(grey).reshape(stored.shape)


def _real(value: int, view: View) -> float:
    return view.modality.at(value) if view.modality else value * view.slope + view.intercept


def _interest(x: float, view: View) -> float:
    if view.voi:
        return view.voi.at(x)
    if view.window is None:
        return x
    c, w = view.window
    if view.function == "SIGMOID" and w > 0:
        return 1 / (1 + math.exp(-4 * (x - c) / w))
    if view.function == "LINEAR_EXACT" and w > 0:
        return 0 if x <= c - w / 2 else 1 if x > c + w / 2 else (x - c) / w + 0.5
    if view.function == "LINEAR" and w >= 1:
        low, high = c - 0.5 - (w - 1) / 2, c - 0.5 + (w - 1) / 2
        return 0 if x <= low else 1 if x > high else (x - (c - 0.5)) / (w - 1) + 0.5
    return x  # a width that is not allowed is no window
