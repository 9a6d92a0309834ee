"""Plots of a report: accuracies, what a drop is made of, agreement with the truth, editing scores.

Each is drawn twice, for a wide page and, `narrow`, for a telephone, where labels stand above their bars.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from radedit.data.io.names import capitalized
from radedit.harness.evidence.results import KEPT, OWN, Agreement, Attribution, PredictorEntry, Results, Score, Term
from radedit.harness.statistics.estimate import Estimate
from radedit.report.plots.svg import ACCENT, BAD, CAUTION, GOOD, INK, LINE, MUTED, SOFT, Sheet
from radedit.report.words.numbers import MINUS, adding_up, interval, percent, points
from radedit.report.words.wording import Wording, wording

WIDE, NARROW = 1198, 340


@dataclass(frozen=True)
class Look:
    """How the images of one kind are marked."""

    shape: str
    colour: str
    size: float = 8
    hollow: bool = False


TRUTH = Look("s", GOOD)
SYNTHETIC = Look("D", ACCENT)
LOOKS = {
    OWN: Look("o", INK),
    KEPT: SYNTHETIC,
    "synthetic (all)": Look("D", ACCENT, hollow=True),
    "truly shifted, same patients": TRUTH,
    "truly shifted, other patients": Look("s", GOOD, hollow=True),
    "drawn onto the same images": TRUTH,
}
OTHER = Look("o", MUTED, 7, hollow=True)


@dataclass(frozen=True)
class Axis:
    """From values to pixels."""

    left: float
    right: float
    low: float = 0.0
    high: float = 1.0

    def __call__(self, value: float) -> float:
        return self.left + (value - self.low) / (self.high - self.low) * (self.right - self.left)

    def draw(
        self, sheet: Sheet, top: float, bottom: float, *, title: str, every: float = 0.25, unit: str = " %"
    ) -> None:
        """Grid lines in per cent, their numbers below, and a title below these."""
        for i in range(math.ceil(self.low / every - 1e-9), math.floor(self.high / every + 1e-9) + 1):
            x, zero = self(i * every), i == 0
            sheet.line([x, x], [top, bottom], colour=MUTED if zero else LINE)
            sheet.text(
                x, bottom + 13, f"{100 * i * every:.0f}{unit}".replace("-", "−"), colour=MUTED, size=12, align="center"
            )
        sheet.text((self.left + self.right) / 2, bottom + 33, title, colour=MUTED, size=12, align="center")


def forest(results: Results, *, narrow: bool = False) -> Markup:
    """Every accuracy of the table with its interval, predictor by predictor, and the paper's beside it."""
    groups = [(predictor, results.rows(predictor.key)) for predictor in results.predictors]
    groups = [(predictor, rows) for predictor, rows in groups if rows]
    step, head = (42, 40) if narrow else (27, 40)
    bottom = sum(head + step * len(rows) for _, rows in groups) + 8
    sheet = Sheet(NARROW if narrow else WIDE, bottom + 46)
    axis = Axis(14, NARROW - 22) if narrow else Axis(240, 838)
    axis.draw(sheet, 30, bottom, title=wording(results).measure)
    y = 0.0
    for predictor, rows in groups:
        sheet.text(0, y + 22, predictor.name, bold=True, size=14)
        y += head
        for row in rows:
            value = percent(row.main.value)
            paper = "" if row.paper is None else f"paper {row.paper:.1f}"
            label = capitalized(row.data)
            if narrow:
                sheet.text(0, y + 8, label, size=12.5)
                sheet.text(NARROW, y + 8, f"{value}{f'  ({paper})' if paper else ''}", align="right", size=12.5)
                middle = y + 26
            else:
                middle = y + step / 2
                sheet.text(0, middle, label)
                sheet.text(axis.right + 72, middle, value, bold=True, align="right")
                sheet.text(axis.right + 86, middle, interval(row.main), colour=MUTED)
                sheet.text(axis.right + 196, middle, f"n = {row.n}", colour=MUTED)
                sheet.text(WIDE, middle, paper, colour=CAUTION, align="right")
            if row.paper is not None:
                sheet.mark(axis(row.paper / 100), middle, "|", colour=CAUTION, size=17)
            mark_estimate(sheet, axis, row.main, middle, LOOKS.get(row.data, OTHER))
            y += step
    alt = "; ".join(f"{p.name}, {row.data}: {percent(row.main.value)} %" for p, rows in groups for row in rows)
    return sheet.svg(
        f"forest-{'n' if narrow else 'w'}",
        f"{'Dice' if results.measure == 'dice' else 'Accuracies'} with intervals. {alt}.",
    )


def attribution(
    entry: Attribution, predictor: PredictorEntry, words: Wording, *, narrow: bool = False, name: str = ""
) -> Markup:
    """From the beginning's false-positive rate, or Dice, to the edit's, term by term; terms hang between the two.

    `name` tells it from the same predictor's on another set of images, where a page has several.
    """
    width = NARROW if narrow else 540
    step = 42 if narrow else 30
    steps = waterfall(entry, words.start)
    lowest = min(min(bar.start, bar.end) for bar in steps)
    left, right = (14, NARROW - 22) if narrow else (122, 362)
    axis = Axis(left, right, math.floor(lowest / 0.25) * 0.25 if lowest < -0.02 else 0.0)
    first = 6
    bottom = first + step * len(steps) + (16 if entry.split else 0) + 2
    sheet = Sheet(width, bottom + 46)
    axis.draw(sheet, first, bottom, title=words.axis)
    y = float(first)
    for i, bar in enumerate(steps):
        if bar.known_truth and not steps[i - 1].known_truth:
            sheet.line([0, width], [y + 8, y + 8], dashed=True)
            y += 16
        middle = y + (27 if narrow else step / 2)
        if narrow:
            sheet.text(0, y + 9, bar.name, size=12.5, bold=bar.total)
            sheet.text(width, y + 9, bar.value, size=12.5, bold=bar.total, align="right")
        else:
            sheet.text(0, middle, bar.name, bold=bar.total)
            sheet.text(axis.right + 66, middle, bar.value, bold=bar.total, align="right")
            sheet.text(width, middle, bar.interval, colour=MUTED, size=11.5, align="right")
        if not bar.total:
            sheet.line([axis(bar.start)] * 2, [middle - step / 2, middle + 8], colour=MUTED)
        x0, x1 = axis(bar.start), axis(bar.end)
        if abs(x1 - x0) < 2:  # a term of nothing is still to be seen
            x0, x1 = x0 - 1, x0 + 1
        sheet.bar(x0, x1, middle - 8, middle + 8, colour=bar.colour)
        if bar.low is not None and bar.high is not None:
            ends = [min(max(axis(bound), axis.left), axis.right) for bound in (bar.low, bar.high)]
            sheet.line(ends, [middle, middle], colour=INK, width=1.3)
            for x in (axis(bar.low), axis(bar.high)):
                if axis.left <= x <= axis.right:  # else it goes on beyond the axis
                    sheet.line([x, x], [middle - 4, middle + 4], colour=INK, width=1.3)
        y += step
    alt = ", ".join(f"{bar.name} {bar.value}" for bar in steps)
    return sheet.svg(
        f"attribution-{name}{_slug(entry.predictor)}-{'n' if narrow else 'w'}", f"{predictor.name}: {alt}."
    )


@dataclass(frozen=True)
class Bar:
    """One bar of a waterfall: name and printed value, from where to where, and its interval around its end."""

    name: str
    value: str
    interval: str
    start: float
    end: float
    low: float | None
    high: float | None
    colour: str
    total: bool = False
    known_truth: bool = False


def waterfall(entry: Attribution, start: str = "reference") -> list[Bar]:
    """Bars of an attribution: its beginning, terms, edit, and where it is known the split of their difference."""
    reference, edit = entry.reference.value, entry.edit.value
    bars = [_total(start, entry.reference, MUTED)]
    bars += _hanging(entry.terms, reference, adding_up([t.value.value for t in entry.terms], reference, edit), False)
    bars.append(_total("edit", entry.edit, INK))
    if entry.split:
        values = [term.value.value for term in entry.split]
        begin = edit - math.fsum(values)
        bars += _hanging(entry.split, begin, adding_up(values, begin, edit), True)
    return bars


def addition(entry: Attribution) -> str:
    """`2.4 + 0.0 − 2.4 + 87.8 = 87.8`: reference, terms and edit as they are printed."""
    *bars, edit = [bar for bar in waterfall(entry) if not bar.known_truth]
    terms = [f"{MINUS if MINUS in bar.value else '+'} {bar.value.lstrip(f'+{MINUS}')}" for bar in bars[1:]]
    return f"{' '.join([bars[0].value, *terms])} = {edit.value}"


def _total(name: str, estimate: Estimate, colour: str) -> Bar:
    return Bar(
        name, percent(estimate.value), interval(estimate), 0.0, estimate.value, estimate.low, estimate.high,
        colour, True,
    )  # fmt: skip


def _hanging(terms: Sequence[Term], start: float, printed: Sequence[float], known_truth: bool) -> list[Bar]:
    bars = []
    for term, shown in zip(terms, printed, strict=True):
        value = term.value.value
        low, high = (None if bound is None else start + bound for bound in (term.value.low, term.value.high))
        between = "" if low is None or high is None else f"{points(term.value.low)} to {points(term.value.high)}"
        colour = BAD if term.name in ("shift", "true shift") else CAUTION
        text = points(shown)
        bars.append(Bar(term.name, text, between, start, start + value, low, high, colour, known_truth=known_truth))
        start += value
    return bars


def agreement(entries: Sequence[Agreement], results: Results, *, narrow: bool = False) -> Markup:
    """Accuracy on edits and on true images of the same patients, one line a predictor."""
    step = 52 if narrow else 38
    bottom = 8 + step * len(entries)
    sheet = Sheet(NARROW if narrow else WIDE, bottom + 46)
    axis = Axis(14, NARROW - 22) if narrow else Axis(240, WIDE - 20)
    axis.draw(sheet, 4, bottom, title=f"{wording(results).measure}, same patients")
    for i, entry in enumerate(entries):
        y = 4 + step * i
        sheet.text(0, y + (12 if narrow else step / 2), results.predictor(entry.predictor).name, size=13)
        middle = y + (32 if narrow else step / 2)
        ends = [estimate.value for estimate in (entry.synthetic, entry.truth)]
        sheet.line([axis(end) for end in ends], [middle] * len(ends), colour=SOFT, width=7)
        mark_estimate(sheet, axis, entry.truth, middle + 5, TRUTH)
        mark_estimate(sheet, axis, entry.synthetic, middle - 5, SYNTHETIC)
    alt = "; ".join(
        f"{results.predictor(e.predictor).name}: synthetic {percent(e.synthetic.value)} %, "
        f"truth {percent(e.truth.value)} %"
        for e in entries
    )
    return sheet.svg(f"agreement-{'n' if narrow else 'w'}", f"Synthetic and truly shifted images. {alt}.")


def score_histogram(score: Score, threshold: float | None, *, narrow: bool = False) -> Markup:
    """How many edits have which editing score, kept and rejected, with the threshold between them."""
    width = 0.05
    offset = (threshold or 0.0) % width  # no bin straddles the threshold
    known = [(c, kept) for c, kept in zip(score.cosine, score.kept, strict=True) if c is not None]
    cosines = [c for c, _ in known] or [0.0]
    first = math.floor((min(*cosines, -0.1) - offset) / width + 1e-9)
    last = math.ceil((max(*cosines, 0.5) - offset) / width - 1e-9)
    edges = [offset + i * width for i in range(first, last + 1)]
    edges[-1] += 1e-9
    split = [
        np.histogram([c for c, kept in known if kept is which], [e - 1e-9 for e in edges])[0] for which in (True, False)
    ]
    tallest = max(1, int((split[0] + split[1]).max()))

    sheet = Sheet(NARROW if narrow else 540, 290)
    axis = Axis(34, sheet.width - 14, edges[0], edges[-1])
    top, bottom = 36, 240
    height = Axis(bottom, top, 0, tallest)
    rung = max(1, next(r for r in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**6) if tallest / r <= 5))
    for count in range(0, tallest + 1, rung):
        sheet.line([axis.left, axis.right], [height(count)] * 2, colour=MUTED if count == 0 else LINE)
        sheet.text(axis.left - 8, height(count), f"{count}", colour=MUTED, size=12, align="right")
    for x0, x1, kept, rejected in zip(edges, edges[1:], *split, strict=False):
        left, right = axis(x0) + 1.5, axis(x1) - 1.5
        sheet.bar(left, right, height(kept), bottom, colour=ACCENT)
        sheet.bar(left, right, height(kept + rejected), height(kept), colour=BAD)
    every = 0.2 if edges[-1] - edges[0] > (0.6 if narrow else 1.2) else 0.1
    for i in range(math.ceil(edges[0] / every - 1e-9), math.floor(edges[-1] / every + 1e-9) + 1):
        sheet.text(
            axis(i * every), bottom + 13, f"{i * every:.1f}".replace("-", "−"), colour=MUTED, size=12, align="center"
        )
    sheet.text(
        (axis.left + axis.right) / 2, bottom + 35, "editing score, cos(ΔI, ΔT)", colour=MUTED, size=12, align="center"
    )
    if threshold is not None:
        x = axis(threshold)
        sheet.line([x, x], [top - 12, bottom], colour=INK, width=1.5, dashed=True)
        sheet.text(x + 6, top - 16, f"kept at {threshold:g} and above →", size=12)
    alt = f"{sum(score.kept)} edits kept, {len(score.kept) - sum(score.kept)} rejected, threshold {threshold}."
    return sheet.svg(f"score-{'n' if narrow else 'w'}", f"Histogram of editing scores: {alt}")


def mark_estimate(sheet: Sheet, axis: Axis, estimate: Estimate, y: float, look: Look) -> None:
    """A marker on its interval."""
    if estimate.low is not None and estimate.high is not None:
        sheet.line([axis(estimate.low), axis(estimate.high)], [y, y], colour=look.colour, width=2)
    sheet.mark(axis(estimate.value), y, look.shape, colour=look.colour, size=look.size, hollow=look.hollow)


def _slug(text: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}_" for c in text)
