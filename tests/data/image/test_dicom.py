"""DICOM radiographs: bright is dense, whatever the file's photometric interpretation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import MPEG2MPML, JPEGLosslessSV1, RLELossless

from radedit.data.image.files import picture_size, read_image, read_mask

Write = Callable[..., Path]
Stored = NDArray[np.uint16]


@pytest.fixture
def stored() -> Stored:
    """12-bit values, shape (6, 8)."""
    return np.linspace(100, 4000, 48).round().astype(np.uint16).reshape(6, 8)


def stretched(values: NDArray[np.generic]) -> torch.Tensor:
    values = values.astype(np.float64)
    return torch.from_numpy((values - values.min()) / (values.max() - values.min())).float()[None]


def table(first: int, entries: NDArray[np.uint16]) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, 16]
    item.LUTData = entries.astype("<u2").tobytes()
    return item


def test_monochrome2_is_read_as_stored(stored: Stored, dicom: Write) -> None:
    image, notes = read_image(dicom(stored, BitsStored=12, HighBit=11))
    torch.testing.assert_close(image, stretched(stored))
    assert image.dtype == torch.float32 and not notes


def test_monochrome1_is_the_negative_of_monochrome2(stored: Stored, dicom: Write) -> None:
    image, notes = read_image(dicom(stored, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE"))
    torch.testing.assert_close(image, 1 - stretched(stored))
    assert notes == ["MONOCHROME1 inverted"]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_8_bits_and_signed_values_are_read(dtype: type, dicom: Write) -> None:
    values: NDArray[np.generic] = np.arange(-24, 24).astype(dtype).reshape(6, 8)
    torch.testing.assert_close(read_image(dicom(values)).pixels, stretched(values))


def test_negative_rescale_slope_inverts(stored: Stored, dicom: Write) -> None:
    image = read_image(dicom(stored, RescaleSlope=-1, RescaleIntercept=4095)).pixels
    torch.testing.assert_close(image, 1 - stretched(stored))


def test_window_is_applied_and_noted(stored: Stored, dicom: Write) -> None:
    image, notes = read_image(dicom(stored, WindowCenter=2000.5, WindowWidth=1001, BitsStored=12, HighBit=11))
    torch.testing.assert_close(image, stretched(stored.astype(float).clip(1500, 2500)))
    assert notes == ["window applied: centre 2000.5, width 1001"]


def test_first_of_several_windows_is_taken(stored: Stored, dicom: Write) -> None:
    image = read_image(dicom(stored, WindowCenter=[2000.5, 1], WindowWidth=[1001, 2])).pixels
    torch.testing.assert_close(image, stretched(stored.astype(float).clip(1500, 2500)))


def test_window_counts_in_rescaled_values(stored: Stored, dicom: Write) -> None:
    elements = {"RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": 3000.5, "WindowWidth": 2001}
    image = read_image(dicom(stored, **elements)).pixels
    torch.testing.assert_close(image, stretched((2.0 * stored - 1000).clip(2000, 4000)))


def test_window_does_not_undo_a_negative_slope(stored: Stored, dicom: Write) -> None:
    elements = {"RescaleSlope": -1, "RescaleIntercept": 4095, "WindowCenter": 2000.5, "WindowWidth": 1001}
    image = read_image(dicom(stored, **elements)).pixels
    torch.testing.assert_close(image, stretched((4095.0 - stored).clip(1500, 2500)))


def test_monochrome1_is_inverted_after_its_window(stored: Stored, dicom: Write) -> None:
    elements = {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 1000.5, "WindowWidth": 1001}
    image = read_image(dicom(stored, **elements)).pixels
    torch.testing.assert_close(image, 1 - stretched(stored.astype(float).clip(500, 1500)))


def test_voi_lut_is_applied_before_a_window(stored: Stored, dicom: Write) -> None:
    squares = (np.arange(4096, dtype=np.float64) ** 2 / 4095**2 * 65535).astype(np.uint16)
    image, notes = read_image(dicom(stored, VOILUTSequence=[table(0, squares)], WindowCenter=5, WindowWidth=2))
    torch.testing.assert_close(image, stretched(squares[stored]))
    assert notes == ["VOI LUT applied"]


def test_voi_lut_counts_in_rescaled_values(stored: Stored, dicom: Write) -> None:
    squares = (np.arange(4096, dtype=np.float64) ** 2 / 4095**2 * 65535).astype(np.uint16)
    image = read_image(dicom(stored, VOILUTSequence=[table(0, squares)], RescaleSlope=-1, RescaleIntercept=4095)).pixels
    torch.testing.assert_close(image, stretched(squares[4095 - stored]))


def test_modality_lut_is_applied(stored: Stored, dicom: Write) -> None:
    falling = np.arange(4095, -1, -1).astype(np.uint16)
    lut = table(0, falling)
    lut.ModalityLUTType = "OD"
    torch.testing.assert_close(read_image(dicom(stored, ModalityLUTSequence=[lut])).pixels, 1 - stretched(stored))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_does_not_count(photometric: str, stored: Stored, dicom: Write) -> None:
    padded = stored.copy()
    padded[:, 0] = 65535
    radiograph = dicom(padded, PixelPaddingValue=65535, PhotometricInterpretation=photometric)
    image, notes = read_image(radiograph)
    expected = stretched(stored[:, 1:]) if photometric == "MONOCHROME2" else 1 - stretched(stored[:, 1:])
    torch.testing.assert_close(image[..., 1:], expected)
    assert (image[..., 0] == 0).all() and "padding" in notes[-1]


def test_colour_is_converted_with_a_note(dicom: Write) -> None:
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    image, notes = read_image(dicom(np.stack([grey] * 3, axis=-1)))
    torch.testing.assert_close(image, stretched(grey))
    assert notes == ["colour image (RGB) converted to grey by luma"]


def test_run_length_encoding_needs_no_further_package(stored: Stored, dicom: Write) -> None:
    path = dicom(stored)
    dataset = pydicom.dcmread(path)
    dataset.compress(RLELossless)
    dataset.save_as(path)
    torch.testing.assert_close(read_image(path).pixels, stretched(stored))


def test_size_in_the_header_is_that_of_the_picture(stored: Stored, dicom: Write) -> None:
    assert picture_size(dicom(stored)) == stored.shape


def test_name_may_lack_the_extension(stored: Stored, dicom: Write) -> None:
    path = dicom(stored, name="1.2.840.1")
    torch.testing.assert_close(read_image(path).pixels, stretched(stored))


def test_file_without_a_preamble_is_read(stored: Stored, dicom: Write, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(dicom(stored))
    old = Dataset({element.tag: element for element in dataset})
    old.save_as(tmp_path / "old.dcm", implicit_vr=True, little_endian=True)
    assert (tmp_path / "old.dcm").read_bytes()[128:132] != b"DICM"
    torch.testing.assert_close(read_image(tmp_path / "old.dcm").pixels, stretched(stored))


def test_what_would_swap_the_sides_is_noted(stored: Stored, dicom: Write) -> None:
    _, notes = read_image(dicom(stored, PatientOrientation=["R", "F"], ViewPosition="LL"))
    assert [note.split()[0] for note in notes] == ["ViewPosition", "PatientOrientation"]


def test_compression_without_a_decoder_says_what_to_install(stored: Stored, dicom: Write) -> None:
    path = dicom(stored, syntax=MPEG2MPML, PixelData=encapsulate([b"\0" * 10]))
    with pytest.raises(ValueError, match="MPEG2 .* no installed decoder reads.*pylibjpeg"):
        read_image(path)


@pytest.mark.skipif(get_decoder(JPEGLosslessSV1).is_available, reason="a decoder is installed")
def test_jpeg_lossless_without_a_decoder_says_what_to_install(stored: Stored, dicom: Write) -> None:
    path = dicom(stored, syntax=JPEGLosslessSV1, PixelData=encapsulate([b"\0" * 10]))
    with pytest.raises(ValueError, match="JPEG Lossless.*no installed decoder reads"):
        read_image(path)


def test_file_without_pixels_is_refused(stored: Stored, dicom: Write) -> None:
    path = dicom(stored)
    dataset = pydicom.dcmread(path)
    del dataset.PixelData
    dataset.save_as(path)
    with pytest.raises(ValueError, match="holds no pixels .*Computed Radiography"):
        read_image(path)


def test_several_frames_are_refused(stored: Stored, dicom: Write) -> None:
    with pytest.raises(ValueError, match="2 frames"):
        read_image(dicom(stored, Rows=3, NumberOfFrames=2))


def test_cut_off_pixels_are_refused(stored: Stored, dicom: Write) -> None:
    with pytest.raises(ValueError, match="cannot be decoded"):
        read_image(dicom(stored, PixelData=stored.tobytes()[:40]))


def test_constant_image_is_refused(dicom: Write) -> None:
    with pytest.raises(ValueError, match="in every pixel"):
        read_image(dicom(np.full((4, 4), 7, dtype=np.uint16)))


def test_text_named_dcm_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image.dcm").write_text("no image at all\n" * 50)
    with pytest.raises(ValueError, match="DICOM"):
        read_image(tmp_path / "image.dcm")


def test_mask_may_not_be_dicom(stored: Stored, dicom: Write) -> None:
    with pytest.raises(ValueError, match="is a DICOM file. Allowed are PNG and JPEG"):
        read_mask(dicom(stored))


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=60)
@given(data=st.data())
def test_damaged_file_is_read_or_refused_but_never_crashes(data: st.DataObject, dicom: Write) -> None:
    stored = np.arange(48, dtype=np.uint16).reshape(6, 8)
    path = dicom(stored, WindowCenter=20, WindowWidth=10, RescaleSlope=1, RescaleIntercept=0)
    content = bytearray(path.read_bytes())
    content = content[: data.draw(st.integers(0, len(content)))]
    for position in data.draw(st.lists(st.integers(0, max(len(content) - 1, 0)), max_size=4)):
        content[position : position + 1] = bytes([data.draw(st.integers(0, 255))])
    path.write_bytes(bytes(content))
    try:
        assert read_image(path).pixels.max() == 1
    except ValueError as error:
        assert str(path) in str(error)
