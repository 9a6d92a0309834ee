"""A classifier's sensitivity, specificity, ranking and calibration on every pair of sets, at its threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radedit.harness.performance.calibration import brier, expected_calibration_error, slope
from radedit.harness.predictors.predictions import Measured, Predictions
from radedit.harness.statistics.estimate import Estimate
from radedit.harness.statistics.intervals import mean_of
from radedit.harness.statistics.ranks import crossed_auroc

DEFAULT = 0.5
BEFORE, AFTER = "originals and references", "keep-shams and edits (kept)"


@dataclass(frozen=True)
class Performance:
    """How good a classifier is on some images.

    Attributes:
        data: Which images, in words: those with the finding, and those without.
        positives, negatives: How many.
        sensitivity, specificity: At the threshold, fractions; None without images.
        auroc, brier, ece: None without images of both classes; see `radedit.harness.performance.calibration`.
        slope: Of the calibration; also None where the classes are separated.
    """

    data: str
    positives: int
    negatives: int
    sensitivity: Estimate | None = None
    specificity: Estimate | None = None
    auroc: Estimate | None = None
    brier: Estimate | None = None
    slope: Estimate | None = None
    ece: Estimate | None = None


@dataclass(frozen=True)
class AtOperatingPoint:
    """One predictor at its threshold, of several trainings at their mean.

    Attributes:
        predictor: Its key.
        threshold: Probability from which on it calls the finding present.
        rows: In-distribution images, images of the stress set before the shift, and after it, where there are some;
            then those that have only one class.
    """

    predictor: str
    threshold: float
    rows: list[Performance]


def at_operating_point(one: Measured, kept: Sequence[str], every: Sequence[str]) -> AtOperatingPoint:
    """A classifier on every set of images.

    Args:
        one: Its predictions.
        kept: Records whose edit counts.
        every: All that were edited.
    """
    own = one.sets["in_distribution"]
    label = own.values["label"][0] == 1
    ids = np.asarray(own.ids, dtype=object)
    rows = [
        _performance("in-distribution test set", own.only([*ids[label]]), own.only([*ids[~label]])),
        _performance(BEFORE, one.of("source", every), one.of("reference", every)),
        _performance(AFTER, one.of("keep_sham", kept), one.of("edit", kept)),
        _performance("truly shifted, other patients", None, one.sets.get("shifted")),
    ]
    return AtOperatingPoint(one.key, threshold_of(one), [row for row in rows if row.positives + row.negatives])


def threshold_of(one: Measured) -> float:
    """The threshold that a predictor's predictions were made at; of several seeds the mean."""
    found = one.sets["in_distribution"].values.get("threshold") if "in_distribution" in one.sets else None
    return DEFAULT if found is None else float(found.mean())


def _performance(data: str, positive: Predictions | None, negative: Predictions | None) -> Performance:
    some = [found if found is not None and found.ids else None for found in (positive, negative)]
    positive, negative = some
    row: dict[str, Estimate | None] = {}
    if positive is not None:
        row["sensitivity"] = mean_of(positive.values["positive"], positive.patients).at()
    if negative is not None:
        row["specificity"] = mean_of(1 - negative.values["positive"], negative.patients).at()
    if positive is not None and negative is not None:
        p = [found.values["probability"] for found in (positive, negative)]
        row["auroc"] = crossed_auroc(p[0], p[1], positive.patients, negative.patients)
        labels = np.repeat([1.0, 0.0], [p[0].shape[1], p[1].shape[1]])
        both, whose = np.concatenate(p, axis=1), [*positive.patients, *negative.patients]
        row |= {
            "brier": brier(both, labels, whose), "slope": slope(both, labels, whose),
            "ece": expected_calibration_error(both, labels, whose),
        }  # fmt: skip
    return Performance(data, len(positive.ids) if positive else 0, len(negative.ids) if negative else 0, **row)
