"""DICOM files with which other datasets were wrong; each is read as its header means, or refused with the reason."""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from openjpeg.utils import encode_array
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1

from radedit.data.image.codestream import Codestream
from radedit.data.image.dicom import DicomError, read_dicom
from radedit.data.image.files import read_image
from tests.data.image.dicom_oracle import Lut, View, expected
from tests.data.image.dicom_writer import Bits, jpeg_lossless, lut, save, write

TWELVE, SIXTEEN = Bits(16, 12, 11), Bits(16, 16, 15)


@pytest.fixture
def stored() -> NDArray[np.int64]:
    """A smooth picture of 12-bit values, shape (32, 34)."""
    rows, columns = np.mgrid[0:1:32j, 0:1:34j]
    return np.rint(4095 * (0.7 * rows + 0.3 * columns)).astype(np.int64)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return tmp_path / "image.dcm"


def check(path: Path, stored: NDArray[np.int64], **view: Any) -> list[str]:
    """Compare with the oracle, and return the notes."""
    grey, notes = read_dicom(path)
    np.testing.assert_allclose(grey, expected(stored, View(**view)), atol=2e-6)
    return notes


def refuse(path: Path, reason: str) -> None:
    with pytest.raises(DicomError, match=reason) as caught:
        read_dicom(path)
    assert str(path) in str(caught.value)


# VOI LUT, modality LUT

SQUARES_8 = (np.arange(4096) ** 2 // 65793).tolist()  # 0…255


@pytest.mark.parametrize("packed", [False, True])
def test_voi_lut_of_8_bits_on_12_bit_values_does_not_wrap(stored: NDArray[np.int64], image: Path, packed: bool) -> None:
    write(image, stored, TWELVE, VOILUTSequence=[lut(0, SQUARES_8, 8, packed=packed)])
    assert check(image, stored, voi=Lut(0, SQUARES_8, 8)) == ["VOI LUT applied"]


def test_voi_lut_of_8_bits_may_have_an_odd_number_of_entries(stored: NDArray[np.int64], image: Path) -> None:
    entries = SQUARES_8[:4095]
    write(image, stored, TWELVE, VOILUTSequence=[lut(0, entries, 8, packed=True)])
    check(image, stored, voi=Lut(0, entries, 8))


def test_modality_lut_may_have_12_bits(stored: NDArray[np.int64], image: Path) -> None:
    falling = list(range(4095, -1, -1))
    write(image, stored, TWELVE, ModalityLUTSequence=[lut(0, falling, 12)])
    check(image, stored, modality=Lut(0, falling, 12))


def test_first_value_of_a_table_may_be_written_without_its_sign(stored: NDArray[np.int64], image: Path) -> None:
    entries = list(range(4096))
    write(image, stored - 2048, SIXTEEN, signed=True, VOILUTSequence=[lut(2**16 - 2048, entries, 12)])
    check(image, stored - 2048, voi=Lut(-2048, entries, 12))


def test_shortened_table_is_refused_if_an_entry_that_is_needed_is_missing(
    stored: NDArray[np.int64], image: Path
) -> None:
    item = lut(0, SQUARES_8[:3000], 8)
    item.LUTDescriptor = [4096, 0, 8]
    write(image, stored, TWELVE, VOILUTSequence=[item])
    refuse(image, "VOI LUT has 3000 of the 4096 entries that it announces")
    write(image, stored // 2, TWELVE, VOILUTSequence=[item])
    check(image, stored // 2, voi=Lut(0, SQUARES_8, 8))


def test_entries_longer_than_announced_are_kept_with_a_note(stored: NDArray[np.int64], image: Path) -> None:
    entries = list(range(4096))
    write(image, stored, TWELVE, VOILUTSequence=[lut(0, entries, 10)])
    assert "beyond its 10 bits" in " ".join(check(image, stored, voi=Lut(0, entries, 12)))


# Windows


@pytest.mark.parametrize("element", ["VOILUTFunction", "RescaleSlope", "RescaleIntercept", "PixelPaddingRangeLimit"])
def test_element_without_a_value_is_read_with_a_note(stored: NDArray[np.int64], image: Path, element: str) -> None:
    elements: dict[str, Any] = {"WindowCenter": "2048", "WindowWidth": "4096"}
    view: dict[str, Any] = {"window": (2048, 4096)}
    if element.startswith("Rescale"):
        elements |= {"RescaleSlope": "1", "RescaleIntercept": "0"}
    elif element.startswith("Pixel"):
        elements |= {"PixelPaddingValue": ("US", 0)}
        view |= {"padding": (0, 0)}
    elements[element] = ("US", None) if element.startswith("Pixel") else ""
    write(image, stored, TWELVE, **elements)
    assert f"{element} is empty" in " ".join(check(image, stored, **view))


def test_window_outside_the_values_is_named_and_left_out(stored: NDArray[np.int64], image: Path) -> None:
    write(image, stored, TWELVE, WindowCenter="30000", WindowWidth="10")
    notes = check(image, stored)
    assert "window: centre 30000, width 10 left out" in notes[0] and "0…4095" in notes[0]


@pytest.mark.parametrize("width", ["0", "-400", "0.5"])
def test_window_width_that_is_not_allowed_is_named_and_left_out(
    stored: NDArray[np.int64], image: Path, width: str
) -> None:
    write(image, stored, TWELVE, WindowCenter="2048", WindowWidth=width)
    assert f"its width is {width}, allowed is at least 1" in check(image, stored)[0]


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_window_follows_its_function_below_a_falling_rescale(
    stored: NDArray[np.int64], image: Path, function: str
) -> None:
    elements = {"RescaleSlope": "-1", "RescaleIntercept": "4095", "WindowCenter": "1000", "WindowWidth": "700"}
    write(image, stored, TWELVE, VOILUTFunction=function, PhotometricInterpretation="MONOCHROME1", **elements)
    check(image, stored, slope=-1, intercept=4095, window=(1000, 700), function=function, inverted=True)


def test_unknown_window_function_is_refused(stored: NDArray[np.int64], image: Path) -> None:
    write(image, stored, TWELVE, WindowCenter="9", WindowWidth="9", VOILUTFunction="LOG")
    refuse(image, "VOILUTFunction is 'LOG'. Allowed are LINEAR")


def test_rescale_by_zero_is_refused(stored: NDArray[np.int64], image: Path) -> None:
    write(image, stored, TWELVE, RescaleSlope="0", RescaleIntercept="5")
    refuse(image, "makes all pixels alike")


# Polarity, padding


@pytest.mark.parametrize(("photometric", "shape"), [("MONOCHROME2", "INVERSE"), ("MONOCHROME1", "IDENTITY")])
def test_presentation_shape_that_contradicts_is_noted(
    stored: NDArray[np.int64], image: Path, photometric: str, shape: str
) -> None:
    write(image, stored, TWELVE, PhotometricInterpretation=photometric, PresentationLUTShape=shape)
    assert "contradicts" in check(image, stored, inverted=photometric == "MONOCHROME1")[-1]


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_of_another_sign_is_recognised(stored: NDArray[np.int64], image: Path, photometric: str) -> None:
    padded = stored.copy()
    padded[:, :5] = -2000
    write(image, padded, SIXTEEN, signed=True, PhotometricInterpretation=photometric, PixelPaddingValue=("US", 63536))
    notes = check(image, padded, padding=(-2000, -2000), inverted=photometric == "MONOCHROME1")
    assert "padding" in notes[-1]


def test_padding_may_fill_a_whole_cell(stored: NDArray[np.int64], image: Path) -> None:
    write(image, stored, TWELVE, PixelPaddingValue=("US", 65535))
    dataset = pydicom.dcmread(image)
    cells = stored.astype("<u2")
    cells[:, :5] = 65535
    dataset.PixelData = cells.tobytes()
    dataset.save_as(image)
    grey, _ = read_dicom(image)
    assert (grey[:, :5] == 0).all()
    np.testing.assert_allclose(grey[:, 5:], expected(stored[:, 5:], View()), atol=2e-6)


def test_padding_range_may_wrap_signs(stored: NDArray[np.int64], image: Path) -> None:
    padded = stored.copy()
    padded[:, 0], padded[:, 1], padded[:, 2] = -2000, -1500, -1000
    limits = {"PixelPaddingValue": ("US", 2**16 - 1000), "PixelPaddingRangeLimit": ("SS", -2000)}
    write(image, padded, SIXTEEN, signed=True, **limits)
    check(image, padded, padding=(-2000, -1000))


# Cells


@pytest.mark.parametrize("syntax", ["explicit", "big", "rle", "jpeg-lossless", "jpeg-2000"])
@pytest.mark.parametrize("signed", [False, True])
def test_overlay_above_the_stored_bits_is_left_out(
    stored: NDArray[np.int64], image: Path, syntax: str, signed: bool
) -> None:
    overlay = np.zeros(stored.shape, dtype=bool)
    overlay[9:14, 8:21] = True
    values = stored - 2048 * signed
    write(image, values, TWELVE, signed=signed, syntax=syntax, overlay=overlay)
    assert "bits above BitsStored" in check(image, values)[0]


def test_values_longer_than_announced_are_no_overlay(stored: NDArray[np.int64], image: Path) -> None:
    write(image, stored * 4, Bits(16, 14, 13))
    dataset = pydicom.dcmread(image)
    dataset.BitsStored, dataset.HighBit = 12, 11
    dataset.save_as(image)
    refuse(image, "its values go beyond the 12 bits that BitsStored announces, up to 16380")


def test_high_bit_says_where_values_lie(stored: NDArray[np.int64], image: Path) -> None:
    write(image, stored, Bits(16, 12, 15))
    assert not check(image, stored)


def test_high_bit_that_contradicts_the_cells_is_refused(stored: NDArray[np.int64], image: Path) -> None:
    write(image, stored, TWELVE)
    dataset = pydicom.dcmread(image)
    dataset.HighBit = 15
    dataset.save_as(image)
    refuse(image, "HighBit 15 says that values begin at bit 4 of their cells, but lower bits are set")


@pytest.mark.parametrize("syntax", ["implicit-without-meta", "explicit-without-meta", "big-without-meta"])
def test_file_without_meta_is_read_in_its_own_byte_order(stored: NDArray[np.int64], image: Path, syntax: str) -> None:
    write(image, stored, TWELVE, syntax=syntax)
    check(image, stored)


@pytest.mark.parametrize("bits", [Bits(8, 9, 8), Bits(16, 12, 10), Bits(16, 12, 16), Bits(12, 12, 11)])
def test_bits_that_contradict_each_other_are_refused(stored: NDArray[np.int64], image: Path, bits: Bits) -> None:
    write(image, stored, TWELVE)
    dataset = pydicom.dcmread(image)
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits
    dataset.save_as(image)
    refuse(image, "contradicts itself|BitsAllocated is 12")


@pytest.mark.parametrize("photometric", ["", "MONOCHROME", "RGB"])
def test_photometric_interpretation_that_fits_no_grey_is_refused(
    stored: NDArray[np.int64], image: Path, photometric: str
) -> None:
    write(image, stored, TWELVE, PhotometricInterpretation=photometric)
    refuse(image, "PhotometricInterpretation is|SamplesPerPixel")


# Limits


def compressed(path: Path, frame: bytes, syntax: pydicom.uid.UID, rows: int, columns: int) -> None:
    """A file whose header announces a picture of 12 bits, with some codestream."""
    write(path, np.zeros((2, 2), dtype=np.int64), TWELVE)
    dataset = pydicom.dcmread(path)
    dataset.Rows, dataset.Columns, dataset.PixelData = rows, columns, encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    save(path, dataset, syntax)


def j2k(stored: NDArray[np.int64]) -> bytearray:
    return bytearray(encode_array(stored.astype(np.uint16), photometric_interpretation=2, bits_stored=12))


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLosslessSV1])
def test_codestream_of_another_size_than_its_header_is_refused_before_it_is_decoded(
    stored: NDArray[np.int64], image: Path, syntax: pydicom.uid.UID
) -> None:
    frame = jpeg_lossless(stored, 12) if syntax == JPEGLosslessSV1 else bytes(j2k(stored))
    compressed(image, frame, syntax, 32, 32)
    refuse(image, "its header says 32×32 px of 1 samples, but its codestream has 34×32 of 1")


def test_picture_larger_than_any_radiograph_is_refused_by_its_header(stored: NDArray[np.int64], image: Path) -> None:
    frame = j2k(stored)
    struct.pack_into(">II", frame, 8, 30000, 30000)
    compressed(image, bytes(frame), JPEG2000Lossless, 30000, 30000)
    assert image.stat().st_size < 4000
    refuse(image, "announces 30000×30000 pixels. Allowed are 67108864")


def test_codestream_in_blocks_without_number_is_refused(stored: NDArray[np.int64], image: Path) -> None:
    frame = j2k(stored)
    struct.pack_into(">II", frame, 8, 8000, 8000)
    struct.pack_into(">II", frame, 24, 8000, 8000)  # one tile
    cod = frame.index(b"\xff\x52")
    frame[cod + 10 : cod + 12] = b"\0\0"  # blocks of 4×4
    compressed(image, bytes(frame), JPEG2000Lossless, 8000, 8000)
    refuse(image, "cuts the picture into 4000000 blocks")
    struct.pack_into(">II", frame, 24, 1, 1)
    compressed(image, bytes(frame), JPEG2000Lossless, 8000, 8000)
    refuse(image, "tiles of 1×1 px, more than 65535")


def test_codestream_behind_jp2_boxes_is_found(stored: NDArray[np.int64]) -> None:
    box = b"\0\0\0\x0cjP  \r\n\x87\n" + struct.pack(">I4s", 8, b"free") + struct.pack(">I4s", 0, b"jp2c")
    assert Codestream.of(box + bytes(j2k(stored))) == (32, 34, 1, 12, False)


def test_deflated_bomb_is_refused(stored: NDArray[np.int64], image: Path) -> None:
    write(image, stored, TWELVE, syntax="deflated")
    content = image.read_bytes()
    start = 132 + 12 + pydicom.filereader.read_file_meta_info(image).FileMetaInformationGroupLength
    inflated = zlib.decompress(content[start:], -zlib.MAX_WBITS)
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = deflate.compress(inflated) + b"".join(deflate.compress(b"\0" * 2**24) for _ in range(24)) + deflate.flush()
    image.write_bytes(content[:start] + bomb)
    refuse(image, "inflates to more than")


def test_refusing_a_bomb_takes_no_memory(stored: NDArray[np.int64], image: Path) -> None:
    frame = j2k(stored)
    struct.pack_into(">II", frame, 8, 20000, 20000)
    struct.pack_into(">II", frame, 24, 20000, 20000)
    compressed(image, bytes(frame), JPEG2000Lossless, 20000, 20000)
    code = """
import sys
from pathlib import Path
from radedit.data.image.dicom import read_dicom
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
before = peak()
try:
    read_dicom(Path(sys.argv[1]))
except ValueError:
    print(peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", code, image], capture_output=True, text=True, timeout=600, check=True)
    assert int(done.stdout) < 100_000  # kB


def test_file_with_more_than_its_picture_is_refused_before_it_is_read(stored: NDArray[np.int64], image: Path) -> None:
    write(image, stored, TWELVE)
    with image.open("ab") as file:
        file.truncate(2**30)  # a hole
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refuse(image, "bytes for a picture of 2176")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_constant_picture_names_its_value(image: Path) -> None:
    write(image, np.full((8, 8), 77), TWELVE)
    with pytest.raises(ValueError, match="the stored value is 77 in every pixel"):
        read_image(image)
