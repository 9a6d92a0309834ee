"""A forest plot of changes: the paper's drop, the same after the true shift, and what editing and the shift add."""

from __future__ import annotations

import math

from markupsafe import Markup

from radedit.harness.evidence.results import Results
from radedit.harness.statistics.estimate import Estimate
from radedit.report.plots.figures import NARROW, SYNTHETIC, TRUTH, WIDE, Axis, Look, mark_estimate
from radedit.report.plots.svg import BAD, CAUTION, MUTED, Sheet
from radedit.report.words.numbers import points
from radedit.report.words.wording import wording

LOOKS = {"synthetic": SYNTHETIC, "truth": TRUTH, "path": Look("o", CAUTION), "shift": Look("o", BAD)}


def change_names(results: Results) -> dict[str, str]:
    """Kind of change → from what to what, in the words of the scenario."""
    start = wording(results).start
    shifted = "with it drawn" if results.measure == "dice" else wording(results).shifted
    return {
        "synthetic": "synthetic − in-distribution test set",
        "truth": f"{shifted} − in-distribution test set",
        "path": f"editing alone: sham − {start}",
        "shift": "shift alone: edit − sham",
    }


def changes_plot(results: Results, name: str, *, narrow: bool = False) -> Markup:
    """Every change with its interval, predictor by predictor; left of the line is worse.

    Args:
        results: With changes.
        name: Unique on the page.
        narrow: For a telephone.
    """
    groups = [(p, [c for c in results.changes if c.predictor == p.key]) for p in results.predictors]
    groups = [(predictor, found) for predictor, found in groups if found]
    names = change_names(results)
    step, head = (42, 38) if narrow else (27, 38)
    bottom = sum(head + step * len(found) for _, found in groups) + 8
    sheet = Sheet(NARROW if narrow else WIDE, bottom + 46)
    bounds = [
        b for _, found in groups for c in found for b in (c.value.low, c.value.high, c.value.value) if b is not None
    ]
    low, high = min([0.0, *bounds]), max([0.0, *bounds])
    every = next(step for step in (0.02, 0.05, 0.1, 0.25, 0.5) if high - low <= 6 * step or step == 0.5)
    low = max(-1.0, math.floor(low / every - 0.2) * every)
    high = min(1.0, math.ceil(high / every + 0.2) * every)
    axis = Axis(22, NARROW - 22, low, high) if narrow else Axis(300, 900, low, high)
    axis.draw(sheet, 28, bottom, title=f"change of {wording(results).measure}, points", every=every, unit="")
    y = 0.0
    for predictor, found in groups:
        sheet.text(0, y + 20, predictor.name, bold=True, size=14)
        y += head
        for change in found:
            value, between = points(change.value.value), spread(change.value)
            if narrow:
                sheet.text(0, y + 8, names[change.kind], size=12)
                sheet.text(NARROW, y + 8, value, align="right", size=12, bold=True)
                middle = y + 26
            else:
                middle = y + step / 2
                sheet.text(0, middle, names[change.kind])
                sheet.text(axis.right + 72, middle, value, bold=True, align="right")
                sheet.text(axis.right + 86, middle, between, colour=MUTED)
                sheet.text(WIDE, middle, f"n = {change.n}", colour=MUTED, align="right")
            mark_estimate(sheet, axis, change.value, middle, LOOKS[change.kind])
            y += step
    alt = "; ".join(f"{p.name}, {names[c.kind]}: {points(c.value.value)} points" for p, found in groups for c in found)
    return sheet.svg(f"{name}-{'n' if narrow else 'w'}", f"Changes with intervals. {alt}.")


def spread(change: Estimate) -> str:
    """`−91.0 to −85.2`, or nothing where it is not known."""
    return "" if change.low is None or change.high is None else f"{points(change.low)} to {points(change.high)}"
