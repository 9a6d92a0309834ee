"""What must hold of a model before any verdict: it sees the finding on images before any edit.

A model that does not see the finding at all, at its threshold, shows nothing by its shift effect, nor by its calm.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radedit.harness.evidence.verdict import Rules
from radedit.harness.predictors.predictions import Measured, Predictions
from radedit.harness.statistics.estimate import Estimate
from radedit.harness.statistics.intervals import mean_of
from radedit.harness.statistics.ranks import crossed_auroc

AUROC = 0.9  # of originals against references, from which on the threshold is to blame, not the model; our choice


def unseen(one: Measured, records: Sequence[str], measure: str, rules: Rules) -> list[str]:
    """Why a model can't be tested, as sentences: it misses the finding on images before any edit; empty if it does not.

    Args:
        one: Its predictions.
        records: All that were edited, whether their edits were kept or not.
        measure: `dice` for segmenters; else positives are counted.
        rules: Fixed beforehand.
    """
    source, reference = (one.of(kind, records) for kind in ("source", "reference"))
    if source is None:
        return ["The model made no predictions on the originals."]
    if measure == "dice":
        dice = mean_of(source.values["dice"], source.patients).at()
        return _short("Dice on the originals", dice, rules.dice)
    found = [("sensitivity on the originals", mean_of(source.values["positive"], source.patients), rules.sensitivity)]
    if reference is not None:
        negative = mean_of(1.0 - reference.values["positive"], reference.patients)
        found.append(("specificity on the references", negative, rules.specificity))
    short = [reason for what, mean, least in found for reason in _short(what, mean.at(), least)]
    if short and all(mean.value >= least for _, mean, least in found):
        short.append(f"Of {len(source.ids)} images that is not sure: edit more of them.")
    elif short and reference is not None:
        short.append(_whose_fault(source, reference))
    return short


def _whose_fault(source: Predictions, reference: Predictions) -> str:
    """Whether the threshold is to blame, or the model."""
    scores = source.values["probability"], reference.values["probability"]
    area = crossed_auroc(*scores, source.patients, reference.patients)
    if area is None:
        return "Test a model that detects the finding."
    if area.value >= AUROC:
        middle = float((np.median(scores[0]) + np.median(scores[1])) / 2)
        return (
            f"Its AUROC of originals against references is {area.value:.2f}, so the threshold is to blame: choose it "
            f"on validation images of your own; about {middle:.2g} parts these."
        )
    if area.value <= 1 - AUROC:
        return f"Its AUROC is {area.value:.2f}: it predicts the opposite. Declare the other class as the finding."
    return f"Its AUROC of originals against references is {area.value:.2f}: test a model that detects the finding."


def _short(what: str, found: Estimate, least: float) -> list[str]:
    if found.low is not None and found.low >= least:
        return []
    between = "" if found.low is None or found.high is None else f" ({100 * found.low:.0f} to {100 * found.high:.0f})"
    return [f"Its {what} is {100 * found.value:.0f} %{between}; the interval must lie above {100 * least:.0f} %."]
