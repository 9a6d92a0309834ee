"""A corruption is made as large as the edits, as the score's encoder sees them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from radedit.studies.shared.corruption import Corruption, match

N, SIZE = 6, 32
IMAGES = torch.rand(N, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
IDS = [f"r{i}" for i in range(N)]


def embed(images: Tensor) -> Tensor:
    """Grey levels of 4 × 4 fields, of length 1."""
    fields = torch.nn.functional.avg_pool2d(images, SIZE // 4).flatten(1)
    return torch.nn.functional.normalize(fields, dim=1)


def test_strength_0_leaves_the_image() -> None:
    assert torch.equal(Corruption()(IMAGES[0], "r0", 0.0), IMAGES[0])


def test_noise_is_the_records_own() -> None:
    corruption = Corruption()
    once, again, other = (corruption(IMAGES[0], id_, 1.0) for id_ in ("a", "a", "b"))
    assert torch.equal(once, again) and not torch.equal(once, other)


def test_corrupted_images_are_images() -> None:
    corrupted = Corruption(noise=2.0)(IMAGES[0], "a", 1.0)
    assert corrupted.shape == IMAGES[0].shape and float(corrupted.min()) >= 0 and float(corrupted.max()) <= 1


def test_corruption_moves_images_as_far_as_the_edits_did() -> None:
    edited = IMAGES.clone()
    edited[..., :8, :] *= 0.8
    found = match(Corruption(noise=0.1), IMAGES, IDS, IMAGES, edited, embed)
    assert found.reached and found.strength > 0
    assert found.of_corruption == pytest.approx(found.of_edit, rel=0.01)


def test_edit_that_changes_nothing_corrupts_nothing() -> None:
    found = match(Corruption(), IMAGES, IDS, IMAGES, IMAGES.clone(), embed)
    assert found.of_corruption == pytest.approx(0, abs=1e-3) and found.pixels_edit == 0


def test_edits_that_are_larger_than_any_corruption_are_said_to_be() -> None:
    found = match(Corruption(strongest=0.01), IMAGES, IDS, IMAGES, 1 - IMAGES, embed)
    assert not found.reached and found.strength == 0.01
