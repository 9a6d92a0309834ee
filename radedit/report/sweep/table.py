"""The tables of a stress test, as CSV and in Markdown, which is also what the terminal shows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from radedit.data.io.atomic import write_atomically
from radedit.data.io.table import escaped
from radedit.harness.evidence.results import Attribution, Results, Row, Term
from radedit.harness.sweep.put_together import name_of_editor
from radedit.harness.sweep.results import Sweep, Variant
from radedit.report.sweep.figure5 import PAPER_CHANGES, SOURCE, entries
from radedit.report.sweep.groups import CSV as GROUPS
from radedit.report.sweep.groups import group_tables, groups_csv
from radedit.report.words.markdown import markdown
from radedit.report.words.numbers import NONE, amount, change, interval, mean_and_std, percent, plural, points
from radedit.report.words.wording import wording

CSV, TABLES = "table.csv", "tables.md"
COLUMNS = (
    "variant", "predictor", "data", "label", "n", "seeds", "measure", "value", "std", "low", "high", "missed", "paper",
    "paper_std",
)  # fmt: skip


def write_tables(folder: Path, sweep: Sweep) -> None:
    """Write `table.csv`, `tables.md` and, where there are groups, `groups.csv` into the folder of a run or a sweep."""
    write_atomically(folder / CSV, csv_table(sweep).encode())
    write_atomically(folder / TABLES, f"{tables(sweep)}\n".encode())
    if groups := groups_csv(sweep):
        write_atomically(folder / GROUPS, groups.encode())


def csv_table(sweep: Sweep) -> str:
    """A line for each variant or group, predictor, set and measure; values as fractions, distances in px."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for variant in [*sweep.variants, *(group for group in sweep.groups if group.members)]:
        for row in variant.results.table:
            for name, estimate in (row.scores or {"accuracy": row.main}).items():
                main = name in ("dice", "accuracy")
                paper = [None if number is None else round(number / 100, 6) for number in (row.paper, row.paper_std)]
                writer.writerow([
                    escaped(variant.key), escaped(row.predictor), escaped(row.data), escaped(row.label),
                    row.n, row.seeds, name, estimate.value, row.std if main else None, estimate.low, estimate.high,
                    row.missed if row.scores else None, *(paper if main else (None, None)),
                ])  # fmt: skip
    return text.getvalue()


def tables(sweep: Sweep) -> str:
    """Markdown: every set of images, attribution, agreement, contrasts, editors, verdicts and qualification."""
    parts = [f"Rules: {', '.join(f'{k} {v}' for k, v in asdict(sweep.rules).items())}.", *_figure5(sweep)]
    for group in sweep.groups:
        parts += [f"## {group.name}"] if sweep.several else []
        parts += [part for part in _of_group(group) if part]
    return "\n\n".join([*parts, *_editors(sweep)])


def _of_group(group: Variant) -> Iterator[str]:
    results = group.results
    kept, edited = results.counts.get("kept"), results.counts.get("edited")
    yield f"{kept} of {edited} {plural(edited, 'edit')} kept." if kept is not None and edited is not None else ""
    yield _sets(results)
    yield _attribution(results)
    yield _agreement(results)
    yield _lines(
        f"The shift costs the {results.predictor(c.worse).name} {change(c.difference)} points more than the "
        f"{results.predictor(c.better).name}."
        for c in results.contrasts
    )
    yield _lines(
        f"**{v.outcome}**, {results.predictor(v.predictor).name}: {' '.join(v.reasons)}" for v in results.verdicts
    )
    yield _cells(results)
    yield from group_tables(results)


def _sets(results: Results) -> str:
    """The table itself, a line for each model and set, as in the CSV."""
    dice, paper = results.measure == "dice", any(row.paper is not None for row in results.table)
    head = ["model", "images", "n", "trainings", f"{wording(results).heading}, %", "95 % interval"]
    head += [*(["HD95, px", "missed"] if dice else []), *(["paper"] if paper else [])]
    lines = []
    for row in results.table:
        line = [
            results.predictor(row.predictor).name,
            row.data,
            str(row.n),
            str(row.seeds),
            mean_and_std(row.main, row.std),
        ]
        line.append(interval(row.main) or NONE)
        line += [_px(row), str(row.missed)] if dice else []
        line += [paper_of(row) or NONE] if paper else []
        lines.append(line)
    return _table(head, lines)


def paper_of(row: Row) -> str:
    """The paper's `17.9 ± 3.7`, or nothing."""
    if row.paper is None:
        return ""
    return f"{row.paper:.1f}" if row.paper_std is None else f"{row.paper:.1f} ± {row.paper_std:.1f}"


def _figure5(sweep: Sweep) -> list[str]:
    """Changes of Dice beside the paper's, where it has some."""
    if not any(group.group.partition("-")[0] in PAPER_CHANGES for group in sweep.groups):
        return []
    lines = [
        [
            e.group, e.predictor.name, change(e.change), NONE if e.paper is None else points(e.paper / 100),
            f"{_px(e.in_distribution)} → {_px(e.synthetic)}",
        ]
        for e in entries(sweep.groups)
    ]  # fmt: skip
    head = ["images with", "model", "change of Dice, points", "paper", "HD95, px, in-distribution → kept"]
    return [_table(head, lines), f"Paper: {SOURCE}."]


def _px(row: Row) -> str:
    found = row.scores.get("hd95")
    return amount(None if found is None else found.value)


def _attribution(results: Results) -> str:
    def keep_sham(entry: Attribution) -> str:
        sham = entry.keep_sham
        return NONE if sham is None else f"{percent(sham.source.value)} → {percent(sham.keep_sham.value)}"

    if not results.attribution:
        return ""
    kept = any(entry.keep_sham for entry in results.attribution)
    terms, split = (
        list(dict.fromkeys(term.name for entry in results.attribution for term in getattr(entry, part)))
        for part in ("terms", "split")
    )

    def cells(found: Sequence[Term], names: Sequence[str]) -> list[str]:
        """Changes in the order of the columns; a model may lack one that others have."""
        named = {term.name: change(term.value) for term in found}
        return [named.get(name, NONE) for name in names]

    head = ["model", "n", wording(results).start, *terms, "edit", *split]
    lines = [
        [
            results.predictor(entry.predictor).name, str(entry.n), percent(entry.reference.value),
            *cells(entry.terms, terms), percent(entry.edit.value), *cells(entry.split, split),
            *([keep_sham(entry)] if kept else []),
        ]
        for entry in results.attribution
    ]  # fmt: skip
    return _table([*head, *(["keep-sham: sensitivity"] if kept else [])], lines)


def _agreement(results: Results) -> str:
    lines = [
        [
            results.predictor(entry.predictor).name, entry.edits, str(entry.n), percent(entry.synthetic.value),
            percent(entry.truth.value), change(entry.difference),
        ]
        for entry in results.agreement
    ]  # fmt: skip
    return _table(["model", "edits", "n", "synthetic, %", "truly shifted, %", "difference, points"], lines)


def _editors(sweep: Sweep) -> list[str]:
    """What each model makes of the same images edited by two editors."""
    lines = [
        [
            sweep.first.predictor(c.predictor).name, str(c.n), f"{name_of_editor(c.one)} − {name_of_editor(c.other)}",
            percent(c.of_one.value), percent(c.of_other.value), change(c.difference),
        ]
        for c in sweep.editors
    ]  # fmt: skip
    table = _table(["model", "n", "editors", "one, %", "other, %", "paired difference, points"], lines)
    return ["## Editors on the same images", table] if table else []


def _cells(results: Results) -> str:
    cells = [cell for predictor in results.predictors for cell in predictor.cells]
    keys = sorted({(cell.finding, cell.shortcut) for cell in cells}, reverse=True)
    lines = []
    for predictor in results.predictors if keys else ():
        found = {(cell.finding, cell.shortcut): cell.accuracy.value for cell in predictor.cells}
        qualifies = "yes" if predictor.qualified else f"no: {predictor.why}"
        lines.append([predictor.name, *(percent(found.get(key)) for key in keys), qualifies])
    names = [f"{'' if f else 'no '}{results.finding}, {'' if s else 'no '}{results.shortcut}" for f, s in keys]
    return _table(["model, accuracy on true images, %", *names, "qualifies"], lines)


def _lines(sentences: Iterator[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return markdown([head, *lines], aligned=True) if lines else ""
