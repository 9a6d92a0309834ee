"""Pictures and masks with which other datasets were wrong; each is read in full, or refused with the reason."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from radedit.data.image.files import picture_size, read_image, read_mask

Save = Callable[..., Path]
Whole = NDArray[Any]


def png(path: Path, pixels: Whole, colour_type: int, *, chunks: bytes = b"") -> Path:
    """Write a PNG of 16 bits, shape (H, W, channels), with further chunks before its pixels."""
    rows, columns = pixels.shape[:2]
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in pixels)
    header = struct.pack(">IIBBBBB", columns, rows, 16, colour_type, 0, 0, 0)
    body = [chunk(b"IHDR", header), chunks, chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(body))
    return path


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.fixture
def deep() -> Whole:
    """4,080 levels of 16 bits, shape (60, 68)."""
    return (np.arange(4080) * 16 + 3).astype(np.uint16).reshape(60, 68)


@pytest.fixture
def regions() -> Whole:
    """Background 0, two structures 1 and 2, and where they touch; shape (40, 50)."""
    found = np.zeros((40, 50), dtype=np.uint8)
    found[5:30, 5:20], found[5:30, 20:40] = 1, 2
    return found


@pytest.mark.parametrize(("channels", "colour_type"), [(2, 4), (3, 2), (4, 6)])
def test_16_bit_colour_keeps_all_its_levels(deep: Whole, tmp_path: Path, channels: int, colour_type: int) -> None:
    colours = np.stack([deep] * min(channels, 3) if channels > 2 else [deep], axis=-1)
    opaque = np.full((*deep.shape, 1), 65535, dtype=np.uint16)
    pixels = np.concatenate([colours, opaque], axis=-1) if channels in (2, 4) else colours
    image, _ = read_image(png(tmp_path / "image.png", pixels, colour_type))
    torch.testing.assert_close(image[0], torch.from_numpy((deep / 65535).astype(np.float32)), atol=0, rtol=0)


def test_16_bit_transparency_is_laid_on_black(deep: Whole, tmp_path: Path) -> None:
    alpha = np.full_like(deep, 65535)
    alpha[:, :9] = 0
    image, notes = read_image(png(tmp_path / "image.png", np.stack([deep, alpha], axis=-1), 4))
    assert (image[..., :9] == 0).all() and image[..., 9:].unique().numel() == 60 * 59
    assert notes == ["transparent pixels were laid on black"]


def test_16_bit_grey_may_have_a_transparent_level(deep: Whole, tmp_path: Path) -> None:
    key = chunk(b"tRNS", struct.pack(">H", int(deep[30, 30])))
    image, notes = read_image(png(tmp_path / "image.png", deep[..., None], 0, chunks=key))
    assert image[0, 30, 30] == 0 and image[0, 30, 31] > 0 and notes == ["transparent pixels were laid on black"]


def test_16_bit_colour_with_a_transparent_colour_is_refused(deep: Whole, tmp_path: Path) -> None:
    path = png(tmp_path / "image.png", np.stack([deep] * 3, axis=-1), 2, chunks=chunk(b"tRNS", b"\0" * 6))
    with pytest.raises(ValueError, match="16 bits and a colour that is transparent"):
        read_image(path)


@pytest.mark.parametrize("orientation", [0, 9, 77])
@pytest.mark.parametrize("name", ["image.jpg", "image.png"])
def test_orientation_that_does_not_exist_is_ignored(name: str, orientation: int, grey: Whole, tmp_path: Path) -> None:
    picture = Image.fromarray(grey)
    exif = picture.getexif()
    exif[0x0112] = orientation
    picture.save(tmp_path / name, exif=exif)
    image, notes = read_image(tmp_path / name)
    assert not notes and tuple(image.shape[1:]) == grey.shape == picture_size(tmp_path / name)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_that_of_pillow(orientation: int, deep: Whole, tmp_path: Path) -> None:
    from PIL import ImageOps

    picture = Image.fromarray(deep)
    exif = picture.getexif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "image.png", exif=exif)
    with Image.open(tmp_path / "image.png") as saved:
        upright = np.asarray(ImageOps.exif_transpose(saved)).astype(np.float32) / np.float32(65535)
    torch.testing.assert_close(read_image(tmp_path / "image.png").pixels[0].numpy(), upright)


def test_cmyk_is_colour(grey: Whole, tmp_path: Path) -> None:
    Image.fromarray(grey).convert("CMYK").save(tmp_path / "image.jpg", quality=95)
    image, notes = read_image(tmp_path / "image.jpg")
    torch.testing.assert_close(image[0], torch.from_numpy(grey / np.float32(255)), atol=0.05, rtol=0)
    assert "CMYK" in notes[0]


@pytest.mark.parametrize("side", [9000, 14000, 60000])  # Pillow warns from 9,460 on, and raises from 13,378 on
def test_picture_larger_than_any_radiograph_is_refused_by_its_header(side: int, tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path = tmp_path / "image.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for read in (read_image, read_mask, picture_size):
            with pytest.raises(ValueError, match="image.png cannot be read as a picture: .*(announces|exceeds limit)"):
                read(path)


@pytest.mark.parametrize("content", [b"", b"\0" * 128 + b"DICM", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"])
def test_header_that_ends_early_is_refused_by_all_who_read_it(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(content)
    for read in (read_image, read_mask, picture_size):
        with pytest.raises(ValueError, match="image.dcm"):
            read(path)


def test_dicom_header_without_a_size_is_refused(dicom: Save, tmp_path: Path) -> None:
    path = dicom(np.arange(48, dtype=np.uint16).reshape(6, 8), Rows=None)
    with pytest.raises(ValueError, match="Rows is missing"):
        picture_size(path)


def test_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "image.png")
    with pytest.raises(ValueError, match="device or pipe"):
        read_image(tmp_path / "image.png")


# Masks


def colours(regions: Whole, *palette: tuple[int, int, int]) -> Whole:
    return np.array(palette, dtype=np.uint8)[regions]


@pytest.mark.parametrize("palette", [((0, 0, 0), (255, 0, 0), (0, 0, 255)), ((0, 0, 0), (0, 0, 255), (0, 255, 0))])
def test_label_map_in_colour_is_refused_and_its_colours_are_named(
    regions: Whole, save: Save, palette: tuple[tuple[int, int, int], ...]
) -> None:
    with pytest.raises(ValueError, match=r"colours \(0, 0, 0\), .*\(0, 0, 255\).*number several structures"):
        read_mask(save("mask.png", colours(regions, *palette)))


def test_label_map_with_a_palette_is_refused(regions: Whole, tmp_path: Path) -> None:
    picture = Image.fromarray(regions * 2, mode="P")
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0, 0, 0, 128])
    picture.save(tmp_path / "mask.png")
    with pytest.raises(ValueError, match=r"\(0, 128, 0\).*several structures"):
        read_mask(tmp_path / "mask.png")


def test_label_map_of_16_bits_is_refused_and_its_levels_are_named(regions: Whole, save: Save) -> None:
    with pytest.raises(ValueError, match="levels 0, 1, 2: it seems to number several structures"):
        read_mask(save("mask.png", regions.astype(np.uint16)))


@pytest.mark.parametrize("levels", [(0, 1, 255), (0, 85, 170), (0, 128, 255)])
def test_label_map_of_any_levels_is_refused(regions: Whole, save: Save, levels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"levels {', '.join(map(str, levels))}: it seems to number several"):
        read_mask(save("mask.png", np.array(levels, dtype=np.uint8)[regions]))


def test_label_map_that_was_saved_as_jpeg_is_refused(regions: Whole, save: Save) -> None:
    large = np.kron(np.array([0, 85, 170], dtype=np.uint8)[regions], np.ones((8, 8), dtype=np.uint8))
    with pytest.raises(ValueError, match="several structures"):
        read_mask(save("mask.jpg", large, quality=90))


@pytest.mark.parametrize("blur_px", [0.5, 2.0, 20.0])
def test_smooth_border_is_no_label_map(regions: Whole, save: Save, blur_px: float) -> None:
    from scipy.ndimage import gaussian_filter

    drawn = np.kron(regions > 0, np.ones((8, 8))) * 255.0
    smooth = np.rint(gaussian_filter(drawn, blur_px)).astype(np.uint8)
    with pytest.warns(UserWarning, match="grey levels instead of two"):
        mask = read_mask(save("mask.png", smooth))
    assert torch.equal(mask[0], torch.from_numpy(smooth > smooth.max() / 2))


def test_mask_in_one_colour_is_a_mask(regions: Whole, save: Save) -> None:
    mask = read_mask(save("mask.png", colours(regions, (0, 0, 0), (0, 0, 255), (0, 0, 255))))
    assert torch.equal(mask[0], torch.from_numpy(regions > 0))


def test_mask_without_a_black_background_is_refused(regions: Whole, save: Save) -> None:
    with pytest.raises(ValueError, match="levels 200 and 255 and no black background"):
        read_mask(save("mask.png", np.where(regions > 0, 255, 200).astype(np.uint8)))


def test_mask_drawn_in_black_on_a_transparent_layer_is_refused(regions: Whole, save: Save) -> None:
    alpha = np.where(regions > 0, 255, 0).astype(np.uint8)
    with pytest.raises(ValueError, match="black wherever it is not transparent"):
        read_mask(save("mask.png", np.stack([np.zeros_like(alpha), alpha], axis=-1)))
