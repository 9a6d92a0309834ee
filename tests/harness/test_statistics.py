"""Means with intervals: what they must be where that can be worked out, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from radedit.harness.statistics import clustered_mean

RNG = np.random.default_rng(0)


def names(n: int) -> list[str]:
    return [f"p{i:03d}" for i in range(n)]


@pytest.mark.parametrize("seed", range(3))
def test_one_film_a_patient_is_the_ordinary_bootstrap(seed: int) -> None:
    x = np.random.default_rng(seed).exponential(size=60)
    found = clustered_mean(x, names(60), seed=seed)
    oracle = stats.bootstrap(
        (x,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(seed), vectorized=True
    )
    within = 0.15 * oracle.standard_error  # quantiles of 2,000 resamples are off by about 0.06 standard errors
    assert found.value == pytest.approx(x.mean())
    assert found.low == pytest.approx(oracle.confidence_interval.low, abs=within)
    assert found.high == pytest.approx(oracle.confidence_interval.high, abs=within)


def test_interval_of_many_patients_is_normal_theorys() -> None:
    x = RNG.normal(size=500)
    found = clustered_mean(x, names(500))
    assert found.low is not None and found.high is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * x.std() / np.sqrt(500), rel=0.08)


def test_patients_are_resampled_not_films() -> None:
    x = RNG.normal(size=30)
    once = clustered_mean(x, names(30))
    five_times = clustered_mean(np.repeat(x, 5), np.repeat(names(30), 5).tolist())
    assert (five_times.low, five_times.high) == pytest.approx((once.low, once.high))  # copies say nothing new
    as_if_apart = clustered_mean(np.repeat(x, 5), names(150))
    assert as_if_apart.high - as_if_apart.low < 0.6 * (once.high - once.low)  # type: ignore[operator]


def test_patient_with_more_films_weighs_more() -> None:
    assert clustered_mean([1, 1, 1, 0], ["a", "a", "a", "b"]).value == 0.75


def test_order_of_films_does_not_matter() -> None:
    x, who, order = RNG.normal(size=40), names(20) * 2, RNG.permutation(40)
    shuffled = clustered_mean(x[order], [who[i] for i in order])
    assert (shuffled.low, shuffled.high) == pytest.approx(
        (clustered_mean(x, who).low, clustered_mean(x, who).high), rel=1e-12
    )


def test_one_patient_has_no_interval() -> None:
    found = clustered_mean([0.0, 1.0, 1.0], ["a", "a", "a"])
    assert found.value == pytest.approx(2 / 3)
    assert (found.low, found.high, found.n) == (None, None, 3)


def test_constant_difference_is_certain() -> None:
    before = RNG.normal(size=25)
    found = clustered_mean(before + 0.25 - before, names(25))
    assert (found.low, found.high) == pytest.approx((0.25, 0.25))


def test_difference_is_paired() -> None:
    """Two conditions of the same films, which differ far less than the films do among themselves."""
    before, change = RNG.normal(0, 10, 50), RNG.normal(1, 0.1, 50)
    paired = clustered_mean(before + change - before, names(50))
    apart = clustered_mean(before + change, names(50))
    assert paired.high - paired.low < 0.05 * (apart.high - apart.low)  # type: ignore[operator]
    assert paired.low is not None and paired.low > 0.9


@pytest.mark.parametrize(
    ("values", "who"), [([0.5, float("nan")], ["a", "b"]), ([], []), ([1.0, 2.0], ["a"])], ids=["NaN", "none", "length"]
)
def test_what_has_no_mean_is_refused(values: list[float], who: list[str]) -> None:
    with pytest.raises(ValueError, match=f"{len(values)} values of {len(who)} subjects"):
        clustered_mean(values, who)
