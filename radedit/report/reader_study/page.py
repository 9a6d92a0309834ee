"""A reader study's results as a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from radedit.data.io.atomic import write_atomically
from radedit.harness.reader_study.results import ReaderResults, Realism
from radedit.report.environment import environment
from radedit.report.plots.svg import ACCENT, INK, LINE, MUTED, Sheet
from radedit.report.reader_study.table import KINDS, QUESTIONS, seconds, who, with_interval

PAGE = "reader-study.html"
CHANCE = 0.5
ROW_PX = 34


def write_reader_page(results: ReaderResults, about: Mapping[str, Any], folder: Path) -> Path:
    """Write `reader-study.html`: one file, with everything that it shows inside."""
    page = environment().get_template("reader_study.html.j2").render(
        results=results,
        about=about,
        kinds=KINDS,
        questions=QUESTIONS,
        lede=lede(results),
        support=support(results),
        plots=[auroc_plot(results, narrow=narrow) for narrow in (False, True)],
        names=list(dict.fromkeys(told.reader for told in results.told)),
        who=who,
        seconds=seconds,
        with_interval=with_interval,
    )  # fmt: skip
    write_atomically(folder / PAGE, page.encode())
    return folder / PAGE


def lede(results: ReaderResults) -> str:
    """Whether edited images are told from real ones, in one sentence."""
    told = _of(results, "edited")
    if told is None or told.auroc is None:
        return "No edited image was rated beside a real one."
    low, high = told.auroc.low, told.auroc.high
    said = f"AUROC {with_interval(told.auroc, 1, 2)}, where {CHANCE} is chance"
    if low is None or high is None:
        return f"Too few images to say whether edited ones are told from real ones: {said}."
    if low > CHANCE:
        return f"Readers tell edited images from real ones: {said}."
    if high < CHANCE:
        return f"Readers take edited images for more real than real ones: {said}."
    return f"It is not shown that readers tell edited images from real ones: {said}."


def support(results: ReaderResults) -> list[str]:
    """How much of that is the path, not the edit."""
    parts = [
        f"{KINDS.get(told.kind, told.kind).lower()} {with_interval(told.auroc, 1, 2)}"
        for told in results.told
        if told.reader == results.lead and told.auroc and told.kind != "edited"
    ]
    return [f"The same of images on which nothing should have changed: {'; '.join(parts)}."] if parts else []


def auroc_plot(results: ReaderResults, *, narrow: bool) -> Markup:
    """AUROC of every kind against real images: all readers bold, each reader beneath."""
    told = [entry for entry in results.told if entry.auroc]
    told.sort(key=lambda entry: (list(results.images).index(entry.kind), entry.reader != results.lead, entry.reader))
    width, left = (360, 12) if narrow else (1180, 330)
    row = 2 * ROW_PX if narrow else ROW_PX
    sheet = Sheet(width, 44 + row * len(told))
    bottom = 14 + row * len(told)

    def x(area: float) -> float:
        return left + (width - left - 24) * area

    for tick in (0, 0.25, 0.5, 0.75, 1):
        sheet.line([x(tick)] * 2, [6, bottom], colour=MUTED if tick == CHANCE else LINE, dashed=tick == CHANCE)
        sheet.text(x(tick), bottom + 16, f"{tick:g}", colour=MUTED, align="center")
    for i, entry in enumerate(told):
        assert entry.auroc is not None
        y = 14 + row * (i + 0.5)
        leads = entry.reader == results.lead
        name = f"{KINDS.get(entry.kind, entry.kind)} · {entry.reader}"
        sheet.text(left if narrow else 0, y - 18 if narrow else y, name, colour=INK if leads else MUTED, bold=leads)
        if entry.auroc.low is not None and entry.auroc.high is not None:
            sheet.line([x(entry.auroc.low), x(entry.auroc.high)], [y, y], colour=ACCENT, width=3 if leads else 1.5)
        sheet.mark(x(entry.auroc.value), y, "D", colour=ACCENT, size=9 if leads else 6, hollow=not leads)
    described = "; ".join(f"{e.kind}, {e.reader}: {with_interval(e.auroc, 1, 2)}" for e in told)
    return sheet.svg(f"auroc-{'narrow' if narrow else 'wide'}", f"AUROC against real images. {described}")


def _of(results: ReaderResults, kind: str) -> Realism | None:
    return next((told for told in results.told if (told.reader, told.kind) == (results.lead, kind)), None)
