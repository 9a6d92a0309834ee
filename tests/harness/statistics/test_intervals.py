"""Intervals at few events, of clusters, reused references and seeds: published, exact and covered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from radedit.harness.statistics.intervals import mean_of, tango, wilson


def names(n: int) -> list[str]:
    return [f"p{i:04d}" for i in range(n)]


@pytest.mark.parametrize(
    ("gained", "lost", "n", "low", "high"),
    [(7, 1, 21, 0.0260, 0.5172), (0, 1, 44, -0.1181, 0.0594)],  # Fagerland et al. (2014); Tango (1998)
)
def test_tango_gives_the_published_intervals(gained: int, lost: int, n: int, low: float, high: float) -> None:
    found = tango((gained - lost) / n, (gained + lost) / n, n, float(norm.ppf(0.975)))
    assert found == pytest.approx((low, high), abs=2e-4)


@pytest.mark.parametrize(("events", "n"), [(0, 38), (1, 38), (0, 100), (1, 100), (2, 300)])
@pytest.mark.parametrize("paired", [True, False])
def test_upper_bound_of_few_events_is_not_below_the_exact_one(events: int, n: int, paired: bool) -> None:
    """1 of 38 may be 13.8 points; a bootstrap says 7.9."""
    x = (np.arange(n) < events).astype(float)
    high = mean_of(x[None], names(n), paired=paired).at().high
    assert high is not None and high >= 0.98 * binomtest(events, n).proportion_ci().high
    if n == 38:
        assert high >= (0.138 if events else 0.0925)


def test_share_is_never_below_nought_but_a_difference_may_be() -> None:
    x = np.zeros((1, 40))
    assert mean_of(x, names(40)).at().low == 0 and mean_of(x, names(40), paired=True).at().low < -0.08  # type: ignore[operator]


def test_interval_of_a_difference_turned_round_changes_its_sign() -> None:
    x = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], size=(3, 50), p=[0.1, 0.6, 0.3])
    one, other = mean_of(x, names(50)).at(), mean_of(-x, names(50)).at()
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))  # type: ignore[operator]


@given(st.floats(0.5, 0.99), st.integers(0, 40))
def test_higher_level_is_wider(level: float, events: int) -> None:
    mean = mean_of((np.arange(40) < events).astype(float)[None], names(40), paired=True)
    narrow, wide = mean.at(level), mean.at(level + 0.009)
    assert wide.low <= narrow.low and wide.high >= narrow.high  # type: ignore[operator]


def test_copies_of_a_patients_records_are_worth_one() -> None:
    x = (np.arange(30) < 9).astype(float)
    found = mean_of(np.repeat(x, 4)[None], np.repeat(names(30), 4).tolist())
    assert found.n == 120 and found.n_effective == pytest.approx(30, abs=3)


@pytest.mark.parametrize("paired", [True, False])
def test_without_events_a_patient_counts_once(paired: bool) -> None:
    found = mean_of(np.zeros((1, 60)), np.repeat(names(20), 3).tolist(), paired=paired)
    assert found.n_effective == pytest.approx(20)


def test_no_event_in_patients_of_unequal_numbers_of_images_is_as_good_as_in_one_image_each() -> None:
    """(1 − p) to the number of patients is how likely that is, if a patient's images are all alike."""
    patients = [f"p{i}" for i in [*range(24), *np.repeat(range(24, 28), 2), *np.repeat(range(28, 30), 3)]]
    found = mean_of(np.zeros((1, 38)), patients, paired=True)
    assert found.n_effective == pytest.approx(30)
    high = found.at().high
    assert high is not None and binomtest(0, 30).proportion_ci().high <= high < 0.125


def test_few_references_leave_the_losses_unknown_and_not_the_gains() -> None:
    references = [f"r{i % 10}" for i in range(300)]
    own = mean_of(np.zeros((1, 300)), names(300), paired=True).at()
    reused = mean_of(np.zeros((1, 300)), names(300), references, paired=True).at()
    assert own.low > -0.02 and reused.low < -0.2  # type: ignore[operator]
    assert reused.high is not None and reused.high < 0.03


def test_gains_that_do_not_go_together_say_nothing_of_losses_that_were_not_seen() -> None:
    """Ten references serve 300 sources; three flips in three of them, no loss: all of one may still be lost."""
    references = [f"r{i % 10}" for i in range(300)]
    x = np.zeros((1, 300))
    x[0, :3] = 1
    found = mean_of(x, references, names(300), paired=True, losers=references).at()
    assert found.low is not None and found.high is not None and found.low < -0.25 and found.high < 0.15


def test_seeds_that_differ_widen_the_interval_by_t_of_seeds() -> None:
    rng = np.random.default_rng(0)
    alike = np.tile(rng.uniform(size=300) < 0.3, (3, 1)).astype(float)
    differ = (rng.uniform(size=(3, 300)) < np.array([[0.1], [0.3], [0.5]])).astype(float)
    one, other = mean_of(alike, names(300)).at(), mean_of(differ, names(300)).at()
    assert one.high - one.low < 0.12 and other.high - other.low > 0.5  # type: ignore[operator]


def test_seeds_never_raise_the_number_of_independent_records() -> None:
    x = (np.random.default_rng(0).uniform(size=(5, 100)) < 0.1).astype(float)
    assert mean_of(x, names(100)).n_effective <= 100


def test_wilson_is_statsmodels() -> None:
    from statsmodels.stats.proportion import proportion_confint

    z = float(norm.ppf(0.975))
    assert wilson(0.2, 50, z) == pytest.approx(proportion_confint(10, 50, method="wilson"))


@pytest.mark.parametrize("p", [0.03, 0.1, 0.5])
@pytest.mark.parametrize(("n", "seeds", "references"), [(38, 1, None), (100, 3, None), (100, 1, 25)])
def test_interval_covers_the_truth(p: float, n: int, seeds: int, references: int | None) -> None:
    """Of 400 made-up sets the 95 % interval has the truth in at least 92 %: 3 standard errors below 95."""
    rng = np.random.default_rng([int(100 * p), n, seeds])
    patients = [f"p{i // 2}" if i < n // 2 else f"q{i}" for i in range(n)]
    whose = None if references is None else [f"r{i % references}" for i in range(n)]
    of_patient, threshold = np.unique(patients, return_inverse=True)[1], norm.ppf(p)
    hits = 0
    for _ in range(400):
        cluster = rng.normal(size=n)[of_patient]
        shift = rng.normal(0, 0.25, size=(seeds, 1)) if seeds > 1 else np.zeros((1, 1))
        scale = np.sqrt(1 + (0.25**2 if seeds > 1 else 0))
        latent = (shift + np.sqrt(0.3) * cluster + np.sqrt(0.7) * rng.normal(size=n)) / scale
        gained = (latent < threshold).astype(float)
        lost = np.zeros(n)
        if references is not None:
            lost = (rng.uniform(size=references) < 0.02).astype(float)[np.arange(n) % references]
        found = mean_of(gained - lost, patients, whose, paired=True).at()
        truth = p - (0.02 if references is not None else 0)
        hits += found.low <= truth <= found.high  # type: ignore[operator]
    assert hits / 400 >= 0.92


@pytest.mark.parametrize(
    ("values", "references", "what"),
    [
        (np.ones(4), None, r"shape \(4,\)"),
        (np.full((1, 4), np.nan), None, "4 of them NaN"),
        (np.ones((1, 4)), ["a"], "1 references for 4 records"),
    ],
    ids=["no seeds", "NaN", "references"],
)
def test_values_that_have_no_mean_are_refused(values: np.ndarray, references: list[str] | None, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        mean_of(values, names(4), references)
