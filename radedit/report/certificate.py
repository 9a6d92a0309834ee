"""A verdict for people: one page to print, sign and file."""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path

from radedit.data.atomic import write_atomically
from radedit.report.certificate_text import (
    Certificate,
    Judged,
    limits_in_words,
    rules_in_words,
    short,
    summary,
)
from radedit.report.paper import (
    BOTTOM,
    CAUTION,
    HEIGHT,
    INK,
    LEADING,
    LEFT,
    MUTED,
    RIGHT,
    SOFT,
    TOP,
    Font,
    Paper,
    width_of,
    wrap,
)
from radedit.report.verdict_table import DIGITS, draw_table

__all__ = ["FILE", "Certificate", "Judged", "draw", "write_certificate"]

FILE = "certificate.pdf"
MOST = 8  # predictors on a page
SIZES = tuple(percent / 100 for percent in range(115, 70, -5))  # of the letters; the largest with which everything fits
TALLER, GAP = 34.0, 30.0  # most that rows and gaps grow by where there is room


def write_certificate(path: Path, content: Certificate) -> Path:
    """Write the verdict as a PDF of one page, A4; the same bytes for the same content.

    Args:
        path: Of the file; its folder must exist.
        content: What it says.

    Raises:
        ValueError: If there are no predictors or more than eight, or the text does not fit on a page.
    """
    metadata = {"Title": content.title, "Author": f"radedit {content.version}", "Subject": "Verdict of a stress test"}
    write_atomically(path, draw(content).pdf(metadata))
    return path


def draw(content: Certificate) -> Paper:
    """Lay the page out: in letters as large as fit, with the table as tall as is left.

    Raises:
        ValueError: As `write_certificate`.
    """
    n = len(content.predictors)
    if not 1 <= n <= MOST:
        raise ValueError(
            f"{n} predictors were judged; a certificate has 1 to {MOST}. Write one for each group of them."
        )

    def spare(size: float) -> float:
        return BOTTOM - _lay_out(content, size)[1]

    size = SIZES[min(bisect_left(SIZES, True, key=lambda size: spare(size) >= 0), len(SIZES) - 1)]
    left = spare(size)
    if left < 0:
        raise ValueError(
            f"The certificate is {-left:.0f} points too long for one page, even in the smallest letters; hand in fewer "
            f"than {n} predictors, {len(content.limits)} limits, {len(content.weaknesses)} weaknesses, or shorter ones."
        )
    taller = min(left / 2 / n, TALLER)
    left -= n * taller
    gaps = (min(left / 4, GAP / 2), min(left / 4, GAP))
    return _lay_out(content, size, taller, (*gaps, left - sum(gaps)))[0]


def _lay_out(
    content: Certificate, size: float, taller: float = 0, gaps: tuple[float, float, float] = (0, 0, 0)
) -> tuple[Paper, float]:
    """Everything from top to bottom; gives the page and where it ends."""
    page = Paper()
    y = _head(page, content, size) + 12 * size + gaps[0]
    y = draw_table(page, content.predictors, content.rules, y, size, taller) + 18 * size + gaps[1]
    y = _foundations(page, content, y, size) + 14 * size + gaps[2]
    y = _limits(page, content, y, size)
    small = Font(6.5, MUTED)
    page.put(LEFT, HEIGHT - 26, f"Made by radedit {content.version}. Edited films are synthetic.", small)
    page.put(RIGHT, HEIGHT - 26, "For the validation of models; not for clinical use.", small, align="right")
    return page, y


def _head(page: Paper, content: Certificate, size: float) -> float:
    page.put(LEFT, TOP, "Stress test: verdict", Font(9.5, INK, bold=True))
    page.put(RIGHT, TOP, f"radedit {content.version}", Font(9.5, MUTED), align="right")
    page.line([LEFT, RIGHT], [TOP + 7] * 2, colour=INK, width=1.4)
    width = RIGHT - LEFT
    y = page.paragraph(LEFT, TOP + 20, width, short("title", content.title), Font(18 * size, INK, bold=True))
    y = page.paragraph(LEFT, y + 3 * size, width, short("setting", content.setting), Font(9 * size, MUTED))
    y = page.paragraph(LEFT, y + 7 * size, width, summary(content), Font(11 * size, INK, bold=True))
    for weakness in content.weaknesses:
        y = page.paragraph(
            LEFT, y + 2, width, f"The generator is weak: {weakness}.", Font(8.5 * size, CAUTION, bold=True)
        )
    return y


def _foundations(page: Paper, content: Certificate, y: float, size: float) -> float:
    """Rules on the left, what was tested on the right."""
    right, head, font = (LEFT + RIGHT) / 2 + 12, Font(10 * size, INK, bold=True), Font(7.8 * size, INK)
    page.put(LEFT, y + head.size, "Rules, fixed beforehand", head)
    page.put(right, y + head.size, "What was tested, and how", head)
    start = left_end = right_end = y + 1.9 * head.size
    for rule in rules_in_words(content):
        left_end = page.paragraph(LEFT, left_end, right - LEFT - 24, rule, font) + 3 * size
    label, mono = Font(7.8 * size, MUTED), Font(7 * min(size, 1.05), INK, mono=True)
    right_end, x = start, right + width_of("Stress set", label) + 8
    half = len(content.stress_set) // 2
    for name, lines, look in (
        ("Generator", [content.generator[:DIGITS]], mono),
        ("Stress set", [content.stress_set[:half], content.stress_set[half:]], mono),
        ("Commit", [content.commit], mono),
        ("Command", [short("command", content.command)], mono),
        ("Date", [content.created], font),
        ("Machine", [short("machine", content.machine)], font),
    ):
        page.put(right, right_end + label.size, name, label)
        for line in lines if any(lines) else ["not known"]:
            right_end = page.paragraph(x, right_end + label.size - look.size, RIGHT - x, line, look)
        right_end += 3 * size
    return max(left_end, right_end)


def _limits(page: Paper, content: Certificate, y: float, size: float) -> float:
    head, font, inset = Font(10 * size, INK, bold=True), Font(8 * size, INK), 10.0
    text, width = " ".join(limits_in_words(content)), RIGHT - LEFT - 2 * inset
    height = 2.3 * head.size + LEADING * font.size * len(wrap(text, width, font)) + inset
    page.bar(LEFT, RIGHT, y, y + height, colour=SOFT)
    page.put(LEFT + inset, y + 1.7 * head.size, "What this does not say", head)
    page.paragraph(LEFT + inset, y + 2.3 * head.size, width, text, font)
    return y + height
