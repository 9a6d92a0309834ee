"""Pictures of a detection study: how often the verdict is *fail* as the shortcut grows, and what it rests on."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from radedit.data.io.atomic import write_atomically

INK, MUTED, LINE = "#222222", "#777777", "#dddddd"
OUTCOMES = {"fail": ("#D55E00", "o"), "undecided": ("#999999", "s"), "pass": ("#0072B2", "^")}  # Okabe and Ito
SIZE_INCHES, DPI = (9.6, 4.4), 130


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Write the picture.

    Args:
        results: As `detection.json` has it.
        path: Of a PNG.
    """
    found = results["generators"]["whole"]
    figure = Figure(figsize=SIZE_INCHES, dpi=DPI, facecolor="white")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.05])
    figure.subplots_adjust(left=0.07, right=0.985, bottom=0.155, top=0.8, wspace=0.24)
    _curve(left, found)
    _gaps(right, found, results["rules"]["limit"], results["truth"])
    for axes in (left, right):
        axes.tick_params(labelsize=9, color=MUTED, labelcolor=INK, length=3)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axes.spines[side].set_color(MUTED)
    alarms, detected = found["others"]["fail"], found["biased"]["fail"]
    figure.text(
        0.012, 0.945, "Does the verdict find the biased ones?", fontsize=13, weight="bold", color=INK, va="center"
    )
    figure.text(
        0.012, 0.885,
        f"{detected['k']} of {detected['n']} biased predictors detected, {alarms['k']} false "
        f"alarm{'' if alarms['k'] == 1 else 's'} among {alarms['n']} others; {found['kept']} kept edits; synthetic "
        "phantoms",
        fontsize=9, color=MUTED, va="center",
    )  # fmt: skip
    _write(figure, path)


def draw_generators(results: Mapping[str, Any], path: Path) -> None:
    """Write a picture of the verdicts under each generator, of predictors that are not biased and of biased ones.

    Args:
        results: As `detection.json` has it.
        path: Of a PNG.
    """
    generators = results["generators"]
    figure = Figure(figsize=(SIZE_INCHES[0], 1.5 + 0.34 * len(generators)), dpi=DPI, facecolor="white")
    panels = figure.subplots(1, 2, sharey=True)
    figure.subplots_adjust(left=0.13, right=0.98, bottom=0.15, top=0.8, wspace=0.12)
    names = list(generators)
    for axes, who, title in zip(panels, ("others", "biased"), ("not biased", "biased"), strict=True):
        left = [0.0] * len(names)
        for outcome in ("pass", "undecided", "fail"):
            shares = [generators[name][who][outcome] for name in names]
            width = [100 * share["k"] / max(1, share["n"]) for share in shares]
            axes.barh(range(len(names)), width, left=left, color=OUTCOMES[outcome][0], label=outcome, height=0.72)
            for row, (share, start, size) in enumerate(zip(shares, left, width, strict=True)):
                if share["k"]:
                    axes.text(
                        start + size / 2, row, str(share["k"]), ha="center", va="center", fontsize=8, color="white"
                    )
            left = [start + size for start, size in zip(left, width, strict=True)]
        axes.set_title(f"truly {title}", fontsize=10, color=INK, loc="left")
        axes.set_xlim(0, 100)
        axes.set_xlabel("share of verdicts, %", fontsize=9, color=INK)
        axes.tick_params(labelsize=9, color=MUTED, labelcolor=INK, length=0)
        for side in axes.spines.values():
            side.set_visible(False)
    panels[0].set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    panels[0].invert_yaxis()
    panels[1].legend(frameon=False, fontsize=9, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, labelcolor=INK)
    figure.text(
        0.012, 0.945, "Verdicts under a whole generator and broken ones", fontsize=12, weight="bold", color=INK,
        va="center",
    )  # fmt: skip
    _write(figure, path)


def _write(figure: Figure, path: Path) -> None:
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})
    write_atomically(path, file.getvalue())


def _curve(axes: Axes, found: Mapping[str, Any]) -> None:
    """Shares of verdicts by strength."""
    curve = found["curve"]
    strengths = [entry["strength"] for entry in curve]
    n = [entry["fail"]["n"] for entry in curve]
    truth = [100 * entry["biased"] / count for entry, count in zip(curve, n, strict=True)]
    axes.plot(strengths, truth, color=INK, linewidth=1, linestyle=(0, (4, 3)), label="truly biased", zorder=2)
    undecided = [100 * entry["undecided"]["k"] / count for entry, count in zip(curve, n, strict=True)]
    axes.plot(strengths, undecided, color=OUTCOMES["undecided"][0], marker="s", markersize=5, linewidth=1,
              label="undecided", zorder=3, clip_on=False)  # fmt: skip
    shares = [entry["fail"]["share"] for entry in curve]
    values = [100 * share["value"] for share in shares]
    bars = [
        [max(0.0, v - 100 * share["low"]) for v, share in zip(values, shares, strict=True)],
        [max(0.0, 100 * share["high"] - v) for v, share in zip(values, shares, strict=True)],
    ]
    axes.errorbar(strengths, values, yerr=bars, color=OUTCOMES["fail"][0], marker="o", markersize=7, linewidth=1.6,
                  elinewidth=1.2, capsize=3, label="fail (exact interval)", zorder=4, clip_on=False)  # fmt: skip
    axes.set_ylim(-2, 102)
    axes.set_yticks(range(0, 101, 25))
    axes.set_xticks(strengths)
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("strength of the shortcut in the predictor’s world", fontsize=10, color=INK)
    axes.set_ylabel("share of predictors, %", fontsize=10, color=INK)
    axes.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, labelcolor=INK)


def _gaps(axes: Axes, found: Mapping[str, Any], limit: float, truth: float) -> None:
    """What the verdict rests on, against what is true."""
    limit, truth = 100 * limit, 100 * truth
    axes.axhline(limit, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    for side in (-truth, truth):
        axes.axvline(side, color=LINE, linewidth=1, zorder=0)
    for outcome, (colour, shape) in OUTCOMES.items():
        rows = [row for row in found["rows"] if row["outcome"] == outcome and row["shift_effect"] is not None]
        if not rows:
            continue
        x, y = ([100 * value for value in values] for values in ([r["gap"] for r in rows], _values(rows, "value")))
        low, high = ([100 * value for value in _values(rows, bound)] for bound in ("low", "high"))
        bars = [[max(0.0, v - b) for v, b in zip(y, low, strict=True)],
                [max(0.0, b - v) for v, b in zip(y, high, strict=True)]]  # fmt: skip
        axes.errorbar(
            x, y, yerr=bars, linestyle="", marker=shape, color=colour, markersize=5.5, elinewidth=0.6,
            markeredgecolor="white", markeredgewidth=0.5, label=f"{outcome} ({len(rows)})", zorder=3,
        )  # fmt: skip
    axes.annotate(f"limit {limit:g}", (1, limit), xycoords=("axes fraction", "data"), xytext=(-2, 3),
                  textcoords="offset points", fontsize=8, color=MUTED, ha="right")  # fmt: skip
    axes.annotate(f"biased above {truth:g}", (truth, 1), xycoords=("data", "axes fraction"), xytext=(4, -2),
                  textcoords="offset points", fontsize=8, color=MUTED, va="top")  # fmt: skip
    axes.set_xlabel("gap on true images without − with the shortcut, points", fontsize=9, color=INK)
    axes.set_ylabel("shift effect on edits, points", fontsize=10, color=INK)
    axes.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, labelcolor=INK)


def _values(rows: Sequence[Mapping[str, Any]], what: str) -> list[float]:
    """Shift effect, or a bound of it; the shift effect itself where it has no bounds."""
    return [
        row["shift_effect"]["value"] if row["shift_effect"][what] is None else row["shift_effect"][what] for row in rows
    ]
