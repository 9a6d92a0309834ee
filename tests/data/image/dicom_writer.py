"""DICOM files of every kind that a radiograph comes in, with the values that they are meant to hold."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from openjpeg.utils import encode_array
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    RLELossless,
    generate_uid,
)

SYNTAXES: dict[str, tuple[UID, bool]] = {  # name → how it is written, and whether the file says so
    "implicit": (ImplicitVRLittleEndian, True),
    "explicit": (ExplicitVRLittleEndian, True),
    "big": (ExplicitVRBigEndian, True),
    "deflated": (DeflatedExplicitVRLittleEndian, True),
    "implicit-without-meta": (ImplicitVRLittleEndian, False),
    "explicit-without-meta": (ExplicitVRLittleEndian, False),
    "big-without-meta": (ExplicitVRBigEndian, False),
    "rle": (RLELossless, True),
    "jpeg-lossless": (JPEGLosslessSV1, True),
    "jpeg-2000": (JPEG2000Lossless, True),
}


class Bits(NamedTuple):
    """Of a cell, of a value in it, and where that ends."""

    allocated: int
    stored: int
    high: int


def cells_of(stored: NDArray[np.int64], bits: Bits, overlay: NDArray[np.bool_] | None = None) -> NDArray[np.uint64]:
    """Cells that hold values, and above these one bit of an overlay."""
    cells = (stored & ((1 << bits.stored) - 1)) << (bits.high + 1 - bits.stored)
    return (cells if overlay is None else cells | overlay.astype(np.int64) << (bits.high + 1)).astype(np.uint64)


def write(
    path: Path,
    stored: NDArray[np.int64],
    bits: Bits,
    *,
    signed: bool = False,
    syntax: str = "explicit",
    overlay: NDArray[np.bool_] | None = None,
    **elements: Any,
) -> Path:
    """Write values of shape (H, W), with further elements by keyword, and return the path."""
    uid, has_meta = SYNTAXES[syntax]
    dataset = Dataset()
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[path.name])
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits
    dataset.PixelRepresentation = int(signed)
    for keyword, value in elements.items():
        if isinstance(value, tuple):  # with its kind of number, where that is not the picture's
            dataset.add_new(keyword, *value)
        else:
            setattr(dataset, keyword, value)
    if not uid.is_little_endian:  # bytes of OW lie in words
        for item in dataset.get("VOILUTSequence", []):
            if isinstance(item.LUTData, bytes):
                item.LUTData = np.frombuffer(item.LUTData, "<u2").astype(">u2").tobytes()
    cells = cells_of(stored, bits, overlay)
    whole = cells if overlay is not None or bits.high + 1 != bits.stored else stored & ((1 << bits.stored) - 1)
    if uid in (JPEG2000Lossless, JPEGLosslessSV1):
        precision = bits.allocated if whole is cells else bits.stored
        if uid == JPEGLosslessSV1:
            frame = jpeg_lossless(whole.astype(np.int64), precision)
        else:
            values = stored if signed and whole is not cells else whole
            kind = f"{'i' if signed and whole is not cells else 'u'}{1 if precision <= 8 else 2}"
            frame = encode_array(values.astype(kind), photometric_interpretation=2, bits_stored=precision)
        dataset.PixelData = encapsulate([frame])
        dataset["PixelData"].VR = "OB"
    else:
        raw = cells.astype(f"<u{bits.allocated // 8}")
        if uid == RLELossless:
            frame = RLELosslessEncoder.encode(
                raw.tobytes(), rows=raw.shape[0], columns=raw.shape[1], samples_per_pixel=1, number_of_frames=1,
                bits_allocated=bits.allocated, bits_stored=bits.allocated, pixel_representation=0,
                photometric_interpretation="MONOCHROME2",
            )  # fmt: skip
            dataset.PixelData = encapsulate([frame])
            dataset["PixelData"].VR = "OB"
        else:
            raw = raw.astype(raw.dtype.newbyteorder("<" if uid.is_little_endian else ">"))
            data = raw.tobytes()
            if not uid.is_little_endian and bits.allocated == 8:  # bytes lie in words
                data = np.frombuffer(data + b"\0" * (len(data) % 2), "<u2").astype(">u2").tobytes()
            dataset.PixelData = data
            dataset["PixelData"].VR = "OW"
    save(path, dataset, uid, has_meta=has_meta)
    return path


def save(path: Path, dataset: Dataset, syntax: UID, *, has_meta: bool = True) -> None:
    """Write a file with its header, or its elements alone."""
    if has_meta:
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
        if syntax.is_encapsulated:
            dataset["PixelData"].is_undefined_length = True
        dataset.save_as(path, enforce_file_format=True)
    else:
        dataset.save_as(path, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian)


def jpeg_lossless(values: NDArray[np.int64], precision: int) -> bytes:
    """A lossless JPEG (process 14, each pixel predicted from its left neighbour; ISO/IEC 10918-1 H)."""
    rows, columns = values.shape
    predicted = np.empty_like(values)
    predicted[:, 1:] = values[:, :-1]
    predicted[1:, 0] = values[:-1, 0]
    predicted[0, 0] = 1 << (precision - 1)
    differences = ((values - predicted + 2**15) % 2**16 - 2**15).ravel()
    bits = []
    for difference in differences.tolist():
        category = 16 if difference == -(2**15) else abs(difference).bit_length()
        bits.append(f"{category:05b}")  # 17 categories, all with codes of five bits
        if 0 < category < 16:
            bits.append(f"{difference if difference > 0 else difference + (1 << category) - 1:0{category}b}")
    stream = "".join(bits)
    stream += "1" * (-len(stream) % 8)
    coded = int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\x00")
    lengths = bytes([0, 0, 0, 0, 17, *[0] * 11])
    return b"".join(
        [
            b"\xff\xd8",
            b"\xff\xc3" + struct.pack(">HBHHB3B", 11, precision, rows, columns, 1, 1, 0x11, 0),
            b"\xff\xc4" + struct.pack(">HB", 2 + 1 + 16 + 17, 0) + lengths + bytes(range(17)),
            b"\xff\xda" + struct.pack(">HB2B3B", 8, 1, 1, 0, 1, 0, 0),
            coded,
            b"\xff\xd9",
        ]
    )


def lut(first: int, entries: Any, bits: int, *, packed: bool = False, kind: str = "US") -> Dataset:
    """An item of a LUT sequence; `packed` puts two 8-bit entries into a word."""
    item = Dataset()
    item.add_new("LUTDescriptor", kind, [len(entries) % 2**16, first, bits])
    array = np.asarray(entries)
    if packed:
        data = array.astype(np.uint8).tobytes()
        item.add_new("LUTData", "OW", data + b"\0" * (len(data) % 2))
    else:
        item.add_new("LUTData", "US", array.astype(int).tolist())
    return item
