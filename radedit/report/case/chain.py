"""A case as one picture: images side by side, what changed and what every predictor says below them."""

from __future__ import annotations

import io
import textwrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from radedit.data.stress_set import NOTICE
from radedit.harness.evidence.results import Results
from radedit.harness.explain.case import Case
from radedit.report.case.panels import Band, Heading, Panel, bands, headings
from radedit.report.images.strip import RIGHT, WRONG
from radedit.report.words.numbers import MINUS

INK, FAINT = "#1a1a1a", "#6b6b6b"
LEFT_IN, RIGHT_IN, TOP_IN, BOTTOM_IN = 1.5, 0.75, 1.1, 0.35
PANEL_IN, GAP_IN, CAPTION_IN, APART_IN = 1.62, 0.07, 0.24, 0.32
DPI = 120
MARKS = {True: ("✗ ", WRONG), False: ("✓ ", RIGHT), None: ("", FAINT)}


def draw_chain(case: Case, results: Results) -> bytes:
    """Draw all chains of a case beside one another.

    Args:
        case: From `radedit.harness.explain.case.explain`.
        results: Of the run that it belongs to.

    Returns:
        A PNG, the same bytes for the same case.
    """
    rows, heads = bands(case, results), headings(case, results)
    lefts, right = _lefts([len(chain) for chain in case.chains])
    width, height = right + RIGHT_IN, TOP_IN + len(rows) * (PANEL_IN + CAPTION_IN) + BOTTOM_IN
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)

    def axes(left: float, top: float, size: tuple[float, float] = (PANEL_IN, PANEL_IN)) -> Axes:
        return figure.add_axes((left / width, 1 - (top + size[1]) / height, size[0] / width, size[1] / height))

    def write(left: float, top: float, text: str, **how: Any) -> None:
        figure.text(left / width, 1 - top / height, text, **{"parse_math": False, "va": "baseline", **how})

    write(0.15, 0.3, results.title, fontsize=13, color=INK)
    kept = "kept" if case.kept else "not kept"
    score = "undefined" if case.cosine is None else f"{case.cosine:.2f}".replace("-", MINUS)
    write(right, 0.3, f"{case.record}  ·  {kept}, score {score}", fontsize=9, color=FAINT, ha="right")
    for heading, left in zip((h for chain in heads for h in chain), (x for xs in lefts for x in xs), strict=True):
        _head(write, heading, left)
    for number, band in enumerate(rows):
        top = TOP_IN + number * (PANEL_IN + CAPTION_IN)
        write(0.15, top + PANEL_IN / 2, textwrap.fill(band.name, 17), fontsize=9.5, color=INK, va="bottom")
        write(0.15, top + PANEL_IN / 2 + 0.06, textwrap.fill(band.note, 23), fontsize=7.5, color=FAINT, va="top")
        panels = [panel for chain in band.panels for panel in chain]
        for panel, left in zip(panels, (x for xs in lefts for x in xs), strict=True):
            _show(axes(left, top), panel)
            mark, colour = MARKS[panel.wrong]
            how = {"fontsize": 7.5, "color": colour, "ha": "center"}
            write(left + PANEL_IN / 2, top + PANEL_IN + 0.14, mark + panel.caption, **how)
        if band.bar and band.bar[2]:
            _bar(figure, axes(right + 0.1, top, (0.11, PANEL_IN)), band)
    write(0.15, height - 0.12, NOTICE, fontsize=7.5, color=FAINT)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Disclaimer": NOTICE, "Software": "radedit"})
    return buffer.getvalue()


def _lefts(lengths: list[int]) -> tuple[list[list[float]], float]:
    """Left edge of every panel of every chain, and the right edge of the last, inches."""
    lefts, x = [], LEFT_IN
    for length in lengths:
        lefts.append([x + i * (PANEL_IN + GAP_IN) for i in range(length)])
        x += length * (PANEL_IN + GAP_IN) + APART_IN
    return lefts, x - APART_IN - GAP_IN


def _head(write: Any, heading: Heading, left: float) -> None:
    write(left, 0.72, heading.name, fontsize=10, color=INK)
    write(left, 0.78, textwrap.fill(heading.made, 29), fontsize=7, color=FAINT, va="top")


def _show(ax: Axes, panel: Panel) -> None:
    ax.set_axis_off()
    if panel.picture is not None:
        ax.imshow(panel.picture.convert("RGB"), interpolation="antialiased")


def _bar(figure: Figure, ax: Axes, band: Band) -> None:
    assert band.bar is not None
    colours, low, high = band.bar
    figure.colorbar(ScalarMappable(Normalize(low, high), colours), cax=ax)
    ax.set_ylabel("grey levels of 255" if low < 0 else "evidence", color=FAINT, fontsize=7.5, labelpad=2)
    ax.tick_params(labelsize=7, colors=FAINT, length=2)
