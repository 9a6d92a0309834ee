"""Predictors that never look say the same of every image."""

from __future__ import annotations

import torch

from radedit.models.constant import ConstantClassifier, ConstantSegmenter

IMAGES = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_classifier_says_the_same_of_every_image() -> None:
    said = ConstantClassifier("covid", 1.0, size=8).predict(IMAGES)
    assert said.masks is None and said.probability is not None and said.probability.tolist() == [1, 1, 1]


def test_segmenter_draws_the_same_on_every_image() -> None:
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[2:5, 2:5] = True
    drawn = ConstantSegmenter({"right_lung": mask, "left_lung": ~mask}).predict(IMAGES).masks
    assert drawn is not None and drawn.shape == (3, 2, 8, 8)
    assert torch.equal(drawn[2, 0] > 0.5, mask) and torch.equal(drawn[0, 1] > 0.5, ~mask)


def test_other_predictions_have_another_hash() -> None:
    assert ConstantClassifier("covid", 1.0, size=8).hash != ConstantClassifier("covid", 0.0, size=8).hash
