"""Radiographs from DICOM files."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from radedit.data.image.dicom_elements import DicomError, PixelFormat, numbers, orientation_notes
from radedit.data.image.dicom_grey import show
from radedit.data.image.dicom_pixels import check_codestream, decode_grey, transfer_syntax

__all__ = ["DicomError", "dicom_dataset", "dicom_header", "dicom_size", "read_dicom", "show"]

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
BESIDE_MAX = 2**26  # bytes of a file that are not its picture: private elements, thumbnails
INFLATED_MAX = 2**28  # bytes of a deflated file


def read_dicom(path: Path) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Read one DICOM radiograph the way a viewer shows it.

    Pixels become stored values (`dicom_pixels`), and these grey levels (`dicom_grey`), such that bright is dense. The
    result fills [0, 1]; pixels marked as padding do not count and become black. How large a picture is is known from
    its headers, and one larger than any radiograph is refused before it is decoded.

    Args:
        path: An existing file.

    Returns:
        Grey levels of shape (H, W) and notes on what was applied.

    Raises:
        DicomError: If the file is no DICOM file, holds no image or several, is cut off, contradicts itself, or is
            compressed in a way that no installed decoder reads.
    """
    try:
        return _read(path)
    except DicomError as error:
        raise DicomError(f"{path}: {error}") from error
    except Exception as error:  # pydicom parses as it goes, so damage comes up anywhere, as anything
        raise DicomError(f"{path} is damaged ({type(error).__name__}: {error}). Copy or export it again.") from error


def dicom_size(path: Path) -> tuple[int, int]:
    """Height and width that `read_dicom` would give, px, from the header alone.

    Raises:
        DicomError: As `read_dicom`, as far as the header shows.
    """
    try:
        form = _check(_parse(path, pixels=False))
    except DicomError as error:
        raise DicomError(f"{path}: {error}") from error
    return form.rows, form.columns


def dicom_header(path: Path) -> pydicom.Dataset:
    """The elements of a file before its pixels, as they stand there."""
    return _parse(path, pixels=False)


def dicom_dataset(path: Path) -> pydicom.Dataset:
    """All elements of a file; one that is deflated may not inflate to more than a radiograph needs.

    Raises:
        DicomError: If it would.
    """
    return _parse(path, pixels=True)


def _read(path: Path) -> tuple[npt.NDArray[np.float32], list[str]]:
    header = _parse(path, pixels=False)
    form = _check(header)
    if path.stat().st_size > 2 * form.bytes + BESIDE_MAX:
        raise DicomError(f"it has {path.stat().st_size} bytes for a picture of {form.bytes}. Export it again.")
    dataset = _parse(path, pixels=True)
    if "PixelData" not in dataset:
        raise DicomError(_no_pixels(dataset))
    notes = orientation_notes(dataset)
    if form.samples == 3 or form.photometric == "PALETTE COLOR":
        notes.append(f"colour image ({form.photometric}) converted to grey by luma")
        return _read_colour(dataset, form), notes
    pixels = decode_grey(dataset, form)
    shown, applied = show(pixels.stored, dataset, pixels.cells)
    return shown, [*notes, *pixels.notes, *applied]


def _parse(path: Path, *, pixels: bool) -> pydicom.Dataset:
    """A file's elements, those before its pixels or all; files from before 1995 and some archives have no preamble."""
    try:
        meta = pydicom.filereader.read_file_meta_info(path)
    except Exception:  # without a preamble there is none
        meta = None
    if meta is None or meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return pydicom.dcmread(path, force=True, stop_before_pixels=not pixels)
    with path.open("rb") as file:
        file.seek(132 + 12 + int(meta.FileMetaInformationGroupLength))  # preamble, and that element itself
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        content = inflate.decompress(file.read(), INFLATED_MAX)
    if inflate.unconsumed_tail:
        raise DicomError(f"it inflates to more than {INFLATED_MAX} bytes. Decompress it first (gdcmconv --raw).")
    dataset = pydicom.dcmread(io.BytesIO(content), force=True, stop_before_pixels=not pixels)
    dataset.file_meta = meta
    return dataset


def _check(header: pydicom.Dataset) -> PixelFormat:
    if "SOPClassUID" not in header and "Rows" not in header:
        raise DicomError("it is not a DICOM file, or is cut off before its image. Copy or export it again.")
    if "Rows" not in header:
        raise DicomError(_no_pixels(header))
    frames = numbers(header, "NumberOfFrames") or [1]
    if frames != [1]:
        raise DicomError(f"it has {frames[0]:g} frames. Allowed is one; export the frame you mean as its own file.")
    return PixelFormat.of(header)


def _no_pixels(dataset: pydicom.Dataset) -> str:
    what = dataset.get("SOPClassUID", UID("")).name or "unknown"
    return (
        f"it holds no pixels (SOP class: {what}). Allowed are DICOM images; "
        "reports, presentation states and directories are none."
    )


def _read_colour(dataset: pydicom.Dataset, form: PixelFormat) -> npt.NDArray[np.float32]:
    syntax = transfer_syntax(dataset)
    if syntax.is_encapsulated:
        check_codestream(dataset, form, syntax)
    dataset.file_meta.TransferSyntaxUID = syntax
    try:
        colour = pixel_array(dataset)
        if form.photometric == "PALETTE COLOR":
            colour = apply_color_lut(colour, dataset)
    except Exception as error:
        raise DicomError(f"it has pixels that cannot be decoded: {error} Copy or export it again.") from error
    grey = np.zeros(colour.shape[:2], dtype=np.float32)
    for channel, weight in enumerate(LUMA):
        grey += np.float32(weight) * colour[..., channel].astype(np.float32)
    low, high = grey.min(), grey.max()
    return np.asarray((grey - low) / max(high - low, 1e-9), dtype=np.float32)
