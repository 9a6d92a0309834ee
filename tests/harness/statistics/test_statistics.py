"""Means with intervals: what they must be where that can be worked out, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from radedit.harness.statistics.estimate import Estimate
from radedit.harness.statistics.means import (
    clustered_mean,
    crossed_change,
    crossed_difference,
    crossed_mean,
    sample_size,
)

RNG = np.random.default_rng(0)


def names(n: int) -> list[str]:
    return [f"p{i:03d}" for i in range(n)]


@pytest.mark.parametrize("seed", range(3))
def test_one_image_a_patient_is_students_interval(seed: int) -> None:
    x = np.random.default_rng(seed).exponential(size=60)
    found = clustered_mean(x, names(60))
    oracle = stats.ttest_1samp(x, 0).confidence_interval()
    assert (found.value, found.low, found.high) == pytest.approx((x.mean(), oracle.low, oracle.high))


def test_interval_of_many_patients_is_normal_theorys() -> None:
    x = RNG.normal(size=500)
    found = clustered_mean(x, names(500))
    assert found.low is not None and found.high is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * x.std() / np.sqrt(500), rel=0.08)


def test_patients_are_resampled_not_images() -> None:
    x = RNG.normal(size=30)
    once = clustered_mean(x, names(30))
    five_times = clustered_mean(np.repeat(x, 5), np.repeat(names(30), 5).tolist())
    assert (five_times.low, five_times.high) == pytest.approx((once.low, once.high))  # copies say nothing new
    as_if_apart = clustered_mean(np.repeat(x, 5), names(150))
    assert as_if_apart.high - as_if_apart.low < 0.6 * (once.high - once.low)  # type: ignore[operator]


def test_patient_with_more_images_weighs_more() -> None:
    assert clustered_mean([1, 1, 1, 0], ["a", "a", "a", "b"]).value == 0.75


def test_order_of_images_does_not_matter() -> None:
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
    """Two conditions of the same images, which differ far less than the images do among themselves."""
    before, change = RNG.normal(0, 10, 50), RNG.normal(1, 0.1, 50)
    paired = clustered_mean(before + change - before, names(50))
    apart = clustered_mean(before + change, names(50))
    assert paired.high - paired.low < 0.05 * (apart.high - apart.low)  # type: ignore[operator]
    assert paired.low is not None and paired.low > 0.9


@pytest.mark.parametrize(
    ("values", "who"), [([0.5, float("nan")], ["a", "b"]), ([], []), ([1.0, 2.0], ["a"])], ids=["NaN", "none", "length"]
)
def test_what_has_no_mean_is_refused(values: list[float], who: list[str]) -> None:
    with pytest.raises(ValueError, match=f"{len(values)} values of {len(who)} patients"):
        clustered_mean(values, who)


def seeds_differ(seeds: int, images: int, spread: float) -> np.ndarray:
    """Values of an image that all seeds share, plus each seed's own shift."""
    return RNG.normal(size=images) + RNG.normal(0, spread, size=(seeds, 1))


def width(found: Estimate) -> float:
    assert found.low is not None and found.high is not None
    return found.high - found.low


def test_one_seed_leaves_patients_only() -> None:
    x = RNG.normal(size=40)
    assert crossed_mean(x[None], names(40)) == clustered_mean(x, names(40))


def test_seeds_that_agree_add_nothing() -> None:
    x = RNG.normal(size=40)
    once, five = crossed_mean(x[None], names(40)), crossed_mean(np.tile(x, (5, 1)), names(40))
    assert (five.low, five.high, five.n) == pytest.approx((once.low, once.high, 40))


def test_seeds_that_differ_widen_the_interval_as_theory_says() -> None:
    """Var = var(patients)/C + var(seeds)/S, as effects that add up have it."""
    x = seeds_differ(12, 150, spread=0.3)
    deviation = np.sqrt(x.mean(0).var() / 150 + x.mean(1).var() / 12)
    assert width(crossed_mean(x, names(150))) == pytest.approx(2 * 1.96 * deviation, rel=0.1)
    assert width(crossed_mean(x, names(150))) > 1.3 * width(clustered_mean(x.mean(0), names(150)))


def test_order_of_seeds_is_of_no_consequence_to_the_mean() -> None:
    x = seeds_differ(5, 30, spread=1.0)
    assert crossed_mean(x[::-1], names(30)).value == pytest.approx(crossed_mean(x, names(30)).value)


def test_images_of_a_patient_stay_together_in_every_seed() -> None:
    x = seeds_differ(4, 30, spread=0.1)
    once = crossed_mean(x, names(30))
    five_times = crossed_mean(np.repeat(x, 5, axis=1), np.repeat(names(30), 5).tolist())
    assert (five_times.low, five_times.high) == pytest.approx((once.low, once.high))


def test_one_patient_has_no_interval_however_many_seeds() -> None:
    found = crossed_mean(np.ones((5, 3)), ["a"] * 3)
    assert (found.low, found.high, found.n) == (None, None, 3)
    assert crossed_difference(np.ones((5, 3)), np.ones((5, 3)), ["a"] * 3).low is None


def test_difference_of_two_predictors_shares_the_patients() -> None:
    """Images differ far more than the predictors do."""
    hard = RNG.normal(0, 10, 50)
    a, b = hard + RNG.normal(1, 0.1, (5, 50)), hard + RNG.normal(0, 0.1, (3, 50))
    found = crossed_difference(a, b, names(50))
    assert found.value == pytest.approx(a.mean() - b.mean())
    assert width(found) < 0.05 * width(crossed_mean(a, names(50)))


def test_difference_of_two_predictors_does_not_pair_their_seeds() -> None:
    """Seed 3 of one predictor has nothing to do with seed 3 of another, so equal numbers do not cancel."""
    x = seeds_differ(6, 50, spread=1.0)
    seeds_alone = width(crossed_difference(np.tile(x.mean(1, keepdims=True), 50), np.zeros((1, 50)), names(50)))
    found = crossed_difference(x, x, names(50))
    assert found.value == 0
    assert width(found) == pytest.approx(np.sqrt(2) * seeds_alone, rel=0.1)


def test_difference_turned_round_changes_its_sign() -> None:
    a, b = seeds_differ(5, 60, spread=0.3), seeds_differ(5, 60, spread=0.3)
    there, back = crossed_difference(a, b, names(60)), crossed_difference(b, a, names(60))
    assert back.value == pytest.approx(-there.value)
    assert there.low is not None and back.high == pytest.approx(-there.low, abs=0.1 * width(there))


@pytest.mark.parametrize(
    ("values", "what"),
    [(np.ones(4), r"shape \(4,\)"), (np.ones((2, 3)), r"shape \(2, 3\)"), (np.ones((0, 4)), r"shape \(0, 4\)")],
    ids=["no seeds", "too few images", "empty"],
)
def test_values_that_are_not_seeds_by_images_are_refused(values: np.ndarray, what: str) -> None:
    with pytest.raises(ValueError, match=f"{what} over 4 patients"):
        crossed_mean(values, names(4))
    with pytest.raises(ValueError, match=f"{what} over 4 patients"):
        crossed_difference(np.ones((1, 4)), values, names(4))


def test_planned_number_gives_the_planned_interval() -> None:
    n = sample_size(sd=0.5, half_width=0.05)
    assert n == 385  # the textbook's number for a share of one half, ± 5 points
    x = np.random.default_rng(1).permutation(np.arange(n) % 2)
    assert width(clustered_mean(x, names(n))) == pytest.approx(2 * 0.05, rel=0.08)


def test_half_the_width_takes_four_times_the_records() -> None:
    assert sample_size(0.4, 0.05) == pytest.approx(4 * sample_size(0.4, 0.1), abs=4)


@pytest.mark.parametrize(("sd", "half_width"), [(-0.1, 0.05), (0.5, 0.0), (float("nan"), 0.05), (0.5, float("inf"))])
def test_plan_that_can_not_be_made_is_refused(sd: float, half_width: float) -> None:
    with pytest.raises(ValueError, match="Can't plan"):
        sample_size(sd, half_width)


def test_change_between_other_patients_is_the_difference_of_the_means_and_as_uncertain_as_both() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.normal(0, 1, (3, 400)), rng.normal(1, 1, (3, 400))
    found = crossed_change(before, [f"a{i}" for i in range(400)], after, [f"b{i}" for i in range(400)])
    assert found.value == pytest.approx(after.mean() - before.mean())
    assert found.low is not None and found.high is not None and found.low < found.value < found.high
    # Three seeds that agree add little: about 1.96 · √(2 / 400 / 3) to either side.
    assert 0.05 < (found.high - found.low) / 2 < 0.16


def test_change_on_the_same_images_is_paired() -> None:
    rng = np.random.default_rng(0)
    before = rng.normal(0, 1, (2, 60))
    who = [f"p{i // 2}" for i in range(60)]
    found = crossed_change(before, who, before + 0.3, who)
    assert (found.value, found.low, found.high) == pytest.approx((0.3, 0.3, 0.3))


def test_change_needs_the_same_seeds_on_both_sides() -> None:
    with pytest.raises(ValueError, match="2 seeds with 1"):
        crossed_change(np.zeros((2, 3)), list("abc"), np.zeros((1, 3)), list("def"))
