"""Calibration says what was put into the probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from radedit.harness.performance.calibration import brier, expected_calibration_error, slope

N = 4000
PATIENTS = [f"p{i // 2}" for i in range(N)]


def truth(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (1, N) that are right, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    p = expit(rng.normal(0, 1.5, N))
    return p[None], (rng.uniform(size=N) < p).astype(float)


@pytest.mark.parametrize("sureness", [0.5, 1.0, 2.0])
def test_slope_is_what_the_log_odds_were_multiplied_by(sureness: float) -> None:
    p, y = truth()
    found = slope(expit(sureness * logit(p)), y, PATIENTS)
    assert found is not None and found.low is not None and found.high is not None
    assert found.value == pytest.approx(1 / sureness, rel=0.12)
    assert found.low < 1 / sureness < found.high


def test_slope_of_separated_classes_or_of_a_constant_is_none() -> None:
    y = np.array([0.0, 0, 1, 1])
    assert slope(np.array([[0.1, 0.2, 0.8, 0.9]]), y, ["a", "b", "c", "d"]) is None
    assert slope(np.full((1, 4), 0.5), y, ["a", "b", "c", "d"]) is None


def test_error_is_small_where_probabilities_are_right_and_as_large_as_they_are_wrong() -> None:
    p, y = truth()
    assert expected_calibration_error(p, y, PATIENTS).value < 0.03
    off = np.clip(p + 0.2, 0, 1)
    found = expected_calibration_error(off, y, PATIENTS)
    assert found.value == pytest.approx(float((off - p).mean()), abs=0.02)
    assert found.low is not None and found.high is not None and found.low < found.value < found.high + 0.01


def test_own_resampled_error_is_that_of_torchmetrics_on_the_sample_itself() -> None:
    """All patients are one of two alike, so that every resample is the sample."""
    p, y = (np.tile(values[..., :20], 2) for values in truth())
    found = expected_calibration_error(p, y, ["a"] * 20 + ["b"] * 20)
    assert (found.low, found.high) == pytest.approx((found.value, found.value), abs=1e-6)


def test_brier_is_0_for_certainty_and_a_quarter_for_a_coin() -> None:
    _, y = truth()
    assert brier(y[None], y, PATIENTS).value == 0
    assert brier(np.full((2, N), 0.5), y, PATIENTS).value == pytest.approx(0.25)


def test_several_trainings_are_averaged_and_their_spread_widens_the_interval() -> None:
    p, y = truth()
    one = slope(p, y, PATIENTS)
    two = slope(np.concatenate([expit(0.6 * logit(p)), expit(1.8 * logit(p))]), y, PATIENTS)
    assert one and two and one.high and one.low and two.high and two.low
    assert two.high - two.low > 2 * (one.high - one.low)
