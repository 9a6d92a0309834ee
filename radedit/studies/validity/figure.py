"""Scatter of a validity study: each way of testing against the truth, a point for each predictor."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from radedit.data.io.atomic import write_atomically
from radedit.studies.validity.table import TITLES, figures_of

INK, MUTED, BAND = "#222222", "#777777", "#eeeeee"
RAMP = ("#0072B2", "#56B4E9", "#E69F00", "#D55E00", "#8C2D04")  # Okabe and Ito's, from weak to strong
SIZE_INCHES, DPI = (9.0, 5.6), 130
LABEL = {"correct": "accuracy", "dice": "Dice"}
Rows = Sequence[Mapping[str, Any]]


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Write the picture: the synthetic set large, its two rivals beside it.

    Args:
        results: As `validity.json` has it; the kept edits, or all where none was kept.
        path: Of a PNG.
    """
    found = results.get("kept") or results["all"]
    figure = Figure(figsize=SIZE_INCHES, dpi=DPI, facecolor="white")
    grid = figure.add_gridspec(
        2, 2, width_ratios=[2.05, 1], left=0.075, right=0.985, bottom=0.19, top=0.86, wspace=0.2, hspace=0.62
    )
    panels = {
        "synthetic": figure.add_subplot(grid[:, 0]),
        "in_distribution": figure.add_subplot(grid[0, 1]),
        "corrupted": figure.add_subplot(grid[1, 1]),
    }
    low, high = _range(found["rows"], results["measure"])
    for name, axes in panels.items():
        large = name == "synthetic"
        _frame(axes, low, high, 100 * results["delta"], large)
        _points(axes, found["rows"], name, large)
        difference, tau = figures_of(found["ways"][name])
        said = f"{TITLES[name]}\n{difference} points{', ' if large else chr(10)}τ = {tau}"
        axes.set_title(said, fontsize=11 if large else 8, color=INK, loc="left")
    measure = LABEL[results["measure"]]
    panels["synthetic"].set_xlabel(f"{measure} on true counterfactuals of the same patients, %", fontsize=10, color=INK)
    panels["synthetic"].set_ylabel(f"{measure} on edits, %", fontsize=10, color=INK)
    _legend(figure, found["rows"], results["measure"])
    size = min(13, 950 / len(results["title"]))  # a long one in one line
    figure.text(0.012, 0.955, results["title"], fontsize=size, color=INK, weight="bold", va="center")
    figure.text(
        0.988, 0.018,
        f"n = {found['n']} {'kept ' if 'kept' in results else ''}edits of {found['patients']} patients, "
        f"{found['predictors']} trained predictors; band: ± {100 * results['delta']:g} points; synthetic phantoms",
        fontsize=8, color=MUTED, ha="right", va="bottom",
    )  # fmt: skip
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})
    write_atomically(path, file.getvalue())


def colours(strengths: Sequence[float]) -> dict[float, str]:
    """A colour for each strength, from weak to strong."""
    known = sorted(set(strengths))
    if len(known) == 1:
        return {known[0]: RAMP[0]}
    ramp = RAMP if len(known) > 4 else RAMP[:4]
    return {s: ramp[round(i * (len(ramp) - 1) / (len(known) - 1))] for i, s in enumerate(known)}


def _range(rows: Rows, measure: str) -> tuple[float, float]:
    """Limits of both axes, per cent: all of it for accuracies, for Dice what there is."""
    if measure == "correct":
        return -4, 104
    values = [100 * row[name] for row in rows for name in ("truth", "synthetic", "in_distribution", "corrupted")]
    return 5 * math.floor(min(values) / 5) - 1, min(101, 5 * math.ceil(max(values) / 5) + 1)


def _frame(axes: Axes, low: float, high: float, delta: float, large: bool) -> None:
    line = np.array([low, high])
    axes.fill_between(line, line - delta, line + delta, color=BAND, linewidth=0, zorder=0)
    axes.plot(line, line, color=MUTED, linewidth=0.8, zorder=1)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_aspect("equal", adjustable="box")
    step = 25 if high - low > 60 else 10 if high - low > 25 else 5
    ticks = [tick for tick in range(0, 101, step) if low <= tick <= high]
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.tick_params(labelsize=9 if large else 7.5, color=MUTED, labelcolor=INK, length=3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)


def _points(axes: Axes, rows: Rows, name: str, large: bool) -> None:
    of_strength = colours([row["strength"] for row in rows if row["strength"] is not None])
    size = 60 if large else 24
    for row in rows:
        constant = row["strength"] is None
        axes.scatter(
            [100 * row["truth"]], [100 * row[name]],
            s=size, marker="D" if constant else "o", linewidths=1.2 if constant else 0.7,
            facecolors="none" if constant else of_strength[row["strength"]],
            edgecolors=INK if constant else "white", zorder=3 if constant else 4, clip_on=False,
        )  # fmt: skip


def _legend(figure: Figure, rows: Rows, measure: str) -> None:
    varied = "shortcut" if measure == "correct" else "abnormal images"
    of_strength = colours([row["strength"] for row in rows if row["strength"] is not None])
    marks = [
        Line2D([], [], marker="o", linestyle="", color=colour, markersize=7, label=f"{varied} {strength:.2g}")
        for strength, colour in of_strength.items()
    ]
    if any(row["strength"] is None for row in rows):
        marks.append(
            Line2D([], [], marker="D", linestyle="", markerfacecolor="none", color=INK, markersize=6, label="constant")
        )
    figure.legend(
        handles=marks, loc="lower left", bbox_to_anchor=(0.005, 0.035), ncols=len(marks), frameon=False, fontsize=9,
        handletextpad=0.2, columnspacing=1.2, labelcolor=INK,
    )  # fmt: skip
