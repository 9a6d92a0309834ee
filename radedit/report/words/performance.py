"""A classifier at its threshold, before the shift and after it, as lines of a table."""

from __future__ import annotations

from radedit.harness.evidence.results import Results
from radedit.harness.performance.at_operating_point import DEFAULT
from radedit.harness.statistics.estimate import Estimate
from radedit.report.words.numbers import NONE, interval, percent

HEAD = (
    "model", "images", "with / without the finding", "sensitivity, %", "specificity, %", "AUROC", "Brier score",
    "calibration slope", "ECE",
)  # fmt: skip

WIDEST = 20.0


def threshold_sentences(results: Results) -> list[str]:
    """At which thresholds the models were tested, and why."""
    models = [(results.predictor(entry.predictor), entry.threshold) for entry in results.performance]
    if not any(predictor.operating_point for predictor, _ in models):
        return [f"Every model is tested at the threshold {DEFAULT:g}."]
    return [
        f"{predictor.name} is tested at the threshold {threshold:.3g}, which was chosen for "
        f"{predictor.operating_point} on its in-distribution test set; what it reaches there is no news."
        for predictor, threshold in models
    ]


def performance_lines(results: Results) -> list[list[str]]:
    """A line for each model and pair of sets, as `HEAD` names the columns."""
    return [
        [
            results.predictor(entry.predictor).name, row.data, f"{row.positives} / {row.negatives}",
            _per_cent(row.sensitivity), _per_cent(row.specificity),
            *(_number(estimate) for estimate in (row.auroc, row.brier, row.slope, row.ece)),
        ]
        for entry in results.performance
        for row in entry.rows
    ]  # fmt: skip


def _per_cent(estimate: Estimate | None) -> str:
    if estimate is None:
        return NONE
    between = interval(estimate)
    return f"{percent(estimate.value)}{f' ({between})' if between else ''}"


def _number(estimate: Estimate | None) -> str:
    if estimate is None or boundless(estimate):
        return NONE
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}".replace("-", "\N{MINUS SIGN}")
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})".replace("-", "\N{MINUS SIGN}")


def boundless(estimate: Estimate) -> bool:
    """Whether an interval is so wide that the number says nothing, as a slope where the classes are nearly apart."""
    return estimate.low is not None and estimate.high is not None and estimate.high - estimate.low > WIDEST
