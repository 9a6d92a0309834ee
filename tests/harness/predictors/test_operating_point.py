"""The threshold reaches what was asked on the images that chose it, at the least cost of the other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_sensitivity_at_specificity, binary_specificity_at_sensitivity

from radedit.harness.predictors.classify import Scores
from radedit.harness.predictors.operating_point import OperatingPoint
from radedit.harness.predictors.predictions import Predictions


def images(seed: int, n: int = 80) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.uniform(size=n) < 0.4).astype(int)
    return labels, np.round(np.clip(rng.normal(0.35 + 0.3 * labels, 0.2), 0, 1), 2)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.5, 0.8, 0.95, 1.0])
def test_threshold_reaches_what_is_asked_and_the_other_is_the_best_that_can_be(seed: int, share: float) -> None:
    labels, p = images(seed)
    tensors = torch.from_numpy(p), torch.from_numpy(labels)
    called = p >= OperatingPoint(sensitivity=share).threshold(labels, p)
    assert called[labels == 1].mean() >= share
    best, _ = binary_specificity_at_sensitivity(*tensors, min_sensitivity=share)
    assert (~called)[labels == 0].mean() == pytest.approx(float(best), abs=1e-6)
    called = p >= OperatingPoint(specificity=share).threshold(labels, p)
    assert (~called)[labels == 0].mean() >= share
    best, _ = binary_sensitivity_at_specificity(*tensors, min_specificity=share)
    assert called[labels == 1].mean() == pytest.approx(float(best), abs=1e-6)


def test_rounding_moves_no_prediction_across_the_threshold() -> None:
    labels, p = images(7)
    for rule in (OperatingPoint(sensitivity=0.9), OperatingPoint(specificity=0.9)):
        threshold = rule.threshold(labels, p)
        assert np.array_equal(p >= threshold, p + 0.004 >= threshold)
        assert np.array_equal(p >= threshold, p - 0.004 >= threshold)


def test_all_may_be_called_negative_where_all_negatives_must_be() -> None:
    assert OperatingPoint(specificity=1.0).threshold([1, 0], [0.2, 1.0]) > 1.0


@pytest.mark.parametrize("given", [{}, {"sensitivity": 0.0}, {"sensitivity": 95}, {"sensitivity": 1, "specificity": 1}])
def test_what_is_no_operating_point_is_refused(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"expected one of them.*predictor\.operating_point\.sensitivity=0\.95"):
        OperatingPoint(**given)


def test_a_test_set_of_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="without the finding"):
        OperatingPoint(specificity=0.9).threshold([1, 1], [0.2, 0.4])


def test_predictions_are_made_at_the_threshold_and_say_so() -> None:
    scores = Scores(["a", "b"], ["p", "q"], np.array([1, 0]), np.array([0.4, 0.6]))
    usual, lower = Predictions.of_scores(scores), Predictions.of_scores(scores, 0.3)
    assert usual.values["positive"].tolist() == [[0, 1]] and "threshold" not in usual.values
    assert lower.values["positive"].tolist() == [[1, 1]] and lower.values["correct"].tolist() == [[1, 0]]
    assert lower.values["threshold"].tolist() == [[0.3, 0.3]]
    assert str(OperatingPoint(sensitivity=0.95)) == "sensitivity 0.95"
