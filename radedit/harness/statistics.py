"""Means with intervals that know who belongs to whom: patients are resampled, not films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2000
LEVEL = 0.95
INTERVAL = f"{LEVEL:.0%} interval, bootstrap over patients, {RESAMPLES} resamples"


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval; the bounds are None where fewer than two patients leave nothing to resample."""

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
    _, cluster = np.unique(np.asarray(subjects, dtype=object).astype(str), return_inverse=True)
    sums, counts = np.bincount(cluster, weights=x), np.bincount(cluster).astype(np.float64)
    n_clusters = len(sums)
    if n_clusters < 2:
        return Estimate(float(x.mean()), None, None, len(x))
    weights = _weights(n_clusters, seed)
    means = (weights @ sums) / (weights @ counts)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(x.mean()), float(low), float(high), len(x))


def _weights(n: int, seed: int) -> NDArray[np.float64]:
    """How often each of n patients is drawn, for every resample."""
    rng = np.random.default_rng([seed, n])
    return rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)
