"""Statements about order: what they must be where that can be counted, and against other people's code."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from scipy import stats
from torchmetrics.functional.classification import binary_auroc

from radedit.harness.statistics.estimate import Estimate
from radedit.harness.statistics.ranks import auroc, kendall, precedence

RNG = np.random.default_rng(0)


def names(n: int, letter: str = "p") -> list[str]:
    return [f"{letter}{i:03d}" for i in range(n)]


def bounds(found: Estimate | None) -> tuple[float, float]:
    assert found is not None and found.low is not None and found.high is not None
    return found.low, found.high


def width(found: Estimate | None) -> float:
    low, high = bounds(found)
    return high - low


@pytest.mark.parametrize("decimals", [8, 1], ids=["distinct", "tied"])
def test_area_is_torchmetrics(decimals: int) -> None:
    positive, negative = RNG.uniform(0.2, 1, 70).round(decimals), RNG.uniform(0, 0.8, 50).round(decimals)
    found = auroc(positive, negative, names(70), names(50, "q"))
    scores, labels = np.append(positive, negative), np.repeat([1, 0], [70, 50])
    oracle = binary_auroc(torch.from_numpy(scores), torch.from_numpy(labels))
    assert found is not None and found.value == pytest.approx(float(oracle), abs=1e-6)
    assert found.n == 120


def test_interval_is_that_of_resampling_images_where_each_patient_has_one() -> None:
    positive, negative = RNG.normal(1, 1, 60), RNG.normal(0, 1, 80)
    found = auroc(positive, negative, names(60), names(80, "q"))

    def area(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray((a[..., :, None] > b[..., None, :]).mean(axis=(-2, -1)))

    oracle = stats.bootstrap(
        (positive, negative), area, n_resamples=1500, method="percentile", batch=100, rng=np.random.default_rng(1)
    )
    low, high = bounds(found)
    assert low == pytest.approx(oracle.confidence_interval.low, abs=0.015)
    assert high == pytest.approx(oracle.confidence_interval.high, abs=0.015)


def test_any_growing_function_of_the_scores_leaves_the_area() -> None:
    positive, negative = RNG.normal(1, 1, 40), RNG.normal(0, 1, 40)
    once = auroc(positive, negative, names(40), names(40, "q"))
    assert auroc(np.exp(positive), np.exp(negative), names(40), names(40, "q")) == once


def test_swapped_classes_mirror_the_area() -> None:
    positive, negative = RNG.normal(1, 1, 40), RNG.normal(0, 1, 30)
    there = auroc(positive, negative, names(40), names(30))
    back = auroc(negative, positive, names(30), names(40))
    assert there is not None and back is not None
    assert back.value == pytest.approx(1 - there.value)
    assert bounds(back)[0] == pytest.approx(1 - bounds(there)[1])


def test_copies_of_a_patients_images_say_nothing_new() -> None:
    positive, negative = RNG.normal(1, 1, 30), RNG.normal(0, 1, 30)
    once = auroc(positive, negative, names(30), names(30, "q"))
    thrice = auroc(
        np.repeat(positive, 3), np.repeat(negative, 3),
        np.repeat(names(30), 3).tolist(), np.repeat(names(30, "q"), 3).tolist(),
    )  # fmt: skip
    assert bounds(thrice) == pytest.approx(bounds(once))


def test_images_of_both_classes_of_a_patient_are_drawn_together() -> None:
    """What makes a patient score high lifts both classes; drawn together it cancels, drawn apart it doesn't."""
    patient = RNG.normal(0, 3, 60)
    positive, negative = patient + 0.5, patient - 0.5
    assert width(auroc(positive, negative, names(60), names(60))) < 0.7 * width(
        auroc(positive, negative, names(60), names(60, "q"))
    )


@pytest.mark.parametrize(("n_positive", "n_negative"), [(0, 3), (3, 0), (0, 0)])
def test_no_area_where_a_class_is_empty(n_positive: int, n_negative: int) -> None:
    assert auroc(np.ones(n_positive), np.zeros(n_negative), names(n_positive), names(n_negative)) is None


def test_class_of_one_patient_has_an_area_but_no_interval() -> None:
    found = auroc([0.9, 0.8], [0.1, 0.2, 0.3], ["a", "a"], names(3))
    assert found == Estimate(1.0, None, None, 5)


def test_area_of_eight_hundred_images_takes_less_than_two_seconds() -> None:
    scores = RNG.normal(size=(2, 800))
    start = time.process_time()
    auroc(scores[0], scores[1], names(800), names(800, "q"))
    assert time.process_time() - start < 2


@pytest.mark.parametrize(("before", "after", "expected"), [(0.9, 0.1, 1.0), (0.1, 0.9, 0.0), (0.5, 0.5, 0.5)])
def test_precedence_is_one_where_scores_fall_and_half_where_they_stay(
    before: float, after: float, expected: float
) -> None:
    assert precedence([before] * 4, [after] * 4, names(4)).value == expected


def test_precedence_of_swapped_images_is_the_rest() -> None:
    before, after = RNG.integers(0, 5, (2, 50))
    there, back = precedence(before, after, names(50)), precedence(after, before, names(50))
    assert there.value + back.value == pytest.approx(1)


def test_precedence_is_paired_where_the_area_is_not() -> None:
    """A small fall of every image: certain in pairs, hardly seen between the sets."""
    before = RNG.normal(0, 5, 60)
    assert precedence(before, before - 0.1, names(60)).value == 1
    area = auroc(before, before - 0.1, names(60), names(60))
    assert area is not None and area.value < 0.6


@pytest.mark.parametrize("decimals", [8, 1], ids=["distinct", "tied"])
def test_tau_is_scipys(decimals: int) -> None:
    x = RNG.uniform(size=20)
    y = x + RNG.normal(0, 0.2, 20)
    found = kendall(x.round(decimals), y.round(decimals))
    oracle = stats.kendalltau(x.round(decimals), y.round(decimals)).statistic
    assert found is not None and found.value == pytest.approx(oracle) and found.n == 20


def test_interval_of_tau_is_scipys_of_resampled_predictors() -> None:
    x = RNG.uniform(size=24)
    y = x + RNG.normal(0, 0.3, 24)
    drawn = RNG.integers(0, 24, (1500, 24))
    oracle = np.quantile([stats.kendalltau(x[i], y[i]).statistic for i in drawn], [0.025, 0.975])
    assert bounds(kendall(x, y)) == pytest.approx(tuple(oracle), abs=0.03)


def test_tau_of_opposite_orders_is_minus_one() -> None:
    found = kendall(np.arange(12), -np.arange(12))
    assert found is not None and found.value == pytest.approx(-1) and bounds(found) == pytest.approx((-1, -1))


@pytest.mark.parametrize("x", [[0.5, 0.5, 0.5], [0.5], []], ids=["equal", "one", "none"])
def test_no_tau_without_an_order(x: list[float]) -> None:
    assert kendall(x, list(range(len(x)))) is None


def test_four_predictors_have_a_tau_but_no_interval() -> None:
    assert kendall([1, 2, 3, 4], [1, 2, 3, 4]) == Estimate(1.0, None, None, 4)


def test_scores_and_patients_must_match() -> None:
    with pytest.raises(ValueError, match=r"shape \(2,\) of 3 patients"):
        auroc([0.1, 0.2], [0.3], names(3), names(1))
    with pytest.raises(ValueError, match="1 of them NaN"):
        precedence([0.1, float("nan")], [0.3, 0.4], names(2))
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(3,\)"):
        kendall([1, 2], [1, 2, 3])
