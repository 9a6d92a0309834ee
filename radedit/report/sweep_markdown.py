"""A sweep's tables in Markdown, as the folders of `experiments/` show them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from radedit.data.atomic import write_atomically
from radedit.report.numbers import NONE, interval, percent, points
from radedit.report.results import KEPT, OWN, Estimate, Results, Row
from radedit.report.sweep_results import Sweep, Variant

FILE = "tables.md"
DISTANCES = ("hd95", "asd")


def write_sweep_markdown(sweep: Sweep, path: Path) -> None:
    """Paper's form, every set of films, attribution, agreement, signature, verdicts and qualification.

    Args:
        sweep: Finished.
        path: Of the Markdown file.
    """
    parts = [f"Runs: {len(sweep.runs)}. Rules: {', '.join(f'{k} {v}' for k, v in sweep.rules.items())}.\n"]
    for group in sweep.groups:
        if len(sweep.groups) > 1:
            parts.append(f"## {group.name}\n")
        parts += [*_tables(group), ""]
    write_atomically(path, "\n".join(parts).encode())


def _tables(variant: Variant) -> list[str]:
    results = variant.results
    kept = next((row.n for row in results.table if row.data == KEPT), 0)
    every = next((row.n for row in results.table if row.data == "synthetic (all)"), 0)
    return [
        f"{kept} of {every} edits kept.\n",
        *_sets(results),
        "",
        *_chain(results),
        "",
        *_agreement(results),
        "",
        *_signature(results),
        "",
        *_qualified(results),
    ]


def _sets(results: Results) -> list[str]:
    sets = list(dict.fromkeys(row.data for row in results.table))
    rows = [
        [
            predictor.name,
            *(_value(results.row(predictor.key, data)) for data in sets),
            _paper(results.row(predictor.key, OWN), results.row(predictor.key, KEPT)),
        ]
        for predictor in results.predictors
    ]
    table = _table(["model", *sets, "paper: ordinary → synthetic"], rows)
    if results.measure != "dice":
        return table
    distances = [
        [
            predictor.name,
            *(
                f"{_px(results.row(predictor.key, OWN), name)} → {_px(results.row(predictor.key, KEPT), name)}"
                for name in DISTANCES
            ),
            str(sum(row.missed for row in results.rows(predictor.key) if row.data == KEPT)),
        ]
        for predictor in results.predictors
    ]
    head = ["model", "HD95, px, ordinary → kept", "average surface distance, px", "missed on kept"]
    return [*table, "", *_table(head, distances)]


def _value(row: Row | None) -> str:
    if row is None or row.main.value is None:
        return NONE
    spread = "" if row.std is None else f" ± {percent(row.std)}"
    between = interval(row.main).replace(" to ", "–")
    return f"{percent(row.main.value)}{spread}{f' ({between})' if between else ''}"


def _px(row: Row | None, name: str) -> str:
    value = None if row is None else row.scores.get(name, Estimate()).value
    return NONE if value is None else f"{value:.1f}"


def _paper(*rows: Row | None) -> str:
    said = [
        f"{row.paper:.1f}" + ("" if row.paper_std is None else f" ± {row.paper_std:.1f}")
        for row in rows
        if row is not None and row.paper is not None
    ]
    return " → ".join(said) or NONE


def _change(estimate: Estimate) -> str:
    if estimate.low is None:
        return points(estimate.value)
    return f"{points(estimate.value)} ({points(estimate.low)} to {points(estimate.high)})"


def _chain(results: Results) -> list[str]:
    if not results.attribution:
        return []
    terms = [term.name for term in results.attribution[0].terms]
    split = [term.name for term in results.attribution[0].split]
    keep = any(entry.keep_sham for entry in results.attribution)
    rows = []
    for entry in results.attribution:
        line = [results.predictor(entry.predictor).name, str(entry.n), percent(entry.reference.value)]
        line += [*(_change(term.value) for term in entry.terms), percent(entry.edit.value)]
        line += [_change(term.value) for term in entry.split]
        if keep:
            sham = entry.keep_sham
            line.append(NONE if sham is None else f"{percent(sham.source.value)} → {percent(sham.keep_sham.value)}")
        rows.append(line)
    first = "source" if results.measure == "dice" else "reference"
    head = ["model", "n", first, *terms, "edit", *split, *(["keep-sham: sensitivity"] if keep else [])]
    return _table(head, rows)


def _agreement(results: Results) -> list[str]:
    rows = [
        [
            results.predictor(entry.predictor).name, entry.edits, str(entry.n), percent(entry.synthetic.value),
            percent(entry.truth.value), _change(entry.difference),
        ]
        for entry in results.agreement
    ]  # fmt: skip
    return _table(["model", "edits", "n", "synthetic, %", "truly shifted, %", "difference, points"], rows)


def _signature(results: Results) -> list[str]:
    contrasts = [
        f"- The shift costs the {results.predictor(c.worse).name} {_change(c.difference)} points more than the "
        f"{results.predictor(c.better).name}."
        for c in results.contrasts
    ]
    verdicts = [
        f"- **{verdict.outcome}**, {results.predictor(verdict.predictor).name}: {' '.join(verdict.reasons)}"
        for verdict in results.verdicts
    ]
    return [*contrasts, "", *verdicts]


def _qualified(results: Results) -> list[str]:
    cells = [cell for predictor in results.predictors for cell in predictor.cells]
    keys = sorted({(cell.finding, cell.shortcut) for cell in cells}, reverse=True)
    if not keys:
        return []
    rows = []
    for predictor in results.predictors:
        found = {(cell.finding, cell.shortcut): cell.accuracy for cell in predictor.cells}
        values = [percent(found[key].value) if key in found else NONE for key in keys]
        rows.append([predictor.name, *values, "yes" if predictor.qualified else f"no: {predictor.why}"])
    names = [
        f"{'' if finding else 'no '}{results.finding}, {'' if shortcut else 'no '}{results.shortcut}"
        for finding, shortcut in keys
    ]
    return _table(["model, accuracy on true films, %", *names, "qualifies"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows)]
