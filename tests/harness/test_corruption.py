"""A corruption is made as large as the edits, as the score's encoder sees them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from radedit.harness.corruption import Corruption, match

N, SIZE = 6, 32
FILMS = torch.rand(N, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
IDS = [f"r{i}" for i in range(N)]


def embed(films: Tensor) -> Tensor:
    """Grey levels of 4 × 4 fields, of length 1."""
    fields = torch.nn.functional.avg_pool2d(films, SIZE // 4).flatten(1)
    return torch.nn.functional.normalize(fields, dim=1)


def test_strength_0_leaves_the_film() -> None:
    assert torch.equal(Corruption()(FILMS[0], "r0", 0.0), FILMS[0])


def test_noise_is_the_records_own() -> None:
    corruption = Corruption()
    once, again, other = (corruption(FILMS[0], id_, 1.0) for id_ in ("a", "a", "b"))
    assert torch.equal(once, again) and not torch.equal(once, other)


def test_corrupted_films_are_films() -> None:
    corrupted = Corruption(noise=2.0)(FILMS[0], "a", 1.0)
    assert corrupted.shape == FILMS[0].shape and float(corrupted.min()) >= 0 and float(corrupted.max()) <= 1


def test_corruption_moves_films_as_far_as_the_edits_did() -> None:
    edited = FILMS.clone()
    edited[..., :8, :] *= 0.8
    found = match(Corruption(noise=0.1), FILMS, IDS, FILMS, edited, embed)
    assert found.reached and found.strength > 0
    assert found.of_corruption == pytest.approx(found.of_edit, rel=0.01)


def test_edit_that_changes_nothing_corrupts_nothing() -> None:
    found = match(Corruption(), FILMS, IDS, FILMS, FILMS.clone(), embed)
    assert found.of_corruption == pytest.approx(0, abs=1e-3) and found.pixels_edit == 0


def test_edits_that_are_larger_than_any_corruption_are_said_to_be() -> None:
    found = match(Corruption(strongest=0.01), FILMS, IDS, FILMS, 1 - FILMS, embed)
    assert not found.reached and found.strength == 0.01
