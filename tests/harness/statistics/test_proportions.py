"""Counts: shares with intervals, and predictions that differ."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.multitest import multipletests

from radedit.harness.statistics.proportions import exact_proportion, holm_adjusted, mcnemar, proportion

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("n", [0, 1, 2, 9, 40])
def test_p_values_of_several_tests_are_adjusted_as_by_statsmodels(n: int) -> None:
    raw = np.round(RNG.uniform(size=n) ** 3, 2)  # with ties
    assert holm_adjusted(raw) == pytest.approx(multipletests(raw, method="holm")[1] if n else [])


@pytest.mark.parametrize(("k", "n"), [(0, 20), (3, 20), (20, 20)])
def test_interval_of_a_share_is_scipys_wilson_interval(k: int, n: int) -> None:
    oracle = binomtest(k, n).proportion_ci(method="wilson")
    found = proportion(k, n)
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=1e-9)
    assert (found.value, found.n) == (k / n, n)


def test_no_false_alarm_of_twenty_is_not_none_ever() -> None:
    found = proportion(0, 20)
    assert found.high is not None and found.high > 0.1


@pytest.mark.parametrize(("k", "n"), [(0, 0), (3, 2), (-1, 5)])
def test_what_is_no_share_is_refused(k: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"{k} of {n} is no proportion"):
        proportion(k, n)


def test_only_differing_predictions_enter_the_test_of_pairs() -> None:
    a, b = [1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 1, 1, 1, 1, 1]
    found = mcnemar(a, b)
    assert (found.n01, found.n10) == (5, 1)
    assert found.p == pytest.approx(binomtest(1, 6).pvalue)
    assert mcnemar(a + [1] * 50, b + [1] * 50) == found


def test_swapped_predictions_swap_the_counts_and_leave_p() -> None:
    a, b = RNG.integers(0, 2, (2, 40))
    there, back = mcnemar(a, b), mcnemar(b, a)
    assert (there.n01, there.n10) == (back.n10, back.n01)
    assert there.p == pytest.approx(back.p)


def test_predictions_that_never_differ_have_p_one() -> None:
    assert mcnemar([True, False], [True, False]).p == 1


@pytest.mark.parametrize(("a", "b"), [([1, 0], [1]), ([], []), ([0.7], [1])], ids=["length", "none", "probability"])
def test_what_is_no_pair_of_predictions_is_refused(a: list[float], b: list[float]) -> None:
    with pytest.raises(ValueError, match="expected True or False"):
        mcnemar(a, b)


@pytest.mark.parametrize(("k", "n"), [(0, 60), (1, 38), (24, 24)])
def test_exact_interval_is_that_of_the_binomial_distribution(k: int, n: int) -> None:
    found, expected = exact_proportion(k, n), binomtest(k, n).proportion_ci()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
