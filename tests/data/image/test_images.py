"""Radiographs and masks as PNG and JPEG."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from radedit.data.image.files import picture_size, read_image, read_mask, write_png

Grey = NDArray[np.uint8]
Save = Callable[..., Path]


def test_8_bit_png_is_divided_by_255(grey: Grey, save: Save) -> None:
    image, notes = read_image(save("image.png", grey))
    assert image.shape == (1, 12, 20) and image.dtype == torch.float32
    torch.testing.assert_close(image[0], torch.from_numpy(grey / np.float32(255)))
    assert not notes


def test_16_bit_png_is_divided_by_65535(grey: Grey, save: Save) -> None:
    deep = grey.astype(np.uint16) * 16 + 3
    image = read_image(save("image.png", deep)).pixels
    torch.testing.assert_close(image[0], torch.from_numpy((deep / 65535).astype(np.float32)))


def test_jpeg_is_read_as_it_shows(grey: Grey, save: Save) -> None:
    image, notes = read_image(save("image.jpg", grey, quality=95))
    torch.testing.assert_close(image[0], torch.from_numpy(grey / np.float32(255)), atol=0.03, rtol=0)
    assert not notes


def test_grey_stored_as_colour_keeps_its_levels_exactly_and_says_so(grey: Grey, save: Save) -> None:
    image, notes = read_image(save("image.png", np.stack([grey] * 3, axis=-1)))
    torch.testing.assert_close(image[0], torch.from_numpy(grey / np.float32(255)), atol=0, rtol=0)
    assert notes == ["colour image (RGB) converted to grey by luma; no pixel was tinted"]


def test_colour_becomes_luma_with_a_note(grey: Grey, save: Save) -> None:
    tinted = np.stack([grey, grey // 2, grey // 4], axis=-1)
    image, notes = read_image(save("image.png", tinted))
    luma = (0.299 * tinted[..., 0] + 0.587 * tinted[..., 1] + 0.114 * tinted[..., 2]) / 255
    torch.testing.assert_close(image[0].numpy(), luma.astype(np.float32))
    assert "tinted" in notes[0] and "no pixel" not in notes[0]


def test_colour_jpeg_is_grey_with_a_note(grey: Grey, save: Save) -> None:
    image, notes = read_image(save("image.jpeg", np.stack([grey] * 3, axis=-1), quality=95))
    torch.testing.assert_close(image[0], torch.from_numpy(grey / np.float32(255)), atol=0.03, rtol=0)
    assert "colour image" in notes[0]


def test_palette_is_resolved(grey: Grey, tmp_path: Path) -> None:
    indices = (grey > 100).astype(np.uint8)
    picture = Image.fromarray(indices, mode="P")
    picture.putpalette([40, 40, 40, 200, 200, 200])
    picture.save(tmp_path / "image.png")
    image = read_image(tmp_path / "image.png").pixels
    torch.testing.assert_close(image.unique(), torch.tensor([40, 200]) / 255)


def test_transparent_pixels_are_black_with_a_note(grey: Grey, save: Save) -> None:
    alpha = np.full_like(grey, 255)
    alpha[:, :5] = 0
    image, notes = read_image(save("image.png", np.stack([grey, alpha], axis=-1)))
    assert (image[..., :5] == 0).all() and image[..., 5:].max() == 1
    assert notes == ["transparent pixels were laid on black"]


def test_opaque_alpha_changes_nothing(grey: Grey, save: Save) -> None:
    image, _ = read_image(save("image.png", np.stack([grey, np.full_like(grey, 255)], axis=-1)))
    torch.testing.assert_close(image[0], torch.from_numpy(grey / np.float32(255)))


@pytest.mark.parametrize("name", ["image.jpg", "image.png"])
def test_size_in_the_header_is_that_of_the_picture(name: str, grey: Grey, tmp_path: Path) -> None:
    picture = Image.fromarray(grey)
    exif = picture.getexif()
    for orientation in (1, 3, 6):
        exif[0x0112] = orientation
        picture.save(tmp_path / name, exif=exif)
        assert picture_size(tmp_path / name) == tuple(read_image(tmp_path / name).pixels.shape[1:])


@pytest.mark.parametrize("name", ["image.jpg", "image.png"])
def test_exif_orientation_is_honoured(name: str, grey: Grey, tmp_path: Path) -> None:
    picture = Image.fromarray(grey)
    exif = picture.getexif()
    exif[0x0112] = 6  # turn by 90° clockwise to see it upright
    picture.save(tmp_path / name, exif=exif)
    image, notes = read_image(tmp_path / name)
    upright = np.rot90(grey, -1).copy()
    torch.testing.assert_close(image[0], torch.from_numpy(upright / np.float32(255)), atol=0.03, rtol=0)
    assert "orientation" in notes[0]


def test_content_decides_not_the_name(grey: Grey, save: Save) -> None:
    path = save("image.png", grey)
    torch.testing.assert_close(read_image(path.rename(path.with_name("image"))).pixels[0, 0, 0], torch.tensor(0.0))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no file .*image.png"):
        read_image(tmp_path / "image.png")


def test_folder_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a folder"):
        read_image(tmp_path)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_truncated_png_is_refused(share: float, save: Save) -> None:
    path = save("image.png", np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="cannot be read as a picture"):
        read_image(path)


def test_truncated_jpeg_is_refused(save: Save) -> None:
    path = save("image.jpg", np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="cannot be read as a picture"):
        read_image(path)


@pytest.mark.parametrize("offset", [20, 60, 200, 1000])
def test_png_with_a_flipped_byte_is_refused(offset: int, save: Save) -> None:
    path = save("image.png", np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8))
    content = bytearray(path.read_bytes())
    content[offset] ^= 0x55
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError):
        read_image(path)


@pytest.mark.parametrize(("name", "content"), [("a.txt", b"hello"), ("a.png", b"hello"), ("a.bin", b"")])
def test_other_formats_are_refused_with_what_is_allowed(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match="Allowed are PNG .*JPEG and DICOM"):
        read_image(tmp_path / name)


def test_tiff_is_refused(grey: Grey, save: Save) -> None:
    with pytest.raises(ValueError, match=r"extension \.tif"):
        read_image(save("image.tif", grey))


def test_animation_is_refused(grey: Grey, tmp_path: Path) -> None:
    frames = [Image.fromarray(grey), Image.fromarray(255 - grey)]
    frames[0].save(tmp_path / "image.png", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match="animation"):
        read_image(tmp_path / "image.png")


@pytest.mark.parametrize("level", [0, 17, 255])
def test_constant_image_is_refused(level: int, save: Save) -> None:
    with pytest.raises(ValueError, match="in every pixel"):
        read_image(save("image.png", np.full((8, 8), level, dtype=np.uint8)))


@pytest.mark.parametrize("level", [1, 128, 255])
def test_two_valued_mask_is_read_whatever_its_level(level: int, grey: Grey, save: Save) -> None:
    drawn = grey > 128
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mask = read_mask(save("mask.png", (drawn * level).astype(np.uint8)), (12, 20))
    assert mask.dtype == torch.bool and mask.shape == (1, 12, 20)
    torch.testing.assert_close(mask[0], torch.from_numpy(drawn))


@pytest.mark.parametrize("level", [0, 255])
def test_mask_may_be_empty_or_full(level: int, save: Save) -> None:
    mask = read_mask(save("mask.png", np.full((8, 8), level, dtype=np.uint8)))
    assert bool(mask.all()) == bool(mask.any()) == (level > 0)


def test_smooth_mask_is_cut_at_half_with_a_warning(save: Save) -> None:
    ramp = np.tile(np.arange(0, 256, 5, dtype=np.uint8), (4, 1))
    with pytest.warns(UserWarning, match="52 grey levels instead of two"):
        mask = read_mask(save("mask.png", ramp))
    torch.testing.assert_close(mask[0], torch.from_numpy(ramp > 127.5))


def test_label_map_is_no_mask(grey: Grey, save: Save) -> None:
    with pytest.raises(ValueError, match="number several structures"):
        read_mask(save("mask.png", grey // 100))


def test_mask_of_another_size_than_its_image_is_refused(grey: Grey, save: Save) -> None:
    with pytest.raises(
        ValueError,
        match=r"Mask .* is 20×12 but its image is 40×24\. Apply the same resize and crop to both; "
        r"see radedit\.data\.image\.transforms\.preprocess\.",
    ):
        read_mask(save("mask.png", np.where(grey > 99, 255, 0).astype(np.uint8)), (24, 40))


@pytest.mark.parametrize("bits", [8, 16])
def test_written_image_comes_back(bits: int, tmp_path: Path) -> None:
    image = torch.rand(1, 9, 7, generator=torch.Generator().manual_seed(0))
    write_png(tmp_path / "a.png", image, text={}, bits=bits)
    back = read_image(tmp_path / "a.png").pixels
    torch.testing.assert_close(back, image, atol=0.5 / (2**bits - 1) + 1e-7, rtol=0)


def test_written_mask_comes_back(tmp_path: Path) -> None:
    mask = torch.rand(1, 9, 7, generator=torch.Generator().manual_seed(0)) > 0.5
    write_png(tmp_path / "a.png", mask, text={})
    assert torch.equal(read_mask(tmp_path / "a.png"), mask)


def test_written_text_comes_back_in_any_script(tmp_path: Path) -> None:
    text = {"Licence": "CC BY 4.0", "Attribution": "Müller, Žižek, 山田", "Long": "x" * 5000}
    write_png(tmp_path / "a.png", torch.rand(1, 4, 4), text=text)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.text == text  # type: ignore[attr-defined]


def test_same_image_gives_the_same_bytes(tmp_path: Path) -> None:
    image = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(0))
    for name in ("a.png", "b.png"):
        write_png(tmp_path / name, image, text={"id": "p1"})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (torch.tensor([[[0.0, 1.2]]]), {}, "from 0 to 1.2; allowed is"),
        (torch.tensor([[[0.0, torch.nan]]]), {}, "allowed is"),
        (torch.zeros(3, 4, 4), {}, "shape"),
        (torch.zeros(1, 4, 4), {"bits": 12}, "allowed are 8 and 16"),
        (torch.zeros(1, 4, 4), {"text": {"": "x"}}, "keyword"),
        (torch.zeros(1, 4, 4), {"text": {"k" * 80: "x"}}, "keyword"),
    ],
)
def test_what_cannot_be_written_is_refused(
    image: torch.Tensor, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        write_png(tmp_path / "a.png", image, **{"text": {}, **options})
    assert not list(tmp_path.iterdir())


def test_failed_write_keeps_the_old_file_and_leaves_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_png(tmp_path / "a.png", torch.zeros(1, 4, 4), text={})
    before = (tmp_path / "a.png").read_bytes()

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("radedit.data.io.atomic.os.replace", fail)
    with pytest.raises(KeyboardInterrupt):
        write_png(tmp_path / "a.png", torch.ones(1, 4, 4), text={})
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == before


def test_foreign_png_text_does_not_disturb(grey: Grey, tmp_path: Path) -> None:
    fields = PngInfo()
    fields.add_text("Comment", "x" * 100_000, zip=True)
    Image.fromarray(grey).save(tmp_path / "a.png", pnginfo=fields)
    assert read_image(tmp_path / "a.png").pixels.max() == 1


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=100)
@given(data=st.data(), name=st.sampled_from(["image.png", "image.jpg"]))
def test_damaged_file_is_read_or_refused_but_never_crashes(data: st.DataObject, name: str, save: Save) -> None:
    path = save(name, np.arange(240, dtype=np.uint8).reshape(12, 20))
    content = bytearray(path.read_bytes())
    content = content[: data.draw(st.integers(0, len(content)))]
    for position in data.draw(st.lists(st.integers(0, max(len(content) - 1, 0)), max_size=4)):
        content[position : position + 1] = bytes([data.draw(st.integers(0, 255))])
    path.write_bytes(bytes(content))
    try:
        assert read_image(path).pixels.isfinite().all()
    except ValueError as error:
        assert str(path) in str(error)
