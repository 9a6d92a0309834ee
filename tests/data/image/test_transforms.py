"""Preprocessing: one square, full grey range, masks and boxes that stay on what they mark, and the way back."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate
from torchvision.transforms import v2

from radedit.data.image.coverage import overlap, resize_mask
from radedit.data.image.transforms import Geometry, preprocess, stretch
from radedit.types import Box, Record, Sample

lengths = st.integers(4, 70)
sizes = st.integers(2, 60)


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(1, height, width, generator=torch.Generator().manual_seed(seed))


def smooth(height: int, width: int) -> Tensor:
    rows, columns = torch.linspace(0, 3, height)[:, None], torch.linspace(0, 2, width)
    return (0.5 + 0.3 * torch.sin(rows) * torch.cos(columns))[None]


def line(height: int, width: int, start: tuple[float, float], end: tuple[float, float], thickness: float) -> Tensor:
    """Pixels within half of `thickness` of a segment; ends are shares of height and width."""
    points = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"), -1) + 0.5
    a, b = (torch.tensor([y * height, x * width]) for y, x in (start, end))
    along = (((points - a) * (b - a)).sum(-1) / ((b - a) ** 2).sum().clamp(min=1e-6)).clamp(0, 1)
    return ((points - a - along[..., None] * (b - a)).norm(dim=-1) <= thickness / 2)[None]


def disc(size: int, radius: float) -> Tensor:
    distance = torch.arange(size) + 0.5 - size / 2
    return (distance[:, None] ** 2 + distance**2 <= radius**2)[None]


def pieces(mask: Tensor) -> int:
    return int(ndimage.label(mask[0].numpy(), structure=[[1] * 3] * 3)[1])


def sample(image: Tensor, **parts: dict[str, Tensor] | dict[str, list[Box]]) -> Sample:
    return Sample(Record("p1", "s1"), image, **parts)  # type: ignore[arg-type]


@given(lengths, lengths, sizes)
def test_image_is_what_torchvision_gives(height: int, width: int, size: int) -> None:
    image = noise(height, width)
    expected = v2.Compose([v2.Resize(size, antialias=True), v2.CenterCrop(size)])(image)
    torch.testing.assert_close(Geometry(height, width, size).image(image), expected)


@given(lengths, lengths, sizes)
def test_darkest_is_0_and_brightest_is_1(height: int, width: int, size: int) -> None:
    image = preprocess(sample(0.2 + 0.1 * noise(height, width)), size).image
    assert image.shape == (1, size, size) and image.dtype == torch.float32
    assert image.min() == 0 and image.max() == 1


def test_range_is_that_of_the_crop_not_of_what_was_cut_off() -> None:
    image = 0.4 + 0.2 * noise(8, 20)
    image[..., :3], image[..., -3:] = 0, 1  # a collimator and a marker beside the square
    torch.testing.assert_close(preprocess(sample(image), 8).image, stretch(image[..., 6:14]))


@given(lengths, lengths, sizes)
def test_preprocessing_twice_is_preprocessing_once(height: int, width: int, size: int) -> None:
    mask = noise(height, width, seed=1) > 0.5
    once = preprocess(sample(noise(height, width), masks={"m": mask}, boxes={"b": [Box(1, 1, 2, 2)]}), size)
    twice = preprocess(once, size)
    torch.testing.assert_close(twice.image, once.image)
    assert torch.equal(twice.masks["m"], once.masks["m"])
    torch.testing.assert_close(torch.tensor(twice.boxes["b"]), torch.tensor(once.boxes["b"]))


def test_blank_image_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="Record 'p1': the centre square has grey levels from 0.5 to 0.5"):
        preprocess(sample(torch.full((1, 8, 8), 0.5)), 4)


def test_mask_of_another_size_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"Mask 'lungs' for record 'p1' is 1024×1024 but its image is 512×512\. "
        r"Apply the same resize and crop to both; see radedit\.data\.image\.transforms\.preprocess\.",
    ):
        preprocess(sample(noise(512, 512), masks={"lungs": torch.ones(1, 1024, 1024, dtype=torch.bool)}), 128)


@pytest.mark.parametrize("size", [0, -4])
def test_size_must_be_positive(size: int) -> None:
    with pytest.raises(ValueError, match="Allowed is 1 and more"):
        Geometry(8, 8, size)


def test_geometry_is_for_images_of_its_own_size() -> None:
    with pytest.raises(ValueError, match="one geometry per image"):
        Geometry(8, 8, 4).image(noise(8, 9))


# Masks


@given(st.integers(1, 40), st.integers(1, 40))
def test_every_pixel_of_the_result_is_covered_once(n_in: int, n_out: int) -> None:
    shares = overlap(n_in, n_out)
    torch.testing.assert_close(shares.sum(1), torch.ones(n_out))
    torch.testing.assert_close(shares.sum(0), torch.full((n_in,), n_out / n_in))


@given(st.integers(1, 6), st.integers(1, 8), st.integers(1, 8))
def test_overlap_with_whole_factors_is_average_pooling(factor: int, height: int, width: int) -> None:
    image = noise(height * factor, width * factor)
    pooled = overlap(height * factor, height) @ image @ overlap(width * factor, width).T
    torch.testing.assert_close(pooled, avg_pool2d(image, factor))


@given(lengths, lengths)
def test_mask_at_its_own_size_is_itself(height: int, width: int) -> None:
    mask = noise(height, width) > 0.7
    assert torch.equal(resize_mask(mask, (height, width)), mask)


@given(lengths, lengths, sizes)
def test_empty_mask_stays_empty_and_a_full_one_full(height: int, width: int, size: int) -> None:
    geometry = Geometry(height, width, size)
    full = torch.ones(1, height, width, dtype=torch.bool)
    assert geometry.mask(full).all() and not geometry.mask(~full).any()


@pytest.mark.parametrize("size", [64, 100, 128, 300, 512])
def test_region_keeps_its_area(size: int) -> None:
    resized = resize_mask(disc(400, 150), (size, size))
    assert int(resized.sum()) == pytest.approx(math.pi * (150 * size / 400) ** 2, rel=0.01)


@pytest.mark.parametrize("size", [64, 100, 128, 300])
def test_border_of_a_region_is_where_it_is_half_covered(size: int) -> None:
    mask = disc(400, 150)
    shares = overlap(400, size)
    assert torch.equal(resize_mask(mask, (size, size)), shares @ mask.float() @ shares.T >= 0.5)


@settings(max_examples=60)
@given(
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.floats(1.5, 6),
    st.integers(20, 60),
)
def test_thin_device_is_never_interrupted(
    start: tuple[float, float], end: tuple[float, float], thickness: float, size: int
) -> None:
    tube = line(240, 200, start, end, thickness)
    resized = resize_mask(tube, (size * 240 // 200, size))
    assert pieces(resized) == pieces(tube)


@settings(max_examples=60)
@given(st.tuples(st.floats(0, 1), st.floats(0, 1)), st.tuples(st.floats(0, 1), st.floats(0, 1)), st.integers(20, 60))
def test_every_pixel_of_a_guide_wire_is_covered_by_its_smaller_mask(
    start: tuple[float, float], end: tuple[float, float], size: int
) -> None:
    wire = line(200, 200, start, end, 1.5)
    enlarged = interpolate(resize_mask(wire, (size, size)).float()[None], (200, 200), mode="area")[0]
    assert (enlarged[wire] > 0).all()


def test_tube_is_at_most_a_pixel_wider_on_each_side() -> None:
    tube = line(400, 400, (0.1, 0.2), (0.9, 0.7), 6)
    resized = resize_mask(tube, (100, 100))
    allowed = line(100, 100, (0.1, 0.2), (0.9, 0.7), 6 / 4 + 2 * math.sqrt(2))
    assert not (resized & ~allowed).any()


def test_single_pixel_does_not_vanish() -> None:
    mask = torch.zeros(1, 512, 512, dtype=torch.bool)
    mask[0, 200, 300] = True
    assert int(resize_mask(mask, (64, 64)).sum()) == 1


def test_region_is_not_widened_by_a_device_in_the_same_mask() -> None:
    region = disc(400, 100)
    both = resize_mask(region | line(400, 400, (0.5, 0.02), (0.5, 0.98), 2), (100, 100))
    alone = resize_mask(region, (100, 100))
    assert torch.equal(both[..., :40, :], alone[..., :40, :])
    assert pieces(both) == 1 and both[..., 50, 2:98].all()


# Boxes


@given(lengths, lengths, sizes, st.data())
def test_box_and_the_mask_it_encloses_move_alike(height: int, width: int, size: int, data: st.DataObject) -> None:
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    bottom, right = data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width))
    geometry = Geometry(height, width, size)
    rows = (overlap(height, geometry.resized[0])[:, top:bottom].sum(1) > 1e-4).nonzero().flatten() - geometry.corner[0]
    columns = (overlap(width, geometry.resized[1])[:, left:right].sum(1) > 1e-4).nonzero().flatten()
    columns = columns - geometry.corner[1]
    inside = [axis[(axis >= 0) & (axis < size)] for axis in (rows, columns)]
    boxes = geometry.boxes([Box(left, top, right - left, bottom - top)])
    if not boxes:
        assert not all(len(axis) for axis in inside)
        return
    x, y, box_width, box_height = boxes[0]
    assert 0 <= x < x + box_width <= size and 0 <= y < y + box_height <= size
    touched = [
        (math.floor(low + 1e-3), math.ceil(low + length - 1e-3)) for low, length in ((y, box_height), (x, box_width))
    ]
    for axis, (low, high) in zip(inside, touched, strict=True):
        if len(axis):
            assert low == int(axis.min()) and high == int(axis.max()) + 1


def test_box_that_was_cut_off_leaves_its_name_and_an_empty_mask() -> None:
    mask = torch.zeros(1, 10, 40, dtype=torch.bool)
    mask[..., :5] = True
    cut = preprocess(sample(noise(10, 40), masks={"drain": mask}, boxes={"drain": [Box(0, 0, 5, 10)]}), 10)
    assert cut.boxes == {"drain": []} and not cut.masks["drain"].any()


# And back


@given(lengths, lengths, sizes)
def test_outside_the_square_nothing_changes(height: int, width: int, size: int) -> None:
    geometry, original = Geometry(height, width, size), noise(height, width)
    restored = geometry.restore(noise(size, size, seed=1), original)
    assert restored.shape == original.shape and restored.min() >= 0 and restored.max() <= 1
    scale = geometry.resized[1] / width
    # Bilinear resampling reaches one pixel of the coarser grid beyond the square.
    reach = max(1.0, 1 / scale)
    first = max(0, math.floor(geometry.corner[1] / scale - reach))
    last = math.ceil((geometry.corner[1] + size) / scale + reach)
    if width >= height:
        assert torch.equal(restored[..., :first], original[..., :first])
        assert torch.equal(restored[..., last:], original[..., last:])


@given(lengths, lengths)
def test_unedited_square_of_the_same_scale_restores_the_original(height: int, width: int) -> None:
    original = 0.1 + 0.5 * noise(height, width)
    size = min(height, width)
    geometry = Geometry.of(original, size)
    restored = geometry.restore(preprocess(sample(original), size).image, original)
    torch.testing.assert_close(restored, original)


@given(st.integers(40, 90), st.integers(40, 90), st.integers(24, 120))
def test_unedited_square_of_another_scale_restores_what_is_smooth(height: int, width: int, size: int) -> None:
    original = smooth(height, width)
    restored = Geometry.of(original, size).restore(preprocess(sample(original), size).image, original)
    torch.testing.assert_close(restored, original, atol=0.02, rtol=0)


@given(lengths, lengths, sizes)
def test_nothing_changes_where_the_weight_is_0(height: int, width: int, size: int) -> None:
    original = noise(height, width)
    edited = noise(size, size, seed=1)
    restored = Geometry.of(original, size).restore(edited, original, torch.zeros_like(edited))
    assert torch.equal(restored, original)


def test_edit_lands_where_it_was_made() -> None:
    original = smooth(100, 160)
    geometry = Geometry.of(original, 50)
    edited = preprocess(sample(original), 50).image
    edited[:, 10:20, 30:40] = 1
    changed = (geometry.restore(edited, original) - original).abs() > 0.05
    rows, columns = changed[0].any(1).nonzero(), changed[0].any(0).nonzero()
    # 2 px of the original for each of the square's, which begins at column 30.
    assert abs(int(rows.min()) - 20) <= 2 and abs(int(rows.max()) - 39) <= 2
    assert abs(int(columns.min()) - 90) <= 2 and abs(int(columns.max()) - 109) <= 2


def test_edit_is_given_the_grey_range_of_the_original_square() -> None:
    original = 0.2 + 0.4 * noise(20, 20)
    restored = Geometry.of(original, 20).restore(torch.ones(1, 20, 20), original)
    torch.testing.assert_close(restored, torch.full_like(restored, float(original.max())))


def test_square_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"edited has shape \(1, 9, 9\); allowed is \(1, 8, 8\)"):
        Geometry(20, 30, 8).restore(noise(9, 9), noise(20, 30))


def test_original_is_left_as_it_was() -> None:
    original = noise(12, 12)
    before = original.clone()
    Geometry.of(original, 12).restore(torch.ones(1, 12, 12), original)
    assert torch.equal(original, before)
