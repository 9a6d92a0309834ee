"""Masks mean the same anatomy at any size, and where each experiment edits is what Section 5 says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from radedit import masks
from radedit.app.configuration import composed
from radedit.types import Box, Record, Sample

Strategy = Callable[[Sample], tuple[Tensor, Tensor]]


def blank(height: int = 64, width: int = 64) -> Tensor:
    return torch.zeros(1, height, width, dtype=torch.bool)


def rectangle(top: int, left: int, bottom: int, right: int, height: int = 64, width: int = 64) -> Tensor:
    mask = blank(height, width)
    mask[:, top:bottom, left:right] = True
    return mask


def random_mask(height: int, width: int, seed: int, share: float = 0.3) -> Tensor:
    return torch.rand(1, height, width, generator=torch.Generator().manual_seed(seed)) < share


def sample(masks: Mapping[str, Tensor] | None = None, boxes: Mapping[str, Sequence[Box]] | None = None) -> Sample:
    return Sample(Record("image-7", "patient-1"), torch.rand(1, 64, 64), masks or {}, boxes or {})


# The patient's right lung is on the image's left, and here the smaller one.
RIGHT, LEFT = rectangle(10, 8, 50, 24), rectangle(8, 36, 54, 56)
LUNGS = {"right_lung": RIGHT, "left_lung": LEFT}

random_masks = st.builds(random_mask, st.integers(1, 24), st.integers(1, 24), st.integers(0, 99))


@given(random_masks, st.floats(0, 200))
@settings(max_examples=25)
def test_dilation_adds_what_is_within_the_radius(mask: Tensor, radius: float) -> None:
    scaled = radius * min(mask.shape[-2:]) / 512
    rows, columns = torch.meshgrid(*(torch.arange(n) for n in mask.shape[-2:]), indexing="ij")
    expected = torch.zeros_like(mask)
    for _, row, column in mask.nonzero().tolist():
        expected |= (rows - row) ** 2 + (columns - column) ** 2 <= scaled**2 + 1e-9
    assert torch.equal(masks.dilate(mask, radius), expected)


@pytest.mark.parametrize(("size", "expected"), [(512, 81), (1024, 317), (128, 5)])
def test_radius_scales_with_the_image(size: int, expected: int) -> None:
    mask = blank(size, size)
    mask[0, size // 2, size // 2] = True
    assert masks.dilate(mask, 5).sum() == expected  # pixels in a disc of radius 5, 10 and 1.25


def test_radius_scales_with_the_shorter_side() -> None:
    mask = blank(512, 700)
    mask[0, 300, 300] = True
    assert masks.dilate(mask, 5).sum() == 81


@given(random_masks, st.floats(0, 200))
@settings(max_examples=25)
def test_erosion_is_dilation_of_the_outside(mask: Tensor, radius: float) -> None:
    eroded = masks.erode(mask, radius)
    assert not (eroded & ~mask).any()
    assert torch.equal(masks.dilate(~mask, radius), ~eroded)


def test_erosion_undoes_dilation_of_a_square() -> None:
    square = rectangle(100, 120, 180, 220, 512, 512)
    grown = masks.dilate(square, 9)
    assert grown.sum() > square.sum()
    assert torch.equal(masks.erode(grown, 9), square)


def test_border_of_the_image_does_not_erode() -> None:
    assert masks.erode(torch.ones(1, 64, 64, dtype=torch.bool), 20).all()


def test_nothing_grows_to_nothing() -> None:
    assert not masks.dilate(blank(), 50).any()


@pytest.mark.parametrize("mask", [rectangle(5, 5, 20, 20), blank()])
def test_a_mask_does_not_grow_by_less_than_nothing(mask: Tensor) -> None:
    with pytest.raises(ValueError, match="to grow by -16 pixels; expected 0 or more"):
        masks.dilate(mask, -16)


@pytest.mark.parametrize("function", [masks.dilate, masks.erode])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_argument_is_left_as_it_is(function: Callable[[Tensor, float], Tensor], share: float) -> None:
    mask = random_mask(32, 32, seed=0, share=share)
    before = mask.clone()
    function(mask, 30).logical_not_()
    assert torch.equal(mask, before)


def test_shift_moves_right_and_down_in_pixels_at_512() -> None:
    assert torch.equal(masks.shift(rectangle(10, 20, 14, 26), 16, 40), rectangle(15, 22, 19, 28))


def test_shift_loses_what_leaves_the_image() -> None:
    assert torch.equal(masks.shift(rectangle(0, 60, 4, 64), 16, -24), rectangle(0, 62, 1, 64))
    assert torch.equal(masks.shift(rectangle(60, 0, 64, 4), -16, 24), rectangle(63, 0, 64, 2))


def test_lungs_are_told_apart_by_the_patients_side() -> None:
    right, left = masks.split_lungs(RIGHT | LEFT)
    assert torch.equal(right, RIGHT) and torch.equal(left, LEFT)


def test_specks_belong_to_no_lung() -> None:
    right, left = masks.split_lungs(RIGHT | LEFT | rectangle(60, 30, 62, 33))
    assert torch.equal(right | left, RIGHT | LEFT)


def test_lung_parts_that_touch_at_a_corner_are_one() -> None:
    stair = rectangle(10, 4, 30, 14) | rectangle(30, 14, 50, 24)
    right, left = masks.split_lungs(stair | LEFT)
    assert torch.equal(right, stair) and torch.equal(left, LEFT)


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (blank(), "0 sizeable components .*none"),
        (RIGHT, "1 sizeable components .*100 %"),
        (rectangle(10, 8, 50, 56), "1 sizeable components"),
        (RIGHT | LEFT | rectangle(0, 58, 64, 64), "3 sizeable components"),
        (rectangle(4, 8, 24, 30) | rectangle(30, 10, 60, 30), "one above the other"),
    ],
    ids=["empty", "one lung", "touching", "three", "stacked"],
)
def test_lungs_that_cannot_be_told_apart_are_refused(mask: Tensor, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        masks.split_lungs(mask)


BOXES = {"right_lung": [Box(6, 8, 20, 44)], "left_lung": [Box(34.5, 6, 24, 50)]}


def test_boxes_tell_which_lung_a_mask_is() -> None:
    assert masks.lung_side_by_boxes(RIGHT, BOXES) == "right"
    assert masks.lung_side_by_boxes(LEFT, BOXES) == "left"
    assert masks.lung_side_by_boxes(RIGHT.flip(-1), BOXES) == "left"  # an image that was mirrored


@pytest.mark.parametrize(
    ("boxes", "reason"),
    [
        ({"right_lung": BOXES["right_lung"]}, r"no boxes \['left_lung'\]"),
        ({"right_lung": [Box(0, 0, 64, 64)], "left_lung": [Box(0, 0, 64, 64)]}, "do not tell"),
        ({"right_lung": [], "left_lung": []}, "do not tell"),
    ],
)
def test_boxes_that_do_not_tell_are_refused(boxes: Mapping[str, Sequence[Box]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        masks.lung_side_by_boxes(RIGHT, boxes)


def test_cell_is_edited_from_half_of_its_pixels_on() -> None:
    edit = blank(4, 12)
    edit[0, :2, 0:4] = True  # 8 of 16
    edit[0, :2, 4:8] = True
    edit[0, 0, 4] = False  # 7 of 16
    pooled = masks.to_latent(edit, blank(4, 12), 4)
    assert pooled.masks.edit.tolist() == [[[1, 0, 0]]]
    assert pooled.masks.keep.tolist() == [[[0, 0, 0]]]


def test_cell_with_one_kept_pixel_is_kept_and_not_edited() -> None:
    edit, keep = rectangle(0, 0, 8, 8, 8, 8), blank(8, 8)
    keep[0, 3, 3] = True
    pooled = masks.to_latent(edit, keep, 4)
    assert pooled.masks.keep.tolist() == [[[1, 0], [0, 0]]]
    assert pooled.masks.edit.tolist() == [[[0, 1], [1, 1]]]
    assert pooled.lost == 0.25


def test_cell_that_a_device_only_touches_is_edited_where_a_share_is_asked_for() -> None:
    edit, keep = rectangle(0, 0, 8, 8, 8, 8), blank(8, 8)
    keep[0, 3, 3], keep[0, 4:6, 4:6] = True, True  # 1 and 4 of a cell's 16 pixels
    pooled = masks.to_latent(edit, keep, 4, keep_share=0.25)
    assert pooled.masks.keep.tolist() == [[[0, 0], [0, 1]]]
    assert torch.equal(pooled.masks.edit, 1 - pooled.masks.keep)


def test_edit_mask_too_thin_for_any_cell_is_wholly_lost() -> None:
    pooled = masks.to_latent(rectangle(0, 0, 8, 1, 8, 8), blank(8, 8), 8)
    assert not pooled.masks.edit.any() and pooled.lost == 1


def test_rows_of_a_batch_are_pooled_by_themselves() -> None:
    edits = torch.stack([random_mask(16, 24, seed, share=0.6) for seed in range(3)])
    keeps = torch.stack([random_mask(16, 24, seed, share=0.02) for seed in range(3, 6)])
    together = masks.to_latent(edits, keeps, 4)
    assert together.masks.edit.shape == (3, 1, 4, 6) and together.lost.shape == (3,)
    assert together.lost.min() > 0 and together.lost.max() < 1
    for i in range(3):
        alone = masks.to_latent(edits[i], keeps[i], 4)
        assert torch.equal(alone.masks.edit, together.masks.edit[i])
        assert torch.equal(alone.masks.keep, together.masks.keep[i])
        assert alone.lost == together.lost[i]


@given(st.integers(0, 99), st.sampled_from([1, 2, 4, 8]))
@settings(max_examples=25)
def test_complementary_masks_stay_complementary(seed: int, factor: int) -> None:
    edit = masks.dilate(random_mask(16, 24, seed, share=0.02), 100)
    m_edit, m_keep = masks.to_latent(edit, ~edit, factor).masks
    assert torch.equal(m_edit, 1 - m_keep)


def test_masks_that_do_not_divide_into_cells_are_refused() -> None:
    with pytest.raises(ValueError, match="64×60 pixels does not divide into cells of 8×8"):
        masks.to_latent(blank(64, 60), blank(64, 60), 8)


def test_masks_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="but the keep mask"):
        masks.to_latent(blank(64, 64), blank(64, 32), 8)


def test_lesion_is_edited_and_device_kept_both_dilated() -> None:
    lesion, drain = rectangle(10, 10, 20, 20), rectangle(30, 5, 32, 40)
    edit, keep = masks.lesion_and_device(sample({"pneumothorax": lesion, "drain": drain}))
    assert torch.equal(edit, masks.dilate(lesion, 5)) and torch.equal(keep, masks.dilate(drain, 5))
    edit, keep = masks.lesion_and_device(sample({"a": lesion, "b": drain}), lesion="a", device="b", dilation_px=40)
    assert torch.equal(edit, masks.dilate(lesion, 40)) and torch.equal(keep, masks.dilate(drain, 40))
    exact = sample({"pneumothorax": lesion, "drain": drain})
    edit, keep = masks.lesion_and_device(exact, device_dilation_px=0)
    assert torch.equal(edit, masks.dilate(lesion, 5)) and torch.equal(keep, drain)


@pytest.mark.parametrize(("setting", "device_px"), [("paper", 9), ("phantom", 0)])
def test_configured_device_is_dilated_as_the_lesion_unless_its_contours_are_exact(setting: str, device_px: int) -> None:
    words = ["+scenario=manifestation", f"setting={setting}", "mask_strategy.dilation_px=9"]
    lesion, drain = rectangle(10, 10, 20, 20), rectangle(30, 5, 32, 40)
    strategy = instantiate(composed("stress", words).mask_strategy)
    edit, keep = strategy(sample({"pneumothorax": lesion, "drain": drain}))
    assert torch.equal(edit, masks.dilate(lesion, 9)) and torch.equal(keep, masks.dilate(drain, device_px))


def test_device_may_be_out_of_sight() -> None:
    _, keep = masks.lesion_and_device(sample({"pneumothorax": RIGHT, "drain": blank()}))
    assert not keep.any()


def test_boxes_are_edited_and_all_else_kept() -> None:
    opacities = [Box(4, 6, 10, 12), Box(30, 40, 8, 4)]
    edit, keep = masks.boxes_complement(sample(boxes={"opacities": opacities}))
    assert torch.equal(edit, rectangle(6, 4, 18, 14) | rectangle(40, 30, 44, 38))
    assert torch.equal(keep, ~edit)


@pytest.mark.parametrize(
    "given", [{"boxes": {"opacities": [Box(20, 20, 10, 8)]}}, {"masks": {"covid": rectangle(20, 20, 28, 30)}}]
)
def test_band_around_boxes_is_neither_edited_nor_kept(given: Mapping[str, Any]) -> None:
    mask = "covid" if "masks" in given else None
    edit, keep = masks.boxes_complement(sample(**given), mask=mask, free_px=32)
    assert torch.equal(edit, rectangle(20, 20, 28, 30))
    free = ~(edit | keep)
    assert torch.equal(free, masks.dilate(edit, 32) & ~edit)
    assert free[0, 16:32, 16:34].sum() > 100 and free.sum() == free[0, 16:32, 16:34].sum()  # 32 of 512 are 4 px of 64


def test_boxes_cover_every_pixel_that_they_touch_and_end_at_the_border() -> None:
    edit, _ = masks.boxes_complement(sample(boxes={"opacities": [Box(-3, -2.5, 8.2, 4), Box(60.9, 61, 50, 50)]}))
    assert torch.equal(edit, rectangle(0, 0, 2, 6) | rectangle(61, 60, 64, 64))


@pytest.mark.parametrize(("side", "edited", "kept"), [("left", LEFT, RIGHT), ("right", RIGHT, LEFT)])
def test_one_lung_is_edited_and_the_other_kept(side: str, edited: Tensor, kept: Tensor) -> None:
    edit, keep = masks.one_lung(sample(LUNGS), side)
    assert torch.equal(edit, edited) and torch.equal(keep, kept)


@pytest.mark.parametrize("side", ["left", "right"])
def test_exchanged_lungs_are_seen(side: str) -> None:
    with pytest.raises(ValueError, match="'right_lung' .* lies to the image's right of 'left_lung'"):
        masks.one_lung(sample({"right_lung": LEFT, "left_lung": RIGHT}), side)


@pytest.mark.parametrize("side", ["Left", "both", ""])
def test_lungs_have_two_sides(side: str) -> None:
    with pytest.raises(ValueError, match="must be 'left' or 'right'"):
        masks.one_lung(sample(LUNGS), side)


@pytest.mark.parametrize("given", [LUNGS, {"lungs": RIGHT | LEFT}], ids=["two masks", "one mask"])
def test_both_lungs_are_edited_and_nothing_kept(given: Mapping[str, Tensor]) -> None:
    edit, keep = masks.both_lungs(sample(given))
    assert torch.equal(edit, RIGHT | LEFT) and not keep.any()


def test_no_masks_is_everything_edited_and_nothing_kept() -> None:
    edit, keep = masks.none(sample())
    assert edit.all() and not keep.any()
    assert edit.shape == keep.shape == (1, 64, 64) and edit.dtype == keep.dtype == torch.bool


def left_lung(given: Sample) -> tuple[Tensor, Tensor]:
    return masks.one_lung(given, "left")


@pytest.mark.parametrize(
    ("strategy", "given", "reason"),
    [
        (masks.lesion_and_device, {"drain": RIGHT}, r"no mask 'pneumothorax'; it has \['drain'\]"),
        (masks.lesion_and_device, {"pneumothorax": RIGHT}, r"no mask 'drain'; it has \['pneumothorax'\]"),
        (left_lung, {"left_lung": LEFT}, r"no mask 'right_lung'; it has \['left_lung'\]"),
        (masks.both_lungs, {}, r"no mask 'left_lung'; it has none"),
        (masks.boxes_complement, {}, r"no boxes 'opacities'; it has none"),
    ],
)
def test_missing_names_are_said_beside_those_that_exist(
    strategy: Strategy, given: Mapping[str, Tensor], reason: str
) -> None:
    with pytest.raises(ValueError, match=f"Record 'image-7' has {reason}"):
        strategy(sample(given))


@pytest.mark.parametrize(
    ("strategy", "given", "boxes"),
    [
        (masks.lesion_and_device, {"pneumothorax": blank(), "drain": RIGHT}, {}),
        (left_lung, {"left_lung": blank(), "right_lung": RIGHT}, {}),
        (masks.both_lungs, {"lungs": blank()}, {}),
        (masks.boxes_complement, {}, {"opacities": []}),
        (masks.boxes_complement, {}, {"opacities": [Box(70, 10, 5, 5), Box(10, -9, 4, 4), Box(-9, 10, 4, 4)]}),
    ],
)
def test_nowhere_to_edit_is_refused(
    strategy: Strategy, given: Mapping[str, Tensor], boxes: Mapping[str, Sequence[Box]]
) -> None:
    with pytest.raises(ValueError, match="of record 'image-7' is empty"):
        strategy(sample(given, boxes))


@pytest.mark.parametrize("strategy", [masks.lesion_and_device, left_lung, masks.both_lungs])
def test_mask_of_another_size_than_the_image_is_refused(strategy: Strategy) -> None:
    names = ("pneumothorax", "drain", "left_lung", "right_lung", "lungs")
    given = {name: rectangle(0, 0, 9, 9, 32, 48) for name in names}
    with pytest.raises(ValueError, match="of record 'image-7' is 32×48 but its image is 64×64"):
        strategy(sample(given))
