"""Augmentations are drawn from a key, move masks with their film, and keep grey levels and shapes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from radedit.training.augmentation import Augmentation, LightBatch, appendix_b, appendix_c, augment, light

SIZE = 32
TRANSFORMS = {"App. B": appendix_b(SIZE), "App. C": appendix_c(SIZE), "light": light(), "light, a batch": LightBatch()}


def films() -> tuple[Tensor, Tensor]:
    """Two films that are the same, bright in their upper left, and a mask of where."""
    images, masks = torch.zeros(2, 1, SIZE, SIZE), torch.zeros(2, 1, SIZE, SIZE, dtype=torch.bool)
    images[..., 4:14, 4:14], masks[..., 4:14, 4:14] = 0.9, True
    return images, masks


@pytest.fixture(params=TRANSFORMS)
def transform(request: pytest.FixtureRequest) -> Augmentation:
    return TRANSFORMS[request.param]


def test_the_same_key_gives_the_same_films_whatever_was_drawn_before(transform: Augmentation) -> None:
    images, masks = augment(*films(), transform, 0, 3, 0)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    again, masks_again = augment(*films(), transform, 0, 3, 0)
    assert torch.equal(again, images)
    assert torch.equal(masks_again, masks)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("key", [(1, 3, 0), (0, 4, 0), (0, 3, 1)])
def test_every_seed_step_and_rank_has_draws_of_its_own(transform: Augmentation, key: tuple[int, ...]) -> None:
    assert not torch.equal(augment(*films(), transform, *key)[0], augment(*films(), transform, 0, 3, 0)[0])


def test_films_of_a_batch_are_changed_differently(transform: Augmentation) -> None:
    images, _ = augment(*films(), transform, 0, 3, 0)
    assert not torch.equal(images[0], images[1])


def test_shapes_types_and_grey_levels_stay(transform: Augmentation) -> None:
    images, masks = augment(*films(), transform, 0, 3, 0)
    assert (images.shape, images.dtype, type(images)) == ((2, 1, SIZE, SIZE), torch.float32, Tensor)
    assert (masks.shape, masks.dtype, type(masks)) == ((2, 1, SIZE, SIZE), torch.bool, Tensor)
    assert images.min() >= 0
    assert images.max() <= 1


def test_masks_move_with_their_film(transform: Augmentation) -> None:
    for step in range(8):
        images, masks = augment(*films(), transform, 0, step, 0)
        bright = images > 0.35
        overlap = 2 * (bright & masks).sum() / (bright.sum() + masks.sum())
        assert overlap > 0.75


def test_films_without_masks_can_be_augmented(transform: Augmentation) -> None:
    images, _ = films()
    assert augment(images, torch.zeros(2, 0, SIZE, SIZE, dtype=torch.bool), transform, 0)[1].shape[1] == 0


def test_no_transform_changes_nothing() -> None:
    images, masks = films()
    unchanged, same_masks = augment(images, masks, None, 0, 3, 0)
    assert torch.equal(unchanged, images)
    assert torch.equal(same_masks, masks)
