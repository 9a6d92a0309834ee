"""Means with intervals that know who belongs to whom: patients and predictor seeds, not images, are independent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from radedit.harness.statistics.estimate import LEVEL, Estimate
from radedit.harness.statistics.intervals import by_seed, mean_of

RESAMPLES = 2000
INTERVAL = (
    f"{100 * LEVEL:.0f} % interval of one training: score interval of counted predictions, t otherwise, patients and "
    f"references as clusters; areas and contrasts by bootstrap over patients, {RESAMPLES} resamples"
)
CROSSED_INTERVAL = (
    f"{100 * LEVEL:.0f} % interval: score interval of counted predictions, t otherwise, patients and references as "
    f"clusters, predictor seeds as a random factor; areas and contrasts by crossed bootstrap, {RESAMPLES} resamples"
)
PATIENTS, SEEDS, OTHER_SEEDS = range(3)  # streams of draws, independent of each other


def clustered_mean(values: ArrayLike, patients: Sequence[str]) -> Estimate:
    """Mean of one value an image, with an interval that counts patients, not images; see `mean_of`.

    Differences between two conditions of the same images are paired by handing in the images' differences.

    Args:
        values: One an image; NaN is refused.
        patients: Whose image each is.

    Raises:
        ValueError: If there are no values, a NaN, or not as many patients as values.
    """
    x = np.asarray(values, dtype=np.float64)
    if len(x) == 0 or len(x) != len(patients) or np.isnan(x).any():
        raise ValueError(
            f"Can't average {len(x)} values of {len(patients)} patients, {int(np.isnan(x).sum())} of them NaN."
        )
    return crossed_mean(x[None], patients)


def crossed_mean(
    values: ArrayLike, patients: Sequence[str], references: Sequence[str] | None = None, *, paired: bool = False
) -> Estimate:
    """Mean over predictor seeds and images, with an interval over patients, references and seeds; see `mean_of`.

    Args:
        values: One for each seed and image, shape (S, N); NaN is refused.
        patients: Whose image each column is, N of them.
        references: Whose image each is compared with, where that is another patient's.
        paired: Whether values are differences of two measures of an image.

    Returns:
        The mean, with n = N.

    Raises:
        ValueError: If the shape is not (S, N) with at least one of each, or a value is NaN.

    Note:
        With one seed, nothing is said about another training of the same predictor.
    """
    return mean_of(values, patients, references, paired=paired).at()


def crossed_difference(a: ArrayLike, b: ArrayLike, patients: Sequence[str], *, seed: int = 0) -> Estimate:
    """mean(a) − mean(b) of two predictors on the same images, each trained from several seeds.

    A resample has the same patients on both sides, so what is hard about an image cancels; seeds of `a` and of `b` are
    drawn independently, as nothing pairs them.

    Args:
        a: One value for each seed and image, shape (S_a, N).
        b: Likewise, shape (S_b, N), of the same images in the same order.
        patients: Whose image each column is, N of them.
        seed: Of the resampling.

    Returns:
        The difference, with n = N.

    Raises:
        ValueError: As `crossed_mean`, for either.
    """
    x, y = by_seed(a, patients), by_seed(b, patients)
    _, patient = patient_index(patients)
    low = high = None
    if patient.max():
        of_a, of_b = (
            _resampled_means(values, patient, seed, stream) for values, stream in ((x, SEEDS), (y, OTHER_SEEDS))
        )
        low, high = percentiles(of_a - of_b)
    return Estimate(float(x.mean() - y.mean()), low, high, x.shape[1])


def crossed_change(
    before: ArrayLike,
    before_patients: Sequence[str],
    after: ArrayLike,
    after_patients: Sequence[str],
    *,
    seed: int = 0,
) -> Estimate:
    """mean(after) − mean(before) of one predictor on two sets of images, trained from several seeds.

    A resample draws the patients of both sets together, so that one who has images in both counts alike in both, and
    the same seeds on both sides, as it is the same predictor. Resamples that leave a set without images are passed
    over.

    Args:
        before: One value for each seed and image, shape (S, N).
        before_patients: Whose image each of its columns is.
        after: Likewise of the other set, shape (S, M), of the same seeds in the same order.
        after_patients: Whose image each of its columns is.
        seed: Of the resampling.

    Returns:
        The change, with n = M.

    Raises:
        ValueError: As `crossed_mean`, for either; or if they are of unequally many seeds.
    """
    x, y = by_seed(before, before_patients), by_seed(after, after_patients)
    if len(x) != len(y):
        raise ValueError(f"Can't compare {len(x)} seeds with {len(y)}; both sets need the same trainings.")
    names, patient = patient_index([*before_patients, *after_patients])
    whose = patient[: len(before_patients)], patient[len(before_patients) :]
    low = high = None
    if all(len(np.unique(of_set)) > 1 for of_set in whose):
        of_patients, of_seeds = draws(len(names), seed), draws(len(x), seed, SEEDS)
        means = [
            _weighted_means(values, of_set, of_patients, of_seeds) for values, of_set in zip((x, y), whose, strict=True)
        ]
        changes = means[1] - means[0]
        low, high = percentiles(changes[~np.isnan(changes)])
    return Estimate(float(y.mean() - x.mean()), low, high, y.shape[1])


def sample_size(sd: float, half_width: float) -> int:
    """Records, each of another patient, needed for a mean whose 95 % interval is ± `half_width`.

    n = (z · sd / half_width)², rounded up, z = 1.96: the interval of a mean in a large sample. Two at least, as one
    patient has no interval.

    Args:
        sd: Standard deviation of one patient's value, e.g. of (false positive on edit) − (on reference), in the unit of
            `half_width`. A pilot gives it; for a share it is 0.5 at most, for a paired difference of shares 1.
        half_width: Of the interval, above 0.

    Raises:
        ValueError: If `sd` is negative or not finite, or `half_width` is not above 0.
    """
    if not (math.isfinite(sd) and sd >= 0 and math.isfinite(half_width) and half_width > 0):
        raise ValueError(
            f"Can't plan for a standard deviation of {sd} and an interval of ± {half_width}; expected sd ≥ 0 and a "
            "half width above 0, both in the same unit, e.g. 0.5 and 0.05 for ± 5 points of a rate."
        )
    z = float(norm.ppf((1 + LEVEL) / 2))
    return max(2, math.ceil((z * sd / half_width) ** 2))


def patient_index(patients: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """The patients, sorted, and the position among them of every image's."""
    names, position = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)
    return names.tolist(), position.astype(np.int64)


def draws(n: int, seed: int, stream: int = PATIENTS) -> NDArray[np.float64]:
    """How often each of n patients, or of n seeds, is drawn in every resample, shape (RESAMPLES, n)."""
    return _drawn(n, seed, stream, RESAMPLES)


@lru_cache(maxsize=8)
def _drawn(n: int, seed: int, stream: int, resamples: int) -> NDArray[np.float64]:
    """Kept, as a report draws the same patients for every number in it; not to be written to."""
    rng = np.random.default_rng([seed, n, stream])
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)
    drawn.flags.writeable = False
    return drawn


def percentiles(resampled: NDArray[np.float64]) -> tuple[float, float]:
    """Bounds that leave out (1 − LEVEL)/2 of the resamples at either end."""
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _resampled_means(x: NDArray[np.float64], patient: NDArray[np.int64], seed: int, stream: int) -> NDArray[np.float64]:
    """Mean of every resample, shape (RESAMPLES,), of values (S, N)."""
    return _weighted_means(x, patient, draws(int(patient.max()) + 1, seed), draws(len(x), seed, stream))


def _weighted_means(
    x: NDArray[np.float64],
    patient: NDArray[np.int64],
    of_patients: NDArray[np.float64],
    of_seeds: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Mean of values (S, N) under every row of the draws; NaN where a row leaves no image."""
    n = of_patients.shape[1]
    sums, counts = np.stack([np.bincount(patient, row, n) for row in x]), np.bincount(patient, minlength=n)
    total = ((of_seeds @ sums) * of_patients).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / (of_seeds.sum(axis=1) * (of_patients @ counts)))
