"""Means with a given interval, for tests of what is made of them."""

from __future__ import annotations

from scipy.stats import norm

from radedit.harness.statistics.intervals import Mean

MANY = 10**6  # clusters, so that t is normal


def mean(low: float, high: float, n: int = 100, seeds: int = 1) -> Mean:
    """One whose 95 % interval is from `low` to `high`, in the middle the value."""
    error = (high - low) / 2 / float(norm.ppf(0.975))
    return Mean((low + high) / 2, n, MANY, error, n, seeds=seeds)


def unknown(value: float, n: int = 100) -> Mean:
    """One of a single patient, which has no interval."""
    return Mean(value, n, 1, 0.0, n)
