"""Counts of independent things: a share of them, two predictions on each, and several tests at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from statsmodels.stats.contingency_tables import mcnemar as exact_mcnemar
from statsmodels.stats.proportion import proportion_confint

from radedit.harness.statistics.estimate import LEVEL, Estimate


@dataclass(frozen=True)
class McNemar:
    """Where two predictions of the same images differ.

    Attributes:
        n01: Times that a was wrong and b right.
        n10: Times that a was right and b wrong.
        p: Two-sided exact p-value of the two being equally frequent; 1 where predictions never differ.
    """

    n01: int
    n10: int
    p: float


def mcnemar(a_correct: ArrayLike, b_correct: ArrayLike) -> McNemar:
    """McNemar's exact test of an edit against its own sham, and of nothing else.

    It takes the pairs to be independent and to differ in one thing only. An edit and its sham do: same image, masks and
    noise. Edits against another set, or two predictors on patients with several images, do not; there the intervals of
    `radedit.harness.statistics.means` are to be used.

    Args:
        a_correct: Whether the prediction on each edit was right, bool or 0 and 1, shape (N,).
        b_correct: Likewise on its sham.

    Raises:
        ValueError: If they are not as many, none, or anything but 0 and 1.
    """
    a, b = np.asarray(a_correct, dtype=np.float64), np.asarray(b_correct, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape or not len(a) or not np.isin([a, b], (0, 1)).all():
        raise ValueError(
            f"Can't pair predictions of shapes {a.shape} and {b.shape} with values {np.unique(np.append(a, b))[:5]}; "
            "expected True or False (1 or 0) for each edit and, in the same order, for its sham."
        )
    n01, n10 = int(((a == 0) & (b == 1)).sum()), int(((a == 1) & (b == 0)).sum())
    alike = len(a) - n01 - n10  # does not enter the test
    return McNemar(n01, n10, float(exact_mcnemar([[alike, n10], [n01, 0]], exact=True).pvalue))


def proportion(k: int, n: int) -> Estimate:
    """A share k/n of independent things with Wilson's 95 % interval, which is not empty where k is 0 or n.

    Args:
        k: How many, e.g. unbiased predictors that were called biased.
        n: Of how many.

    Raises:
        ValueError: If not 0 ≤ k ≤ n with n > 0.
    """
    return _proportion(k, n, "wilson")


def exact_proportion(k: int, n: int) -> Estimate:
    """The same with the exact interval (Clopper and Pearson, 1934), which holds the truth in at least 95 % of cases."""
    return _proportion(k, n, "beta")


def _proportion(k: int, n: int, method: str) -> Estimate:
    if not 0 <= k <= n or n == 0:
        raise ValueError(f"{k} of {n} is no proportion; expected 0 ≤ k ≤ n and n of at least 1.")
    low, high = proportion_confint(k, n, alpha=1 - LEVEL, method=method)
    return Estimate(k / n, float(low), float(high), n)


def holm_adjusted(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p-values of tests that are taken together (Holm, 1979), in the order of the raw ones.

    As statsmodels' `multipletests`, which collects garbage at every call: half a second with torch in memory.
    """
    raw = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(raw, kind="stable")
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1)), 1.0)
    return adjusted
