"""Does the synthetic set predict the shift? Many predictors on edits and on the truth (evidence.md, 4).

Every predictor is measured on the edits, and on the true counterfactuals of the same patients. What it would have been
judged by without a generator is measured, too: its in-distribution test set, and images corrupted as much as the edits
changed theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radedit.harness.predictors.predictions import Predictions
from radedit.harness.statistics.estimate import Estimate
from radedit.harness.statistics.means import SEEDS, crossed_mean, draws, patient_index, percentiles
from radedit.harness.statistics.ranks import kendall

TRUTH = "counterfactual"
RIVALS = {"synthetic": "edit", "in_distribution": "in_distribution", "corrupted": "corrupted"}  # column → images


@dataclass(frozen=True)
class Tried:
    """One predictor and its predictions.

    Attributes:
        key: Of the predictor.
        strength: Of the shortcut in its world; None for one that never looks at the image.
        seed: Of its training; None likewise.
        sets: `edit` and `counterfactual`, of the same records; `corrupted`, of the same records; `in_distribution`, of
            others.
    """

    key: str
    strength: float | None
    seed: int | None
    sets: Mapping[str, Predictions]

    def mean(self, name: str, measure: str, records: Sequence[str]) -> float:
        """Mean over the images of these records, or over all of a set of other patients."""
        return float(self.values(name, measure, records).mean())

    def values(self, name: str, measure: str, records: Sequence[str]) -> NDArray[np.float64]:
        """One an image, shape (N,)."""
        found = self.sets[name]
        return (found if name == "in_distribution" else found.only(records)).values[measure][0]

    def patients(self, name: str, records: Sequence[str]) -> list[str]:
        """Whose images these are."""
        found = self.sets[name]
        return (found if name == "in_distribution" else found.only(records)).patients


def validity(tried: Sequence[Tried], records: Sequence[str], measure: str, delta: float) -> dict[str, Any]:
    """How near each way of testing comes to the truth, and whether it ranks predictors as the truth does.

    Args:
        tried: Predictors; those of no strength, which never look, are in the list but not in the sums.
        records: Edits that count: the kept ones, or all.
        measure: Of the predictions: 1 is good.
        delta: "Within δ" means that the whole interval lies within ± δ.

    Returns:
        `n` records, `predictors`, a `rows` entry for each of them, and for each column of `RIVALS` the mean difference
        to the truth with its interval, the mean of the predictors' absolute differences, and Kendall's τ; `better`:
        column → whether the synthetic set is nearer to the truth, and ranks better, than it.

    Raises:
        ValueError: If there are no records, or no predictor that looks.
    """
    looks = [one for one in tried if one.strength is not None]
    if not records or not looks:
        raise ValueError(f"There are {len(records)} records and {len(looks)} trained predictors; one of each is least.")
    ways = {name: _way(looks, images, records, measure, delta) for name, images in RIVALS.items()}
    return {
        "n": len(records),
        "patients": len(set(looks[0].patients(TRUTH, records))),
        "predictors": len(looks),
        "ways": ways,
        "better": {name: _better(ways["synthetic"], way) for name, way in ways.items() if name != "synthetic"},
        "rows": [
            {
                "predictor": one.key,
                "strength": one.strength,
                "seed": one.seed,
                "truth": one.mean(TRUTH, measure, records),
                **{name: one.mean(images, measure, records) for name, images in RIVALS.items()},
            }
            for one in tried
        ],
    }


def _way(looks: Sequence[Tried], images: str, records: Sequence[str], measure: str, delta: float) -> dict[str, Any]:
    said, true = ([one.mean(name, measure, records) for one in looks] for name in (images, TRUTH))
    difference = mean_difference(looks, images, records, measure)
    tau = kendall(said, true)
    inside = difference.low is not None and difference.high is not None and -delta < difference.low
    return {
        "difference": difference.dict(),
        "within_delta": bool(inside and difference.high is not None and difference.high < delta),
        "absolute": float(np.mean(np.abs(np.subtract(said, true)))),
        "largest": float(np.max(np.abs(np.subtract(said, true)))),
        "tau": tau.dict() if tau else None,
    }


def mean_difference(looks: Sequence[Tried], images: str, records: Sequence[str], measure: str) -> Estimate:
    """Mean over predictors and images of (measure on `images`) − (measure on the truth), with a crossed interval.

    Predictors are resampled, and patients apart from them. Images of the same records are compared record by record;
    the in-distribution test set is of other patients, who are drawn on their own.
    """
    truth = np.stack([one.values(TRUTH, measure, records) for one in looks])
    said = np.stack([one.values(images, measure, records) for one in looks])
    of_truth = looks[0].patients(TRUTH, records)
    if images != "in_distribution":
        return crossed_mean(said - truth, of_truth, paired=True)
    drawn = draws(len(looks), 0, SEEDS)
    means = [
        _resampled(values, patients, drawn, seed)
        for seed, (values, patients) in enumerate([(said, looks[0].patients(images, records)), (truth, of_truth)])
    ]
    known = all(mean is not None for mean in means)
    low, high = percentiles(means[0] - means[1]) if known else (None, None)  # type: ignore[operator]
    return Estimate(float(said.mean() - truth.mean()), low, high, said.shape[1])


def _resampled(
    values: NDArray[np.float64], patients: Sequence[str], drawn: NDArray[np.float64], seed: int
) -> NDArray[np.float64] | None:
    """Mean of every resample of patients, under resamples of predictors that are given, shape (RESAMPLES,)."""
    names, patient = patient_index(patients)
    if len(names) < 2:
        return None
    sums, counts = np.stack([np.bincount(patient, weights=row) for row in values]), np.bincount(patient)
    of_patients = draws(len(names), seed)
    total = ((drawn @ sums) * of_patients).sum(axis=1)
    return np.asarray(total / (drawn.sum(axis=1) * (of_patients @ counts)))


def _better(ours: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, bool]:
    taus = [way["tau"]["value"] if way["tau"] else -1.0 for way in (ours, other)]
    return {
        "difference": abs(ours["difference"]["value"]) < abs(other["difference"]["value"]),
        "tau": bool(taus[0] > taus[1]),
    }
