"""Predictors under each other: outcome, name, both intervals drawn and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from radedit.harness.statistics import Estimate
from radedit.harness.verdict import Outcome, Rules
from radedit.report.certificate_text import Judged, short
from radedit.report.numbers import points
from radedit.report.paper import INK, LEADING, LEFT, LINE, MUTED, RIGHT, Font, Paper, width_of, wrap
from radedit.report.verdict_plot import MARKS, Scale, draw_intervals, draw_legend, draw_limit, draw_scale, draw_ticks

DIGITS = 12  # of a hash
# Columns: where each begins, and how wide it is.
OUTCOME, NAME, PLOT, NUMBERS = (LEFT, 102.0), (LEFT + 114, 124.0), (LEFT + 246, 128.0), (LEFT + 388, RIGHT - LEFT - 388)
ROW = 41.0  # least height
# Okabe and Ito's green and vermilion, darker, so that white on them can be read.
LOOKS: dict[Outcome, tuple[str, str, str]] = {
    "pass": ("✓", "Pass", "#00704f"),
    "fail": ("✗", "Fail", "#b34700"),
    "undecided": ("?", "Undecided", MUTED),
}


@dataclass(frozen=True)
class Row:
    """A predictor's line, measured.

    Attributes:
        judged: The predictor.
        size: Of letters, of their usual size.
        least: Height that it has at least, without the reasons below.
    """

    judged: Judged
    size: float
    least: float

    @property
    def name(self) -> list[str]:
        """Its name in lines."""
        return wrap(short("name", self.judged.name), NAME[1], Font(9.5 * self.size, bold=True))

    @property
    def because(self) -> str:
        """Why it is undecided; what was decided speaks by its numbers."""
        verdict = self.judged.verdict
        return " ".join(verdict.reasons[:-1] or verdict.reasons) if verdict.outcome == "undecided" else ""

    @property
    def words(self) -> float:
        """Height of name, n and hash."""
        return LEADING * self.size * (9.5 * len(self.name) + 7.5 + 7)

    @property
    def body(self) -> float:
        """Height without the reasons."""
        return max(self.least, self.words + 8 * self.size)

    @property
    def height(self) -> float:
        """All of it."""
        lines = wrap(self.because, RIGHT - NAME[0], Font(7 * self.size))
        return self.body + (LEADING * 7 * len(lines) + 4) * self.size if lines else self.body


def draw_table(page: Paper, predictors: Sequence[Judged], rules: Rules, y: float, size: float, taller: float) -> float:
    """Draw from y down, each row `taller` than it must be; gives the y below."""
    head = Font(7.5 * size, MUTED, bold=True)
    titles = ("Verdict", "Predictor", "Points; right is worse", "Points (95 % interval)")
    for (x, _), title in zip((OUTCOME, NAME, PLOT, NUMBERS), titles, strict=True):
        page.put(x, y + head.size, title, head)
    estimates = [estimate for one in predictors for estimate in (one.verdict.excess, one.verdict.path)]
    scale = Scale.of(estimates, rules, *PLOT)
    y += head.size + 15 * size
    draw_limit(page, scale, rules, y, size)
    page.line([LEFT, RIGHT], [y, y], colour=LINE, width=0.8)
    for judged in predictors:
        row = Row(judged, size, ROW * size + taller)
        _draw(page, row, rules, scale, y)
        y += row.height
        page.line([LEFT, RIGHT], [y, y], colour=LINE, width=0.8)
    draw_ticks(page, scale, y, size)
    return draw_legend(page, LEFT, y + 20 * size, size)


def _draw(page: Paper, row: Row, rules: Rules, scale: Scale, top: float) -> None:
    verdict, size, middle = row.judged.verdict, row.size, top + row.body / 2
    draw_scale(page, scale, rules, top, top + row.body)
    _block(page, verdict.outcome, top + 5 * size, row.body - 10 * size, size)
    y = page.paragraph(NAME[0], middle - row.words / 2, NAME[1], " ".join(row.name), Font(9.5 * size, INK, bold=True))
    seeds = f"{row.judged.seeds} seed{'' if row.judged.seeds == 1 else 's'}"
    y = page.paragraph(NAME[0], y, NAME[1], f"n = {verdict.n}, {seeds}", Font(7.5 * size, MUTED))
    page.paragraph(NAME[0], y, NAME[1], row.judged.hash[:DIGITS] or "no hash", Font(7 * size, MUTED, mono=True))
    apart = 8 * size
    draw_intervals(page, scale, verdict, middle, apart, size)
    _number(page, verdict.excess, middle - apart, "excess", size)
    _number(page, verdict.path, middle + apart, "path", size)
    page.paragraph(NAME[0], top + row.body + size, RIGHT - NAME[0], row.because, Font(7 * size, MUTED))


def _block(page: Paper, outcome: Outcome, top: float, height: float, size: float) -> None:
    """The outcome by sign, word and colour; undecided is hollow, so that it is another thing in grey, too."""
    sign, word, colour = LOOKS[outcome]
    (x, width), hollow = OUTCOME, outcome == "undecided"
    if hollow:
        corners = [x, x + width, x + width, x, x], [top, top, top + height, top + height, top]
        page.line(*corners, colour=colour, width=1.2, dashed=True)
    else:
        page.bar(x, x + width, top, top + height, colour=colour)
    font = Font(min(12.5 * size, 12.8) if hollow else 16 * size, colour if hollow else "white", bold=True)
    page.put(x + width / 2, top + height / 2 + 0.36 * font.size, f"{sign} {word}", font, align="center")


def _number(page: Paper, estimate: Estimate, y: float, name: str, size: float) -> None:
    """`+43.0 +31.0 to +55.0`, beside the mark that it has in the plot."""
    shape, colour = MARKS[name]
    page.mark(NUMBERS[0] + 3, y, shape, colour=colour, size=4 * size)
    value, rest = Font(8 * min(size, 1.05), INK, bold=True), Font(7.3 * min(size, 1.05), MUTED)  # the column is full
    x, baseline, number = NUMBERS[0] + 11, y + 0.36 * value.size, points(estimate.value)
    page.put(x, baseline, number, value)
    known = estimate.low is not None and estimate.high is not None
    between = f"{points(estimate.low)} to {points(estimate.high)}" if known else "no interval"
    page.put(x + width_of(number, value) + 4, baseline, between, rest)
