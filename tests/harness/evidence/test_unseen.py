"""Does a model see the finding at all? Never-yes, always-yes, untrained and inverted models do not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from radedit.harness.evidence.unseen import unseen
from radedit.harness.evidence.verdict import Rules
from radedit.harness.predictors.predictions import Measured, Predictions

N = 60
RECORDS = [f"p{number}" for number in range(N)]


def model(source: NDArray[np.float64], reference: NDArray[np.float64]) -> Measured:
    """One that gives these probabilities, and says yes from 0.5."""

    def predictions(probability: NDArray[np.float64], label: float) -> Predictions:
        positive = (probability >= 0.5).astype(float)
        values = {"probability": probability, "positive": positive, "correct": 1 - np.abs(positive - label)}
        return Predictions(RECORDS, RECORDS, {name: value[None] for name, value in values.items()})

    return Measured("model", "", {"source": predictions(source, 1.0), "reference": predictions(reference, 0.0)})


def reasons(source: NDArray[np.float64] | float, reference: NDArray[np.float64] | float) -> list[str]:
    full = [np.broadcast_to(np.asarray(p, dtype=float), N).copy() for p in (source, reference)]
    return unseen(model(*full), RECORDS, "correct", Rules())


def test_a_model_that_sees_the_finding_is_tested() -> None:
    assert reasons(0.9, 0.1) == []


def test_a_model_that_never_says_yes_is_not() -> None:
    first, why = reasons(0.0, 0.0)
    assert first.startswith("Its sensitivity on the originals is 0 %")
    assert "test a model that detects the finding" in why


def test_a_model_that_always_says_yes_is_not() -> None:
    assert reasons(1.0, 1.0)[0].startswith("Its specificity on the references is 0 %")


def test_an_untrained_model_is_not() -> None:
    rng = np.random.default_rng(0)
    assert reasons(rng.uniform(0.4, 0.6, N), rng.uniform(0.4, 0.6, N))


def test_an_inverted_model_is_named() -> None:
    assert "it predicts the opposite" in reasons(0.1, 0.9)[-1]


def test_a_threshold_that_is_too_high_is_named_with_a_better_one() -> None:
    why = reasons(np.linspace(0.3, 0.4, N), np.linspace(0.0, 0.1, N))[-1]
    assert "the threshold is to blame" in why
    assert "about 0.2 parts these" in why


def test_few_images_say_too_little() -> None:
    one = model(np.full(N, 0.9), np.full(N, 0.1))
    *_, last = unseen(one, RECORDS[:3], "correct", Rules())
    assert last == "Of 3 images that is not sure: edit more of them."


@pytest.mark.parametrize(("dice", "enough"), [(0.95, True), (0.5, False)])
def test_a_segmenter_must_find_the_structure(dice: float, enough: bool) -> None:
    values = {"dice": np.full((1, N), dice) + np.linspace(-0.01, 0.01, N)}
    one = Measured("model", "", {"source": Predictions(RECORDS, RECORDS, values)})
    assert (unseen(one, RECORDS, "dice", Rules()) == []) is enough
