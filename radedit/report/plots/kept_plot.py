"""How many edits another threshold of the editing score would keep, and what the predictors make of those."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from radedit.harness.evidence.results import PredictorEntry, Results
from radedit.report.plots.figures import Axis
from radedit.report.plots.svg import ACCENT, BAD, CAUTION, GOOD, INK, LINE, MUTED, SOFT, Sheet
from radedit.report.words.numbers import percent
from radedit.report.words.wording import wording

LOW, HIGH = -0.225, 0.925


def lines(predictors: Sequence[PredictorEntry]) -> dict[str, tuple[str, str]]:
    """PredictorEntry → colour and marker, those that should fall in warm colours."""
    free = {
        True: [(BAD, "o"), (CAUTION, "s")],
        False: [(GOOD, "D"), (ACCENT, "^")],
        None: [(INK, "o"), (MUTED, "s")],
    }
    found = {}
    for predictor in predictors:
        side = free[predictor.should_degrade]
        found[predictor.key] = side.pop(0) if side else (MUTED, "o")
    return found


def kept_plot(results: Results, name: str, *, narrow: bool = False) -> Markup:
    """Above, the mean over the edits kept, a line a predictor; below, how many they are.

    Args:
        results: With a curve.
        name: Unique on the page.
        narrow: For a telephone.
    """
    width = 340 if narrow else 540
    looks = lines(results.predictors)
    curves = [curve for curve in results.kept_curve if curve.points]
    names = [(results.predictor(curve.predictor).name, *looks[curve.predictor]) for curve in curves]
    legend = 20 * len(names)
    top, middle = legend + 12, legend + 162
    sheet = Sheet(width, middle + 142)
    axis = Axis(38, width - 14, LOW, HIGH)
    for i, (who, colour, shape) in enumerate(names):
        sheet.line([axis.left, axis.left + 20], [10 + 20 * i] * 2, colour=colour, width=2)
        sheet.mark(axis.left + 10, 10 + 20 * i, shape, colour=colour, size=6)
        sheet.text(axis.left + 28, 10 + 20 * i, who, size=12.5)
    height = Axis(middle, top, 0, 1)
    for i in range(5):
        sheet.line([axis.left, axis.right], [height(i / 4)] * 2, colour=MUTED if i == 0 else LINE)
        sheet.text(axis.left - 8, height(i / 4), f"{25 * i}", colour=MUTED, size=12, align="right")
    counts = {point.threshold: point.n for curve in curves for point in curve.points}
    most = max(counts.values(), default=1)
    below, bottom = middle + 34, middle + 94
    tall = Axis(bottom, below, 0, most)
    sheet.text(axis.left, below - 14, "edits kept", colour=MUTED, size=12)
    for threshold, n in counts.items():
        sheet.bar(axis(threshold) - width / 90, axis(threshold) + width / 90, tall(n), bottom, colour=SOFT)
    sheet.line([axis.left, axis.right], [bottom] * 2, colour=MUTED)
    for n in (0, most):
        sheet.text(axis.left - 8, tall(n), f"{n}", colour=MUTED, size=12, align="right")
    for curve in curves:
        colour, shape = looks[curve.predictor]
        known = [(axis(p.threshold), height(p.value.value)) for p in curve.points]
        sheet.line([x for x, _ in known], [y for _, y in known], colour=colour, width=1.8)
        for x, y in known:
            sheet.mark(x, y, shape, colour=colour, size=4)
    for tick in (-0.2, 0.0, 0.2, 0.4, 0.6, 0.8):
        sheet.text(axis(tick), bottom + 13, f"{tick:g}".replace("-", "−"), colour=MUTED, size=12, align="center")
    title = "threshold of the editing score"
    sheet.text((axis.left + axis.right) / 2, bottom + 35, title, colour=MUTED, size=12, align="center")
    if results.threshold is not None:
        sheet.line([axis(results.threshold)] * 2, [top - 6, bottom], colour=INK, width=1.5, dashed=True)
    alt = "; ".join(
        f"{results.predictor(curve.predictor).name}: "
        + ", ".join(f"{percent(p.value.value)} % of {p.n} from {p.threshold:g}" for p in curve.points[::4])
        for curve in curves
    )
    return sheet.svg(f"{name}-{'n' if narrow else 'w'}", f"{wording(results).heading} by threshold. {alt}.")
