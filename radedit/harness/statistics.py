"""Means with intervals that know who belongs to whom: patients and predictor seeds are resampled, not films."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

RESAMPLES = 2000
LEVEL = 0.95
INTERVAL = f"{LEVEL:.0%} interval, bootstrap over patients, {RESAMPLES} resamples"
CROSSED_INTERVAL = f"{LEVEL:.0%} interval, bootstrap over patients and predictor seeds, crossed, {RESAMPLES} resamples"
PATIENTS, SEEDS, OTHER_SEEDS = range(3)  # streams of draws, independent of each other


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; the bounds are None where fewer than two patients leave nothing to resample."""

    value: float
    low: float | None
    high: float | None
    n: int

    def dict(self) -> dict[str, float | int | None]:
        """As JSON has it."""
        return asdict(self)


def clustered_mean(values: ArrayLike, subjects: Sequence[str], *, seed: int = 0) -> Estimate:
    """Mean of one value a film, with a percentile bootstrap interval over patients.

    Differences between two conditions of the same films are paired by handing in the films' differences.

    Args:
        values: One a film; NaN is refused.
        subjects: Whose film each is.
        seed: Of the resampling.

    Raises:
        ValueError: If there are no values, a NaN, or not as many subjects as values.
    """
    x = np.asarray(values, dtype=np.float64)
    if len(x) == 0 or len(x) != len(subjects) or np.isnan(x).any():
        raise ValueError(
            f"Can't average {len(x)} values of {len(subjects)} subjects, {int(np.isnan(x).sum())} of them NaN."
        )
    return crossed_mean(x[None], subjects, seed=seed)


def crossed_mean(values: ArrayLike, subjects: Sequence[str], *, seed: int = 0) -> Estimate:
    """Mean over predictor seeds and films, with a percentile bootstrap interval over patients and seeds, crossed.

    Every resample draws patients and, apart from them, seeds; a value counts as often as its patient was drawn, times
    as often as its seed was (Owen, 2007, "The pigeonhole bootstrap"). One seed leaves patients only.

    Args:
        values: One for each seed and film, shape (S, N); NaN is refused.
        subjects: Whose film each column is, N of them.
        seed: Of the resampling.

    Returns:
        The mean, with n = N.

    Raises:
        ValueError: If the shape is not (S, N) with at least one of each, or a value is NaN.

    Note:
        A bootstrap sees (S − 1)/S of the seeds' variance, four fifths with five. It doesn't know of seeds that were
        not trained: with one, nothing is said about another training of the same predictor.
    """
    x = _by_seed(values, subjects)
    _, patient = patients(subjects)
    low, high = percentiles(_resampled_means(x, patient, seed, SEEDS)) if patient.max() else (None, None)
    return Estimate(float(x.mean()), low, high, x.shape[1])


def crossed_difference(a: ArrayLike, b: ArrayLike, subjects: Sequence[str], *, seed: int = 0) -> Estimate:
    """mean(a) − mean(b) of two predictors on the same films, each trained from several seeds.

    A resample has the same patients on both sides, so what is hard about a film cancels; seeds of `a` and of `b` are
    drawn independently, as nothing pairs them.

    Args:
        a: One value for each seed and film, shape (S_a, N).
        b: Likewise, shape (S_b, N), of the same films in the same order.
        subjects: Whose film each column is, N of them.
        seed: Of the resampling.

    Returns:
        The difference, with n = N.

    Raises:
        ValueError: As `crossed_mean`, for either.
    """
    x, y = _by_seed(a, subjects), _by_seed(b, subjects)
    _, patient = patients(subjects)
    low = high = None
    if patient.max():
        of_a, of_b = (
            _resampled_means(values, patient, seed, stream) for values, stream in ((x, SEEDS), (y, OTHER_SEEDS))
        )
        low, high = percentiles(of_a - of_b)
    return Estimate(float(x.mean() - y.mean()), low, high, x.shape[1])


def crossed_change(
    before: ArrayLike,
    before_subjects: Sequence[str],
    after: ArrayLike,
    after_subjects: Sequence[str],
    *,
    seed: int = 0,
) -> Estimate:
    """mean(after) − mean(before) of one predictor on two sets of films, trained from several seeds.

    A resample draws the patients of both sets together, so that one who has films in both counts alike in both, and the
    same seeds on both sides, as it is the same predictor. Resamples that leave a set without films are passed over.

    Args:
        before: One value for each seed and film, shape (S, N).
        before_subjects: Whose film each of its columns is.
        after: Likewise of the other set, shape (S, M), of the same seeds in the same order.
        after_subjects: Whose film each of its columns is.
        seed: Of the resampling.

    Returns:
        The change, with n = M.

    Raises:
        ValueError: As `crossed_mean`, for either; or if they are of unequally many seeds.
    """
    x, y = _by_seed(before, before_subjects), _by_seed(after, after_subjects)
    if len(x) != len(y):
        raise ValueError(f"Can't compare {len(x)} seeds with {len(y)}; both sets need the same trainings.")
    names, patient = patients([*before_subjects, *after_subjects])
    whose = patient[: len(before_subjects)], patient[len(before_subjects) :]
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


def patients(subjects: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """The patients, sorted, and the position among them of every film's."""
    names, position = np.unique(np.asarray(subjects, dtype=object).astype(str), return_inverse=True)
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
    """Mean of values (S, N) under every row of the draws; NaN where a row leaves no film."""
    n = of_patients.shape[1]
    sums, counts = np.stack([np.bincount(patient, row, n) for row in x]), np.bincount(patient, minlength=n)
    total = ((of_seeds @ sums) * of_patients).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / (of_seeds.sum(axis=1) * (of_patients @ counts)))


def _by_seed(values: ArrayLike, subjects: Sequence[str]) -> NDArray[np.float64]:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 2 or x.size == 0 or x.shape[1] != len(subjects):
        raise ValueError(
            f"Can't average values of shape {x.shape} over {len(subjects)} subjects; expected (seeds, films), at least "
            "one of each, and one subject a film. One seed alone is values[None]."
        )
    if np.isnan(x).any():
        raise ValueError(
            f"Can't average values of shape {x.shape}, {int(np.isnan(x).sum())} of them NaN; leave out the films that "
            "lack a value, for all seeds alike."
        )
    return x
