"""Each training's accuracy, or Dice, as a dot, so that the spread over seeds is to be seen."""

from __future__ import annotations

import math

from markupsafe import Markup

from radedit.data.io.names import capitalized
from radedit.harness.evidence.results import KEPT, OWN, Results
from radedit.report.plots.figures import LOOKS, NARROW, WIDE, Axis
from radedit.report.plots.svg import MUTED, Sheet
from radedit.report.words.numbers import mean_and_std, percent
from radedit.report.words.wording import wording


def seeds_plot(results: Results, name: str, *, narrow: bool = False) -> Markup:
    """Two lines a predictor, in-distribution images and kept edits; a dot a seed, their mean as a stroke.

    Args:
        results: Of several seeds.
        name: Unique on the page.
        narrow: For a telephone.
    """
    groups = [
        (p, [row for data in (OWN, KEPT) if (row := results.row(p.key, data)) and row.main_per_seed])
        for p in results.predictors
    ]
    groups = [(predictor, rows) for predictor, rows in groups if rows]
    step, head = (44, 34) if narrow else (28, 34)
    bottom = sum(head + step * len(rows) for _, rows in groups) + 8
    sheet = Sheet(NARROW if narrow else WIDE, bottom + 46)
    values = [value for _, rows in groups for row in rows for value in row.main_per_seed]
    low = max(0.0, math.floor((min(values, default=0.0) - 0.02) / 0.25) * 0.25)  # dots need no zero, but room
    every = 0.25 if low < 0.5 else 0.1 if low < 0.75 else 0.05
    axis = Axis(14, NARROW - 22, low) if narrow else Axis(240, 980, low)
    axis.draw(sheet, 26, bottom, title=f"{wording(results).measure}; each dot is one training", every=every)
    y = 0.0
    for predictor, rows in groups:
        sheet.text(0, y + 18, predictor.name, bold=True, size=14)
        y += head
        for row in rows:
            label = capitalized(row.data)
            middle = y + (28 if narrow else step / 2)
            if narrow:
                sheet.text(0, y + 9, label, size=12.5)
                sheet.text(NARROW, y + 9, mean_and_std(row.main, row.std), size=12.5, align="right", bold=True)
            else:
                sheet.text(0, middle, label)
                sheet.text(WIDE, middle, mean_and_std(row.main, row.std), align="right", bold=True)
            look = LOOKS[row.data]
            sheet.mark(axis(row.main.value), middle, "|", colour=MUTED, size=20)
            for i, value in enumerate(row.main_per_seed):  # dots on one spot stand beside each other
                sheet.mark(
                    axis(value), middle + 2.5 * (i % 3 - 1), look.shape, colour=look.colour, size=6.5, hollow=True
                )
            y += step
    alt = "; ".join(
        f"{p.name}, {row.data}: {', '.join(percent(value) for value in row.main_per_seed)} %"
        for p, rows in groups
        for row in rows
    )
    return sheet.svg(f"{name}-{'n' if narrow else 'w'}", f"Each training. {alt}.")
