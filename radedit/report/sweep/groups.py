"""For whom models fail, and how good they are at their thresholds: as CSV and in Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from radedit.data.io.table import escaped
from radedit.harness.evidence.results import Results
from radedit.harness.statistics.estimate import Estimate
from radedit.harness.sweep.results import Sweep
from radedit.report.words import groups, performance
from radedit.report.words.markdown import markdown

CSV = "groups.csv"
COLUMNS = (
    "variant", "predictor", "group", "n", "patients", "effect", "effect_low", "effect_high", "excess", "excess_low",
    "excess_high", "p", "p_holm", "worse", "abstains",
)  # fmt: skip


def groups_csv(sweep: Sweep) -> str:
    """A line for each variant, predictor and group; effects as fractions. Empty without groups."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    lines = [
        [
            escaped(variant.key), escaped(found.predictor), escaped(group.name), group.n, group.patients,
            *_bounds(group.effect), *_bounds(group.excess), group.p, group.p_holm, int(group.worse), group.abstains,
        ]
        for variant in sweep.variants
        for found in variant.results.subgroups
        for group in found.groups
    ]  # fmt: skip
    writer.writerows(lines)
    return text.getvalue() if lines else ""


def group_tables(results: Results) -> Iterator[str]:
    """Markdown: who is worst off, every group, and every model at its threshold; nothing of what is not there."""
    if results.subgroups:
        yield "\n".join(
            f"- {groups.worst_group(found, results.predictor(found.predictor).name)}" for found in results.subgroups
        )
        yield markdown([list(groups.HEAD), *groups.group_lines(results)])
    if results.performance:
        yield " ".join(performance.threshold_sentences(results))
        yield markdown([list(performance.HEAD), *performance.performance_lines(results)])


def _bounds(estimate: Estimate | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if estimate is None else (estimate.value, estimate.low, estimate.high)
