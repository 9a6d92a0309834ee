"""Excess and path of every predictor against their limits, on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator

from radedit.harness.statistics import Estimate
from radedit.harness.verdict import Rules, Verdict
from radedit.report.numbers import percent, points
from radedit.report.paper import INK, LINE, MUTED, Font, Paper, width_of

MARKS = {"excess": ("o", INK), "path": ("D", "#7a8796")}
BAND = "#e3e9f0"  # where the path's interval must lie


@dataclass(frozen=True)
class Scale:
    """From fractions to points of the page.

    Attributes:
        left, width: Of the plot.
        low, high: Fractions at its ends.
        ticks: Fractions that are written below it.
    """

    left: float
    width: float
    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def of(cls, estimates: Sequence[Estimate], rules: Rules, left: float, width: float) -> Scale:
        """One on which all intervals and both limits lie."""
        bounds = [bound for e in estimates for bound in (e.value, e.low, e.high) if bound is not None]
        shown = [-rules.path_limit, rules.path_limit, rules.limit, *bounds]
        margin = 0.06 * (max(shown) - min(shown))
        low, high = min(shown) - margin, max(shown) + margin
        ticks = np.asarray(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]).tick_values(100 * low, 100 * high)) / 100
        return cls(left, width, low, high, tuple(ticks[(ticks >= low) & (ticks <= high)].tolist()))

    def __call__(self, fraction: float) -> float:
        return self.left + (fraction - self.low) / (self.high - self.low) * self.width


def draw_scale(page: Paper, scale: Scale, rules: Rules, top: float, bottom: float) -> None:
    """What lies behind a row: the path's band, the grid and the limit."""
    page.bar(scale(-rules.path_limit), scale(rules.path_limit), top, bottom, colour=BAND)
    for tick in scale.ticks:
        page.line([scale(tick)] * 2, [top, bottom], colour=MUTED if tick == 0 else LINE, width=0.6)
    page.line([scale(rules.limit)] * 2, [top, bottom], colour=INK, width=1.1, dashed=True)


def draw_limit(page: Paper, scale: Scale, rules: Rules, y: float, size: float) -> None:
    """The limit's number above the plot, kept within its width."""
    font, text = Font(7 * size, INK, bold=True), f"limit {percent(rules.limit)}"
    half = width_of(text, font) / 2
    x = min(max(scale(rules.limit), scale.left + half), scale.left + scale.width - half)
    page.put(x, y - 4 * size, text, font, align="center")


def draw_ticks(page: Paper, scale: Scale, y: float, size: float) -> None:
    """Numbers below the plot, in points, as many digits as they need."""
    digits = 0 if all(abs(100 * tick - round(100 * tick)) < 1e-6 for tick in scale.ticks) else 1
    for tick in scale.ticks:
        page.put(scale(tick), y + 9 * size, points(tick, digits), Font(6.5 * size, MUTED), align="center")


def draw_intervals(page: Paper, scale: Scale, verdict: Verdict, y: float, apart: float, size: float) -> None:
    """A predictor's two intervals, the excess `apart` above y, the path as far below."""
    for name, estimate, at in (("excess", verdict.excess, y - apart), ("path", verdict.path, y + apart)):
        shape, colour = MARKS[name]
        if estimate.low is not None and estimate.high is not None:
            page.line([scale(estimate.low), scale(estimate.high)], [at, at], colour=colour, width=1.8)
        page.mark(scale(estimate.value), at, shape, colour=colour, size=(5 if name == "excess" else 3.2) * size)


def draw_legend(page: Paper, x: float, y: float, size: float) -> float:
    """What the marks are, in a line; gives the y below it."""
    font = Font(6.8 * min(size, 1.05), MUTED)  # the line is full
    for name, text in (
        ("excess", "excess: what the shift costs"),
        ("path", "what the editor’s path does by itself"),
        ("limit", "limit of the excess"),
        ("band", "where the path must lie"),
    ):
        if name in MARKS:
            page.mark(x + 4, y, MARKS[name][0], colour=MARKS[name][1], size=4 * size)
        elif name == "limit":
            page.line([x + 4] * 2, [y - 5 * size, y + 5 * size], colour=INK, width=1.1, dashed=True)
        else:
            page.bar(x, x + 9, y - 3.5 * size, y + 3.5 * size, colour=BAND)
        page.put(x + 13, y + 0.36 * font.size, text, font)
        x += 13 + width_of(text, font) + 14
    return y + font.size
