"""Run-length encodings: what the published texts mean, and the way back.

The golden texts are worked out by hand from the 4 × 4 mask

    0 1 0 0
    1 1 0 0
    1 0 0 1
    0 0 0 1

row by row 0100 1100 1001 0001, column by column 0110 1100 0000 0011.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from radedit.data.layouts.rle import (
    RelativeRegions,
    decode_absolute,
    decode_relative,
    encode_absolute,
    encode_relative,
    warn_of_variant,
)

Decode = Callable[[str, tuple[int, int]], Tensor]
Encode = Callable[[Tensor], str]

BOTH = pytest.mark.parametrize(
    ("encode", "decode"),
    [(encode_relative, decode_relative), (encode_absolute, decode_absolute)],
    ids=["relative", "absolute"],
)


def mask(*rows: str) -> Tensor:
    return torch.tensor([[character == "1" for character in row] for row in rows])[None]


M = mask("0100", "1100", "1001", "0001")
GOLDEN_RELATIVE = [
    (M, "1 2 1 2 8 2"),
    (mask("1111", "1111", "1111", "1111"), "0 16"),
    (mask("011", "100"), "1 2 1 1"),
    (mask("000", "000"), "-1"),
]
GOLDEN_ABSOLUTE = [
    (M, "2 1 5 2 9 1 12 1 16 1"),
    (mask("1111", "1111", "1111", "1111"), "1 16"),
    (mask("011", "100"), "2 3"),  # goes on across the row's end
    (mask("000", "000"), ""),
]


@pytest.mark.parametrize(("drawn", "text"), GOLDEN_RELATIVE)
def test_relative_text_means_the_mask_that_was_worked_out_by_hand(drawn: Tensor, text: str) -> None:
    assert torch.equal(decode_relative(text, (drawn.shape[1], drawn.shape[2])), drawn)


@pytest.mark.parametrize(("drawn", "text"), GOLDEN_RELATIVE)
def test_mask_has_the_relative_text_that_was_worked_out_by_hand(drawn: Tensor, text: str) -> None:
    assert encode_relative(drawn) == text


@pytest.mark.parametrize(("drawn", "text"), GOLDEN_ABSOLUTE)
def test_absolute_text_means_the_mask_that_was_worked_out_by_hand(drawn: Tensor, text: str) -> None:
    assert torch.equal(decode_absolute(text, (drawn.shape[1], drawn.shape[2])), drawn)


@pytest.mark.parametrize(("drawn", "text"), GOLDEN_ABSOLUTE)
def test_mask_has_the_absolute_text_that_was_worked_out_by_hand(drawn: Tensor, text: str) -> None:
    assert encode_absolute(drawn) == text


def test_one_text_means_other_pixels_in_each_encoding() -> None:
    assert torch.equal(decode_absolute("2 3", (2, 3)), mask("011", "100"))
    assert torch.equal(decode_relative("2 3", (2, 3)), mask("011", "010"))


masks = st.builds(
    lambda height, width, share, seed: torch.from_numpy(np.random.default_rng(seed).random((1, height, width)) < share),
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),  # with empty and full ones
    st.integers(0, 2**32 - 1),
)


@BOTH
@given(drawn=masks)
def test_a_mask_survives_encoding(encode: Encode, decode: Decode, drawn: Tensor) -> None:
    assert torch.equal(decode(encode(drawn), (drawn.shape[1], drawn.shape[2])), drawn)


@BOTH
@given(drawn=masks)
def test_a_canonical_text_survives_decoding(encode: Encode, decode: Decode, drawn: Tensor) -> None:
    text = encode(drawn)
    assert encode(decode(text, (drawn.shape[1], drawn.shape[2]))) == text


@BOTH
@given(drawn=masks)
def test_area_is_the_sum_of_the_lengths(encode: Encode, decode: Decode, drawn: Tensor) -> None:
    text = encode(drawn)
    lengths = [] if text == "-1" else list(map(int, text.split()))[1::2]
    assert sum(lengths) == int(drawn.sum())


@BOTH
@pytest.mark.parametrize("pixel", [(0, 0), (4, 2), (0, 2), (4, 0)])
def test_a_pixel_in_a_corner_survives_encoding(encode: Encode, decode: Decode, pixel: tuple[int, int]) -> None:
    drawn = torch.zeros(1, 5, 3, dtype=torch.bool)
    drawn[0, pixel[0], pixel[1]] = True
    assert torch.equal(decode(encode(drawn), (5, 3)), drawn)


@given(drawn=masks)
def test_absolute_is_relative_of_the_transposed_mask_with_starts_in_place_of_gaps(drawn: Tensor) -> None:
    relative = encode_relative(drawn.transpose(1, 2))
    numbers = [] if relative == "-1" else list(map(int, relative.split()))
    position, expected = 0, []
    for gap, length in zip(numbers[::2], numbers[1::2], strict=True):
        expected += [position + gap + 1, length]
        position += gap + length
    assert encode_absolute(drawn) == " ".join(map(str, expected))


def test_regions_that_overlap_are_united() -> None:
    union = RelativeRegions(("0 4", "2 4"))((3, 4))
    assert torch.equal(union, decode_relative("0 6", (3, 4))) and union.dtype == torch.bool


def test_no_region_is_an_empty_mask() -> None:
    assert not RelativeRegions(())((3, 4)).any()


@BOTH
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1 2 3", "3 numbers, but runs are pairs"),
        ("1 2 x 4", "whole numbers"),
        ("1 2.0", "whole numbers"),
        ("1 99999999999999999999999", "whole numbers"),
        ("1 -2", "0 and more"),
        ("5 100", "4×3 has 12"),
    ],
)
def test_a_text_that_cannot_be_a_mask_is_refused(encode: Encode, decode: Decode, text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        decode(text, (3, 4))


def test_a_relative_text_read_as_absolute_is_refused_where_its_starts_go_back() -> None:
    with pytest.raises(ValueError, match="Run 2 of '388101 4 1018 11 1012 15' starts at pixel 1018.*relative"):
        decode_absolute("388101 4 1018 11 1012 15", (1024, 1024))


def test_an_absolute_text_read_as_relative_is_refused_where_it_leaves_the_image() -> None:
    with pytest.raises(ValueError, match="end at pixel 50, but an image of 4×4 has 16.*absolute"):
        decode_relative("2 1 5 2 9 1 12 1 16 1", (4, 4))


def test_absolute_starts_count_from_1() -> None:
    with pytest.raises(ValueError, match="the first pixel is 1"):
        decode_absolute("0 3", (4, 4))


def test_each_encoding_refuses_the_others_empty_mask() -> None:
    with pytest.raises(ValueError, match="-1 is an empty mask in the relative encoding"):
        decode_absolute(" -1", (4, 4))
    with pytest.raises(ValueError, match="An empty text is no mask"):
        decode_relative("", (4, 4))


def test_most_masks_of_the_other_encoding_are_warned_of() -> None:
    absolute = ["2 1 5 2 9 1 12 1 16 1", "1 2 5 2", "3 1 7 1"]
    with pytest.warns(UserWarning, match="train.csv: 3 of 3 .* look absolutely encoded.*read as relative"):
        warn_of_variant(absolute, "relative", "train.csv")
    with pytest.warns(UserWarning, match="look relatively encoded"):
        warn_of_variant(["388101 4 1018 11 1012 15"], "absolute", "MIMIC.csv")


def test_one_text_that_looks_absolute_by_chance_is_no_reason_to_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_variant(["1 2 1 2 8 2", "388101 4 1018 11 1012 15", "1 2 8 2", "-1", "5 3"], "relative", "train.csv")
