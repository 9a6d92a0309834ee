"""Augmentations are drawn from a key, move masks with their image, and keep grey levels and shapes."""

from __future__ import annotations

import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torchvision.transforms import v2

from radedit.training.augmentation import Augmentation, LightBatch, SidedFlip, appendix_b, appendix_c, augment, light

SIZE = 32
TRANSFORMS = {
    "App. B": appendix_b(SIZE),
    "App. C": appendix_c(SIZE),
    "App. D": appendix_c(SIZE, swap=[0]),
    "light": light(),
    "light, a batch": LightBatch(),
}


def pair() -> tuple[Tensor, Tensor]:
    """Two images that are the same, bright in their upper left, and a mask of where."""
    images, masks = torch.zeros(2, 1, SIZE, SIZE), torch.zeros(2, 1, SIZE, SIZE, dtype=torch.bool)
    images[..., 4:14, 4:14], masks[..., 4:14, 4:14] = 0.9, True
    return images, masks


@pytest.fixture(params=TRANSFORMS)
def transform(request: pytest.FixtureRequest) -> Augmentation:
    return TRANSFORMS[request.param]


def test_the_same_key_gives_the_same_images_whatever_was_drawn_before(transform: Augmentation) -> None:
    images, masks = augment(*pair(), transform, 0, 3, 0)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    again, masks_again = augment(*pair(), transform, 0, 3, 0)
    assert torch.equal(again, images)
    assert torch.equal(masks_again, masks)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("key", [(1, 3, 0), (0, 4, 0), (0, 3, 1)])
def test_every_seed_step_and_rank_has_draws_of_its_own(transform: Augmentation, key: tuple[int, ...]) -> None:
    assert not torch.equal(augment(*pair(), transform, *key)[0], augment(*pair(), transform, 0, 3, 0)[0])


def test_images_of_a_batch_are_changed_differently(transform: Augmentation) -> None:
    images, _ = augment(*pair(), transform, 0, 3, 0)
    assert not torch.equal(images[0], images[1])


def test_shapes_types_and_grey_levels_stay(transform: Augmentation) -> None:
    images, masks = augment(*pair(), transform, 0, 3, 0)
    assert (images.shape, images.dtype, type(images)) == ((2, 1, SIZE, SIZE), torch.float32, Tensor)
    assert (masks.shape, masks.dtype, type(masks)) == ((2, 1, SIZE, SIZE), torch.bool, Tensor)
    assert images.min() >= 0
    assert images.max() <= 1


def test_masks_move_with_their_image(transform: Augmentation) -> None:
    for step in range(8):
        images, masks = augment(*pair(), transform, 0, step, 0)
        bright = images > 0.35
        overlap = 2 * (bright & masks).sum() / (bright.sum() + masks.sum())
        assert overlap > 0.75


def test_a_flip_leaves_the_right_lung_where_right_lungs_are() -> None:
    """On images, the patient's right is on the left; a mirrored image has its lungs named as one sees them."""
    right, left = torch.zeros(1, 1, SIZE, SIZE), torch.zeros(1, 1, SIZE, SIZE)
    right[..., 8:24, 4:12], left[..., 8:20, 20:28] = 1, 1
    images, masks = right + left / 2, torch.cat([right, left], dim=1).bool()
    flipped, moved = augment(images, masks, SidedFlip(1, (1, 0)), 0)
    assert torch.equal(flipped, images.flip(-1))
    assert torch.equal(moved, masks.flip(-1)[:, [1, 0]])
    same, unmoved = augment(images, masks, SidedFlip(0, (1, 0)), 0)
    assert torch.equal(same, images) and torch.equal(unmoved, masks)


def test_appendix_c_moves_pixels_as_far_as_albumentations_does() -> None:
    """There a displacement is α times blurred noise, in pixels; α is 0.15 of the side."""
    size = 128
    elastic = next(t for t in appendix_c(size).transforms if isinstance(t, v2.ElasticTransform))
    torch.manual_seed(3)
    moved = elastic.make_params([torch.zeros(1, size, size)])["displacement"] * size / 2  # of a grid from −1 to 1
    torch.manual_seed(3)
    noise = 2 * torch.rand(size, size) - 1
    expected = 0.15 * size * gaussian_filter(noise.numpy(), size / 50, truncate=4)
    torch.testing.assert_close(moved[0, 16:-16, 16:-16, 0].numpy(), expected[16:-16, 16:-16], rtol=0.02, atol=0.02)


def test_zooms_and_crops_interpolate() -> None:
    for transform in (*appendix_b(SIZE).transforms, *appendix_c(SIZE).transforms):
        how = getattr(transform, "interpolation", v2.InterpolationMode.BILINEAR)
        assert how in (v2.InterpolationMode.BILINEAR, "bilinear"), transform


def test_images_without_masks_can_be_augmented(transform: Augmentation) -> None:
    images, _ = pair()
    assert augment(images, torch.zeros(2, 0, SIZE, SIZE, dtype=torch.bool), transform, 0)[1].shape[1] == 0


def test_no_transform_changes_nothing() -> None:
    images, masks = pair()
    unchanged, same_masks = augment(images, masks, None, 0, 3, 0)
    assert torch.equal(unchanged, images)
    assert torch.equal(same_masks, masks)
