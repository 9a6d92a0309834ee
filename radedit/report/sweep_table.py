"""A sweep's table, on the terminal and as CSV: mean ± standard deviation over seeds, beside the paper's."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from radedit.data.atomic import write_atomically
from radedit.report.figure5 import PAPER_CHANGES, SOURCE, entries
from radedit.report.findings import findings
from radedit.report.numbers import amount, points
from radedit.report.results import KEPT, OWN, Estimate, Row
from radedit.report.seeds_plot import mean_and_std
from radedit.report.sweep_results import Sweep

COLUMNS = (
    "variant", "predictor", "data", "label", "n", "seeds", "measure", "value", "std", "low", "high", "paper",
    "paper_std",
)  # fmt: skip


def paper_of(row: Row) -> str:
    """The paper's `17.9 ± 3.7`, or nothing."""
    if row.paper is None:
        return ""
    return f"{row.paper:.1f}" if row.paper_std is None else f"{row.paper:.1f} ± {row.paper_std:.1f}"


def print_sweep(sweep: Sweep) -> None:
    """The paper's table or figure, ours beside it, then the verdicts."""
    measure = "Dice" if sweep.measure == "dice" else "Accuracy"
    print(f"\n{sweep.title}  {sweep.section}, setting {sweep.setting}")
    if found := findings([group.results for group in sweep.groups]):
        print(found)
    names = [p.name for group in sweep.groups for p in group.results.predictors]
    width = max(map(len, names), default=5)
    print(f"\n{'Model':{width}}  {'Test data':30}  {'n':>4}  {'seeds':>5}  {f'{measure}, %':14}  {'Paper':12}")
    for group in sweep.groups:
        if len(sweep.groups) > 1:
            print(f"{group.name}:")
        for predictor in group.results.predictors:
            for data in (OWN, KEPT):
                if row := group.results.row(predictor.key, data):
                    print(
                        f"{predictor.name:{width}}  {row.data:30}  {row.n:4d}  {row.seeds:5d}  {mean_and_std(row):14}  "
                        f"{paper_of(row):12}".rstrip()
                    )
    if any(group.group.partition("-")[0] in PAPER_CHANGES for group in sweep.groups):
        print(f"\nChange of Dice, points; paper: {SOURCE}")
        for entry in entries(sweep.groups):
            paper = "" if entry.paper is None else points(entry.paper / 100)
            hd95 = [amount(row.scores.get("hd95", Estimate()).value) for row in (entry.ordinary, entry.synthetic)]
            print(
                f"{entry.predictor.name:{width}}  {entry.group:24}  {points(entry.change.value):>6}  "
                f"{f'paper {paper}' if paper else '':12}  HD95 {hd95[0]} → {hd95[1]} px"
            )
    print()
    for verdict in sweep.verdicts:
        print(f"{verdict.outcome.upper():9}  {verdict.predictor}: {verdict.reasons[0] if verdict.reasons else ''}")


def write_sweep_csv(sweep: Sweep, path: Path) -> None:
    """One line for each variant or group, predictor, set and measure; values as fractions, distances in px."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for variant in [*sweep.variants, *(group for group in sweep.groups if group.members)]:
        for row in variant.results.table:
            measures = row.scores or {"accuracy": row.accuracy}
            for name, estimate in measures.items():
                main = name in ("dice", "accuracy")
                paper = [None if number is None else round(number / 100, 6) for number in (row.paper, row.paper_std)]
                writer.writerow([
                    variant.key, row.predictor, row.data, row.label, row.n, row.seeds, name, estimate.value,
                    row.std if main else None, estimate.low, estimate.high, *(paper if main else (None, None)),
                ])  # fmt: skip
    write_atomically(path, text.getvalue().encode())
