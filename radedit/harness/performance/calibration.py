"""Whether probabilities mean what they say: Brier score, calibration slope, expected calibration error."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.tools.sm_exceptions import PerfectSeparationError, PerfectSeparationWarning
from torchmetrics.functional.classification import binary_calibration_error

from radedit.harness.statistics.estimate import LEVEL, Estimate
from radedit.harness.statistics.intervals import mean_of
from radedit.harness.statistics.means import SEEDS, draws, patient_index, percentiles

BINS = 15
EDGE = 1e-6  # probabilities are kept this far from 0 and 1 where their logit is taken
STEEPEST = 50.0  # a slope beyond it says that the classes are separated

Rows = NDArray[np.float64]


def brier(probabilities: Rows, labels: Rows, patients: Sequence[str]) -> Estimate:
    """Mean squared difference between probability and label, 0…1, 0 is best.

    Args:
        probabilities: Of each seed and image, shape (S, N).
        labels: 0 or 1, shape (N,).
        patients: Whose image each is, N of them.
    """
    return mean_of((probabilities - labels) ** 2, patients).at()


def expected_calibration_error(probabilities: Rows, labels: Rows, patients: Sequence[str]) -> Estimate:
    """Mean distance between probability and share of positives, over `BINS` equal bins, with a bootstrap interval.

    Arguments as for `brier`. Few images in a bin differ from their probability by chance, so that the error of a
    perfect model is above 0, too, and that of its resamples more so.
    """
    target = torch.from_numpy(labels.astype(np.int64))
    per_seed = [
        float(binary_calibration_error(torch.from_numpy(p).contiguous(), target, n_bins=BINS)) for p in probabilities
    ]
    value = float(np.mean(per_seed))
    names, patient = patient_index(patients)
    if len(names) < 2:
        return Estimate(value, None, None, len(labels))
    weights = draws(len(names), 0)
    errors = np.zeros((len(weights), len(probabilities)))
    for s, p in enumerate(probabilities):
        place = np.clip((p * BINS).astype(int), 0, BINS - 1)
        gap = np.zeros((len(names), BINS))
        np.add.at(gap, (patient, place), p - labels)
        errors[:, s] = np.abs(weights @ gap).sum(axis=1) / (weights @ np.bincount(patient, minlength=len(names)))
    of_seeds = draws(len(probabilities), 0, SEEDS)
    low, high = percentiles((errors * of_seeds).sum(axis=1) / of_seeds.sum(axis=1))
    return Estimate(value, low, high, len(labels))


def slope(probabilities: Rows, labels: Rows, patients: Sequence[str]) -> Estimate | None:
    """Slope of the label's log odds over those of the probability: 1 is right, below 1 too sure, above 1 too unsure.

    Arguments as for `brier`. None where the classes are separated, so that no slope fits. The error over patients
    (clusters) is that of one training, as all see the same images; that between trainings is added.
    """
    found = []
    names, patient = patient_index(patients)
    for p in probabilities:
        clipped = np.clip(p, EDGE, 1 - EDGE)
        logit = np.log(clipped / (1 - clipped))
        if np.ptp(logit) == 0:
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", PerfectSeparationWarning)
                warnings.simplefilter("ignore", RuntimeWarning)
                fit = GLM(labels, np.column_stack([np.ones_like(logit), logit]), Binomial()).fit(
                    cov_type="cluster", cov_kwds={"groups": patient}
                )
        except (PerfectSeparationError, PerfectSeparationWarning, np.linalg.LinAlgError):
            return None
        if not math.isfinite(fit.bse[1]) or abs(fit.params[1]) > STEEPEST:
            return None
        found.append((float(fit.params[1]), float(fit.bse[1])))
    slopes, errors = np.array(found).T
    seeds = float(slopes.std(ddof=1)) / math.sqrt(len(slopes)) if len(slopes) > 1 else 0.0
    margin = float(norm.ppf((1 + LEVEL) / 2)) * math.hypot(float(errors.mean()), seeds)
    value = float(slopes.mean())
    known = len(names) > 1
    return Estimate(value, value - margin if known else None, value + margin if known else None, len(labels))
