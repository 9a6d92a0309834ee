"""From the bytes of a DICOM file's pixels to stored values."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from radedit.data.image.codestream import Codestream
from radedit.data.image.dicom_elements import DicomError, PixelFormat

logging.getLogger("pydicom").setLevel(logging.CRITICAL)  # it logs tracebacks of what is raised as an error anyway

Integers = npt.NDArray[np.integer[Any]]


class Pixels(NamedTuple):
    """A grey picture as stored.

    Attributes:
        stored: Values of `BitsStored` bits, signed where the header declares it, shape (H, W).
        cells: The same with what lies in the other bits of their cells, as whole numbers from 0; shape (H, W).
        notes: What is odd about them.
    """

    stored: Integers
    cells: Integers
    notes: list[str]


def transfer_syntax(dataset: pydicom.Dataset) -> UID:
    """How a file is encoded; one without a header of its own is read as it could be parsed."""
    named = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    if named:
        return UID(named)
    is_implicit, is_little = dataset.original_encoding
    if is_little is False:
        return ExplicitVRBigEndian
    return ExplicitVRLittleEndian if is_implicit is False else ImplicitVRLittleEndian


def check_codestream(dataset: pydicom.Dataset, form: PixelFormat, syntax: UID) -> tuple[bytes, Codestream | None]:
    """The compressed frame, and what it declares of its picture, once that agrees with the header.

    Raises:
        DicomError: If no decoder is installed, the frame is no codestream, or its size is not the header's.
    """
    decoder(syntax)
    try:
        frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
        stream = None if syntax == RLELossless else Codestream.of(frame)
    except Exception as error:
        raise DicomError(f"it has pixels that cannot be decoded: {error} Copy or export it again.") from error
    if stream is None:
        if len(frame) > 2 * form.bytes + 1024:  # runs of one are the longest code: 129 bytes for 128
            raise DicomError(f"its run lengths have {len(frame)} bytes for a picture of {form.bytes}.")
    elif stream[:3] != (form.rows, form.columns, form.samples):
        raise DicomError(
            f"its header says {form.columns}×{form.rows} px of {form.samples} samples, but its codestream has "
            f"{stream.columns}×{stream.rows} of {stream.samples}. Copy or export it again."
        )
    return frame, stream


def decoder(syntax: UID) -> Decoder:
    """What reads a compression.

    Raises:
        DicomError: If nothing that is installed does.
    """
    try:
        found = get_decoder(syntax)
        if found.is_available:
            return found
    except NotImplementedError:
        pass
    raise DicomError(
        f"it is compressed as {syntax.name} ({syntax}), which no installed decoder reads. "
        "Install some (pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg), "
        "or decompress the file first (gdcmconv --raw in.dcm out.dcm)."
    )


def decode_grey(dataset: pydicom.Dataset, form: PixelFormat) -> Pixels:
    """The stored values of a picture with one sample a pixel.

    Args:
        dataset: As read, with its pixels.
        form: Of its header.

    Raises:
        DicomError: If the pixels are cut off, are of another size than in the header, are compressed in a way that
            no installed decoder reads, or lie in their cells in a way that contradicts the header.
    """
    syntax = transfer_syntax(dataset)
    if syntax.is_encapsulated:
        cells, precision, notes = _decompressed(dataset, form, syntax)
    else:
        (cells, notes), precision = _native(dataset, form, syntax), form.allocated
    if precision <= form.stored:  # the codestream holds values and not cells
        if precision < form.stored:
            notes.append(f"the codestream has {precision} bits, the header says {form.stored}")
        return Pixels(_signed(cells, form.stored, form.signed), cells, notes)
    shift = form.high + 1 - form.stored
    if precision < form.high + 1:
        raise DicomError(f"its values lie up to bit {form.high} (HighBit), but its codestream has {precision} bits.")
    if shift and (cells & ((1 << shift) - 1)).any():
        raise DicomError(
            f"HighBit {form.high} says that values begin at bit {shift} of their cells, but lower bits are set as "
            f"well, so one of BitsStored ({form.stored}) and HighBit is wrong. Correct them, or export it again."
        )
    field = (cells >> shift) & ((1 << form.stored) - 1)
    stored = _signed(field, form.stored, form.signed)
    if (cells >> (form.high + 1)).any():  # an overlay's bits, the sign repeated, or longer values than announced
        strayed = (cells != field << shift) & (cells != (stored << shift) & ((1 << precision) - 1))
        if strayed.any() and _steps(_signed(cells, precision, form.signed)) < _steps(stored << shift):
            raise DicomError(
                f"its values go beyond the {form.stored} bits that BitsStored announces, up to {cells.max()}: only "
                "with all their bits are they a picture. Correct BitsStored and HighBit, or export it again."
            )
        if strayed.any():
            notes.append(
                f"bits above BitsStored are set in {100 * strayed.mean():.1f} % of the pixels (an overlay?): left out"
            )
    return Pixels(stored, cells, notes)


def _native(dataset: pydicom.Dataset, form: PixelFormat, syntax: UID) -> tuple[Integers, list[str]]:
    element = dataset["PixelData"]
    data = element.value or b""
    if element.is_undefined_length:
        raise DicomError(f"its pixels are encapsulated, but its transfer syntax ({syntax.name}) is not compressed.")
    if len(data) < form.bytes:
        raise DicomError(
            f"it has pixels that cannot be decoded: they have {len(data)} bytes instead of {form.bytes}. "
            "Copy or export it again."
        )
    notes = []
    if len(data) > form.bytes + form.bytes % 2:
        notes.append(f"{len(data) - form.bytes} bytes behind the picture were left out")
    big = not syntax.is_little_endian
    if big and form.allocated == 32:
        raise DicomError("it is big endian with 32 bits a pixel, whose order is not agreed on. Export it again.")
    if big and form.allocated == 8 and element.VR == "OW":  # bytes lie in words, PS3.5 8.1.1
        even = len(data) // 2 * 2
        data = np.frombuffer(data[:even], ">u2").astype("<u2").tobytes() + data[even:]
    cells = np.frombuffer(data, f"{'>' if big else '<'}u{form.allocated // 8}", form.rows * form.columns)
    return _cells(cells, form), notes


def _decompressed(dataset: pydicom.Dataset, form: PixelFormat, syntax: UID) -> tuple[Integers, int, list[str]]:
    """Cells, their bits, and notes."""
    frame, stream = check_codestream(dataset, form, syntax)
    source = decoder(syntax)
    plugin = "pylibjpeg" if stream and "pylibjpeg" in source.available_plugins else ""  # Pillow scales values
    options: dict[str, Any] = {"raw": True, "correct_unused_bits": False, "decoding_plugin": plugin}
    if stream:  # decoders give values in as many bytes as the codestream's need, whatever the header has
        options |= {
            "bits_stored": stream.precision,
            "bits_allocated": 8 * (1 << (stream.precision - 1 >> 3).bit_length()),
        }
    try:
        cells, _ = source.as_array(dataset, index=0, **options)
    except Exception as error:
        raise DicomError(f"it has pixels that cannot be decoded: {error} Copy or export it again.") from error
    if cells.shape != (form.rows, form.columns):
        raise DicomError(f"it has pixels that cannot be decoded: their shape is {cells.shape}.")
    cells = _cells(cells, form) & ((1 << form.allocated) - 1)
    if stream is None:
        return cells, form.allocated, []
    precision = stream.precision
    notes: list[str] = []
    values = cells & ((1 << precision) - 1)  # they come signed where the header declares it
    if precision < form.stored and (stream.signed or form.signed) and (values >> (precision - 1)).any():
        if not (stream.signed and form.signed):
            raise DicomError(
                f"its codestream has {_kind(stream.signed)} values of {precision} bits, its header says "
                f"{_kind(form.signed)} ones of {form.stored}: they can be read in two ways. Export it again."
            )
        values = _signed(values, precision, True) & ((1 << form.stored) - 1)
    return values, precision, notes


def _cells(cells: Integers, form: PixelFormat) -> Integers:
    """In a type in which cells can be shifted and signed, shape (H, W)."""
    wide = cells.astype(np.int64) if cells.itemsize > 2 else cells.astype(np.int32)
    return wide.reshape(form.rows, form.columns)


def _signed(values: Integers, bits: int, signed: bool) -> Integers:
    """Values of so many bits, their highest taken as their sign if they are `signed`."""
    sign = 1 << (bits - 1) if signed else 0
    return (values ^ sign) - sign


def _kind(signed: bool) -> str:
    return "signed" if signed else "unsigned"


def _steps(values: Integers) -> int:
    """How much neighbours differ: little in a picture, much where its highest bits are something else's or missing."""
    across, down = (np.abs(np.diff(values, axis=axis)).sum(dtype=np.int64) for axis in (0, 1))
    return int(across + down)
