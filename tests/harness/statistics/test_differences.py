"""A difference of two groups: wide enough at few events, nothing counted twice."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from radedit.harness.statistics.differences import difference_of

N = 100
PATIENTS = [f"p{i:03d}" for i in range(N)]
ONE = np.arange(N) < 40


def values(events: int, others: int) -> np.ndarray:
    """One training whose first group has `events` ones and the rest `others`."""
    x = np.zeros((1, N))
    x[0, :events] = 1
    x[0, 40 : 40 + others] = 1
    return x


def test_value_is_the_difference_of_the_means() -> None:
    found = difference_of(values(20, 6), PATIENTS, ONE, ~ONE, paired=True)
    assert found.value == pytest.approx(20 / 40 - 6 / 60)
    interval = found.at()
    assert interval.n == 40 and interval.low < found.value < interval.high


def test_interval_and_p_agree_on_zero() -> None:
    for events in range(0, 16):
        found = difference_of(values(events, 3), PATIENTS, ONE, ~ONE, paired=True)
        interval, p = found.at(), found.p_value()
        assert (p < 0.05) == (not interval.low <= 0 <= interval.high)


def test_p_falls_with_the_difference_and_is_one_at_none() -> None:
    found = [difference_of(values(events, 6), PATIENTS, ONE, ~ONE, paired=True).p_value() for events in (4, 10, 20, 39)]
    falling = all(one is not None and two is not None and one >= two for one, two in pairwise(found))
    assert falling and found[0] == 1.0 and found[-1] is not None and found[-1] < 1e-4


def test_no_events_give_an_interval_that_is_not_empty() -> None:
    interval = difference_of(values(0, 0), PATIENTS, ONE, ~ONE, paired=True).at()
    assert interval.low < -0.03 and interval.high > 0.05


def test_what_trainings_share_cancels_and_what_they_do_not_widens() -> None:
    rng = np.random.default_rng(0)
    base = (rng.uniform(size=N) < 0.3).astype(float)
    same = np.stack([base, base, base])
    one = difference_of(base[None], PATIENTS, ONE, ~ONE, paired=True).at()
    three = difference_of(same, PATIENTS, ONE, ~ONE, paired=True).at()
    assert (three.low, three.high) == pytest.approx((one.low, one.high))
    apart = np.stack([np.where(ONE, base, 0), base, np.where(ONE, 1 - base, base)])
    found = difference_of(apart, PATIENTS, ONE, ~ONE, paired=True)
    assert found.seed_error > 0 and found.at().high - found.at().low > one.high - one.low


def test_one_patient_has_no_interval() -> None:
    found = difference_of(values(4, 4), ["p0"] * 40 + PATIENTS[40:], ONE, ~ONE, paired=True)
    assert found.at().low is None and found.p_value() is None


def test_difference_holds_the_truth_often_enough() -> None:
    rng, holds = np.random.default_rng(1), 0
    for _ in range(200):
        x = (rng.uniform(size=N) < np.where(ONE, 0.10, 0.02)).astype(float)[None]
        found = difference_of(x, PATIENTS, ONE, ~ONE, paired=True).at()
        holds += found.low <= 0.08 <= found.high
    assert holds / 200 >= 0.93
