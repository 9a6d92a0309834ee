"""Predictors' predictions: asked once, kept, and never mistaken for another's."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from radedit.harness.predictors.classify import predict
from radedit.types import Record, Sample
from tests.harness.painted import SIZE, Painted, Reads, painted

P = [0.0, 0.2, 0.6, 1.0, 0.8]
LABELS = [0, 1, 1, 1, 0]
CACHE = Path("predictions/own.csv")


@pytest.fixture
def dataset() -> Painted:
    return Painted([painted(one=p, two=1 - p) for p in P], LABELS)


def test_predictions_are_the_predictors_in_the_order_of_the_records(dataset: Painted) -> None:
    found = predict(Reads("one"), dataset, "pneumothorax", SIZE, cache=CACHE, batch=2)
    assert found.ids == [record.id for record in dataset.records] and found.labels.tolist() == LABELS
    np.testing.assert_allclose(found.probabilities, P, atol=1e-6)
    assert found.positive.tolist() == [0, 0, 1, 1, 1] and found.correct.tolist() == [1, 0, 1, 1, 0]


def test_selection_keeps_predictions_with_their_records(dataset: Painted) -> None:
    found = predict(Reads("one"), dataset, "pneumothorax", SIZE, cache=CACHE).only(["p3", "p0"])
    assert (found.ids, found.patients, found.labels.tolist()) == (["p3", "p0"], ["p3", "p0"], [1, 0])
    np.testing.assert_allclose(found.probabilities, [1.0, 0.0], atol=1e-6)


def test_half_is_called_present_also_from_the_cache(dataset: Painted) -> None:
    """Just below one half must not be rounded up to it on its way through the file."""
    below = float(np.nextafter(np.float32(0.5), np.float32(0)))
    images = Painted([painted(one=0.5), painted(one=below)], [1, 1])
    first = predict(Reads("one"), images, "pneumothorax", SIZE, cache=CACHE)
    again = predict(Reads("one"), images, "pneumothorax", SIZE, cache=CACHE)
    assert first.positive.tolist() == again.positive.tolist() == [1, 0]


def test_predictions_are_kept(dataset: Painted) -> None:
    first, again = Reads("one"), Reads("one")
    before = predict(first, dataset, "pneumothorax", SIZE, cache=CACHE)
    after = predict(again, dataset, "pneumothorax", SIZE, cache=CACHE)
    assert (first.shown, again.shown) == (len(P), 0)
    assert after.ids == before.ids and np.array_equal(after.probabilities, before.probabilities)


def test_id_with_quotes_commas_and_spaces_comes_back_from_the_cache() -> None:
    images = Painted([painted(one=0.25), painted(one=0.75)], [0, 1], name='p "1", a\u2028b')
    for _ in range(2):
        found = predict(Reads("one"), images, "pneumothorax", SIZE, cache=CACHE)
        assert found.ids == [record.id for record in images.records]


@pytest.mark.parametrize("cut", [1, 3, 5, 9, 14, 20, 1000])
def test_truncated_cache_is_made_again(cut: int, dataset: Painted) -> None:
    whole = predict(Reads("one"), dataset, "pneumothorax", SIZE, cache=CACHE)
    content = CACHE.read_bytes()
    CACHE.write_bytes(content[: max(0, len(content) - cut)])
    again = Reads("one")
    found = predict(again, dataset, "pneumothorax", SIZE, cache=CACHE)
    assert again.shown == len(P) and CACHE.read_bytes() == content
    assert np.array_equal(found.probabilities, whole.probabilities)


def test_cache_of_other_images_is_made_again(dataset: Painted) -> None:
    predict(Reads("one"), Painted(list(dataset.images.values()), LABELS, name="q"), "pneumothorax", SIZE, cache=CACHE)
    again = Reads("one")
    assert predict(again, dataset, "pneumothorax", SIZE, cache=CACHE).ids == [record.id for record in dataset.records]
    assert again.shown == len(P)


def test_unreadable_image_is_left_out_and_told(dataset: Painted, caplog: pytest.LogCaptureFixture) -> None:
    class Damaged(Painted):
        def load(self, record: Record) -> Sample:
            if record.id == "p1":
                raise ValueError("The pixels are damaged.")
            return super().load(record)

    damaged = Damaged(list(dataset.images.values()), LABELS)
    for shown in (4, 0):  # the second time from the cache
        predictor = Reads("one")
        with caplog.at_level(logging.WARNING):
            found = predict(predictor, damaged, "pneumothorax", SIZE, cache=CACHE)
        assert found.ids == ["p0", "p2", "p3", "p4"] and predictor.shown == shown
    assert "p1: The pixels are damaged." in caplog.text


def test_image_without_the_label_cannot_be_tested_on() -> None:
    with pytest.raises(ValueError, match="1 records have no label 'oedema', e.g. 'p0'"):
        predict(Reads("one"), Painted([painted()], [1]), "oedema", SIZE, cache=CACHE)


@pytest.mark.parametrize(
    "prediction", [torch.tensor([1.5]), torch.tensor([-0.1]), torch.tensor([float("nan")]), torch.rand(1, 1)]
)
def test_what_is_no_probability_is_refused_and_not_kept(prediction: Tensor) -> None:
    predictor = SimpleNamespace(predict=lambda images: SimpleNamespace(probability=prediction))
    with pytest.raises(ValueError, match="expected one probability"):
        predict(predictor, Painted([painted()], [1]), "pneumothorax", SIZE, cache=CACHE)
    assert not CACHE.exists()
