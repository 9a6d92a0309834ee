"""Figure 5: Dice and Hausdorff distance on in-distribution images and on edits, for three groups of additions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from radedit.harness.evidence.results import KEPT, OWN, PredictorEntry, Row
from radedit.harness.statistics.estimate import Estimate
from radedit.harness.sweep.results import Variant
from radedit.report.plots.figures import NARROW, Axis
from radedit.report.plots.svg import ACCENT, INK, LINE, MUTED, Sheet
from radedit.report.words.headline import change_of
from radedit.report.words.numbers import NONE, amount, percent

# Figure 5 has bars without numbers; these are changes of Dice, in points.
SOURCE = "version 3 of the preprint, arXiv:2312.12865v3; Figure 5 itself prints no numbers"
PAPER_CHANGES = {
    "oedema": {"weak": -3.6, "strong": -1.6},
    "pacemaker": {"weak": -12.4, "strong": -8.2},
    "consolidation": {"weak": -11.5, "strong": -7.4},
}
MEASURES = {"dice": "Dice, %", "hd95": "95th percentile Hausdorff distance, px"}
BAR, GAP = 15, 5


@dataclass(frozen=True)
class Entry:
    """One predictor in one group.

    Attributes:
        group: Name of the group.
        predictor: Who.
        in_distribution: Its row for the in-distribution test set.
        synthetic: Its row for the edits.
        change: Synthetic less in-distribution, of Dice, a fraction.
        paper: The same in the paper, in points, where it has one.
    """

    group: str
    predictor: PredictorEntry
    in_distribution: Row
    synthetic: Row
    change: Estimate
    paper: float | None


def entries(groups: Sequence[Variant]) -> list[Entry]:
    """Of every group and predictor that was tested on both kinds of images, in the order of the figure."""
    found = []
    for group in groups:
        results = group.results
        papers = PAPER_CHANGES.get(group.group.partition("-")[0], {})
        told: set[str] = set()  # the paper has one predictor a role, ours may have more
        for predictor in results.predictors:
            in_distribution, synthetic = results.row(predictor.key, OWN), results.row(predictor.key, KEPT)
            if in_distribution is None or synthetic is None:
                continue
            change = change_of(results, predictor)
            if change is None:
                continue
            paper = None if predictor.role in told else papers.get(predictor.role)
            told.add(predictor.role)
            found.append(Entry(group.name, predictor, in_distribution, synthetic, change, paper))
    return found


def figure5(found: Sequence[Entry], measure: str, *, narrow: bool = False) -> Markup:
    """Bars of one measure with intervals: of every group and predictor, in-distribution images above edits."""
    width = NARROW if narrow else 585
    pair = 2 * BAR + GAP + (20 if narrow else 0)
    groups = list(dict.fromkeys(entry.group for entry in found))
    height = sum(34 + (pair + 14) * sum(entry.group == group for entry in found) for group in groups) + 4
    sheet = Sheet(width, height + 46)
    rows = [row for entry in found for row in (entry.in_distribution, entry.synthetic) if measure in row.scores]
    estimates = [row.scores[measure] for row in rows]
    scale = 1.0 if measure == "dice" else _nice(max([e.high or e.value for e in estimates], default=1.0))
    axis = Axis(8, width - 62, 0.0, scale) if narrow else Axis(200, width - 62, 0.0, scale)
    every = 0.25 if measure == "dice" else scale / 4
    for i in range(5):
        x = axis(i * every)
        sheet.line([x, x], [26, height], colour=MUTED if i == 0 else LINE)
        label = f"{25 * i} %" if measure == "dice" else amount(i * every)
        sheet.text(x, height + 13, label, colour=MUTED, size=12, align="center")
    sheet.text((axis.left + axis.right) / 2, height + 33, MEASURES[measure], colour=MUTED, size=12, align="center")
    y = 0.0
    for group in groups:
        sheet.text(0, y + 14, group, bold=True, size=14)
        y += 34
        for entry in found:
            if entry.group != group:
                continue
            if narrow:
                sheet.text(axis.left, y + 6, entry.predictor.name, size=12.5)
                top = y + 20
            else:
                sheet.text(0, y + BAR + GAP / 2, entry.predictor.name, size=13)
                top = y
            for row, colour in ((entry.in_distribution, MUTED), (entry.synthetic, ACCENT)):
                _bar(sheet, axis, row.scores.get(measure), top, colour, measure)
                top += BAR + GAP / 2
            y += pair + 14
    alt = "; ".join(
        f"{e.group}, {e.predictor.name}: {_shown(e.in_distribution.scores.get(measure), measure)} → "
        f"{_shown(e.synthetic.scores.get(measure), measure)}"
        for e in found
    )
    return sheet.svg(
        f"figure5-{measure}-{'n' if narrow else 'w'}", f"{MEASURES[measure]}, in-distribution → synthetic. {alt}."
    )


def _bar(sheet: Sheet, axis: Axis, estimate: Estimate | None, top: float, colour: str, measure: str) -> None:
    if estimate is None:
        return
    middle = top + BAR / 2
    sheet.bar(axis(0), axis(estimate.value), top, top + BAR, colour=colour)
    if estimate.low is not None and estimate.high is not None:
        sheet.line([axis(estimate.low), axis(estimate.high)], [middle] * 2, colour=INK, width=1.3)
        for bound in (estimate.low, estimate.high):
            sheet.line([axis(bound)] * 2, [middle - 4, middle + 4], colour=INK, width=1.3)
    sheet.text(sheet.width, middle, _shown(estimate, measure), size=12, align="right", bold=colour == ACCENT)


def _shown(estimate: Estimate | None, measure: str) -> str:
    if estimate is None:
        return NONE
    return percent(estimate.value) if measure == "dice" else f"{estimate.value:.1f}"


def _nice(largest: float) -> float:
    """A round number above `largest` that four divide well."""
    unit = 10.0 ** math.floor(math.log10(max(largest, 1e-6)))
    return next(step * unit for step in (1, 2, 4, 6, 8, 10, 20) if step * unit >= largest)
