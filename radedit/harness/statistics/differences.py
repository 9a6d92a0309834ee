"""A mean over some records less that over others, of one predictor, with an interval that holds at few events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from radedit.harness.statistics.estimate import LEVEL, Estimate
from radedit.harness.statistics.intervals import Mean, by_seed, mean_of

LEAST_P = 1e-9


@dataclass(frozen=True)
class Difference:
    """Mean of one group of records less that of another.

    Attributes:
        one, two: Their means; what the trainings differ by is left out of both.
        seeds: Trainings of the predictor.
        seed_error: Standard error of the difference between them; 0 of one.

    Note:
        Distances to the bounds of both intervals add as squares (MOVER: Zou and Donner, 2008). A patient with records
        in both groups makes the interval too wide, never too narrow, as his records are alike.
    """

    one: Mean
    two: Mean
    seeds: int = 1
    seed_error: float = 0.0

    @property
    def value(self) -> float:
        """The difference."""
        return self.one.value - self.two.value

    def at(self, level: float = LEVEL) -> Estimate:
        """The difference with its two-sided interval at a level, 0…1; n counts the records of the first group."""
        a, b = self.one.at(level), self.two.at(level)
        if a.low is None or a.high is None or b.low is None or b.high is None:
            return Estimate(self.value, None, None, self.one.n)
        seeds = self.seed_error and float(stdtrit(self.seeds - 1, (1 + level) / 2)) * self.seed_error
        down = math.hypot(a.value - a.low, b.high - b.value, seeds)
        up = math.hypot(a.high - a.value, b.value - b.low, seeds)
        return Estimate(self.value, self.value - down, self.value + up, self.one.n)

    def p_value(self) -> float | None:
        """Smallest two-sided error level at which the interval leaves out 0; None where there is no interval."""
        if self.at().low is None:
            return None
        outside, inside = 1.0, 0.0  # error levels at which 0 lies outside and inside
        if self._holds_zero(1 - 1e-6):
            return 1.0
        if not self._holds_zero(LEAST_P):
            return LEAST_P
        inside = LEAST_P
        while outside / inside > 1.01:
            middle = math.sqrt(inside * outside)
            inside, outside = (middle, outside) if self._holds_zero(middle) else (inside, middle)
        return outside

    def _holds_zero(self, error: float) -> bool:
        found = self.at(1 - error)
        assert found.low is not None and found.high is not None
        return found.low <= 0 <= found.high


def difference_of(
    values: ArrayLike,
    patients: Sequence[str],
    one: NDArray[np.bool_],
    two: NDArray[np.bool_],
    references: Sequence[str] | None = None,
    *,
    paired: bool = False,
) -> Difference:
    """Mean of some records less that of others, of the same trainings.

    Args:
        values: One for each seed and record, shape (S, N).
        patients: Whose image each record is, N of them.
        one: Which records are in the first group, shape (N,).
        two: Which are in the second.
        references: As for `mean_of`.
        paired: Whether values are differences of two measures of a record, likewise.

    Raises:
        ValueError: As `mean_of`, for either.
    """
    x = by_seed(values, patients, references)

    def mean(group: NDArray[np.bool_]) -> Mean:
        who, whom = (None if names is None else list(np.asarray(names)[group]) for names in (patients, references))
        assert who is not None
        return replace(mean_of(x[:, group], who, whom, paired=paired), seed_error=0.0)

    of_seeds = x[:, one].mean(axis=1) - x[:, two].mean(axis=1)
    error = float(of_seeds.std(ddof=1)) / math.sqrt(len(x)) if len(x) > 1 else 0.0
    return Difference(mean(one), mean(two), len(x), error)
