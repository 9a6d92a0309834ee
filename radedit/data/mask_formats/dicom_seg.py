"""Masks of DICOM segmentations (PS3.3 A.51 and A.104): one frame for each segment, or a label map."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, RLELossless

from radedit.data.image.dicom import DicomError, dicom_dataset, dicom_header
from radedit.data.image.dicom_elements import PIXELS_MAX, numbers, text
from radedit.data.image.dicom_pixels import transfer_syntax
from radedit.data.mask_formats.place import MisplacedError, Place, directions_of, directions_of_cosines

SEGMENTATIONS = {"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"}  # SOP classes; the latter: label maps
BITS = {"BINARY": (1,), "FRACTIONAL": (8,), "LABELMAP": (8, 16)}  # SegmentationType → bits of a cell
FRAMES_MAX = 4096
Mask = npt.NDArray[np.bool_]


def read_dicom_seg(path: Path, segment: str, place: Place | None, *, chosen: bool = False) -> Mask:
    """The mask of one segment.

    Args:
        path: A DICOM segmentation.
        segment: Its label (capitals, blanks and underscores do not matter) or its number.
        place: Of the image, which the mask is compared with; not compared where None.
        chosen: Whether the user named the segment. Where not, a file of a single segment gives that.

    Returns:
        Shape (H, W). No pixel is set where the segment is listed and has no frame, as empty ones may be left out.

    Raises:
        MisplacedError: If size, orientation or spacing is not the image's, or the file is of other images.
        ValueError: If it is no segmentation, is damaged, has no such segment, or several frames of it.
    """
    what = f"Mask {path}"
    try:
        check = _header(path, place)
        number = _number(check, segment, chosen)
        frame = _frame(check, number, place)
        height, width = _size(check)
        if frame is None:
            return np.zeros((height, width), dtype=bool)
        values = _values(dicom_dataset(path), frame)
    except MisplacedError as error:
        raise MisplacedError(f"{what}: {error}") from error
    except ValueError as error:  # DicomError is one
        raise ValueError(f"{what}: {error}") from error
    except Exception as error:  # pydicom parses as it goes, so damage comes up anywhere, as anything
        raise ValueError(f"{what} is damaged ({type(error).__name__}: {error}). Copy or export it again.") from error
    kind = text(check, "SegmentationType")
    if kind == "LABELMAP":
        return values == number
    return values > (numbers(check, "MaximumFractionalValue") or [255.0])[0] / 2 if kind == "FRACTIONAL" else values > 0


def check_dicom_seg(path: Path, place: Place) -> None:
    """Raise what `read_dicom_seg` would raise of size, orientation, spacing and kind."""
    try:
        _header(path, place)
    except MisplacedError as error:
        raise MisplacedError(f"Mask {path}: {error}") from error
    except ValueError as error:
        raise ValueError(f"Mask {path}: {error}") from error
    except Exception as error:
        raise ValueError(
            f"Mask {path} is damaged ({type(error).__name__}: {error}). Copy or export it again."
        ) from error


def _header(path: Path, place: Place | None) -> pydicom.Dataset:
    header = dicom_header(path)
    if str(header.get("SOPClassUID", "")) not in SEGMENTATIONS:
        what = UID(header.get("SOPClassUID", "")).name or "unknown"
        raise DicomError(f"it is a DICOM file, but no segmentation (SOP class: {what}). Allowed are DICOM SEG.")
    kind, (bits,) = text(header, "SegmentationType"), map(int, numbers(header, "BitsAllocated") or [0])
    if bits not in BITS.get(kind, ()):
        raise DicomError(f"its segments are {kind or 'of no type'} of {bits} bits. Allowed are {', '.join(BITS)}.")
    height, width = _size(header)
    if not 0 < height * width <= PIXELS_MAX:
        raise DicomError(f"its header announces {width}×{height} pixels. Allowed are {PIXELS_MAX}.")
    if not 0 <= _frames(header) <= FRAMES_MAX:
        raise DicomError(f"it has {_frames(header)} frames. Allowed are {FRAMES_MAX}.")
    if place is not None:
        _check_place(header, place)
    return header


def _check_place(header: pydicom.Dataset, place: Place) -> None:
    place.check_size("it", _size(header))
    place.check_directions("it", directions_of(header.get("PatientOrientation")))
    for group in _groups(header):
        for item in group.get("PlaneOrientationSequence", []):
            place.check_directions("it", directions_of_cosines(numbers(item, "ImageOrientationPatient")))
        for item in group.get("PixelMeasuresSequence", []):
            if len(spacing := numbers(item, "PixelSpacing")) == 2:
                place.check_spacing("it", (spacing[0], spacing[1]))
    series = header.get("ReferencedSeriesSequence", [])
    of = {
        str(image.get("ReferencedSOPInstanceUID", ""))
        for one in series
        for image in one.get("ReferencedInstanceSequence", [])
    }
    if place.uid and of and place.uid not in of:
        raise MisplacedError("it was drawn on other images: none that it refers to is this one (SOPInstanceUID).")


def _groups(header: pydicom.Dataset) -> Iterator[pydicom.Dataset]:
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        yield from header.get(name, [])


def _number(header: pydicom.Dataset, segment: str, chosen: bool) -> int:
    segments = {
        int(each.SegmentNumber): str(each.get("SegmentLabel", "")) for each in header.get("SegmentSequence", [])
    }
    named = [number for number, label in segments.items() if _plain(label) == _plain(segment)]
    if segment.isdecimal() and int(segment) in segments:
        named = [int(segment)]
    if not named and not chosen and len(segments) == 1:
        named = list(segments)
    if len(named) != 1:
        listed = ", ".join(f"{number} ({label!r})" for number, label in segments.items()) or "none"
        raise DicomError(
            f"it has {len(named)} segments {segment!r}. It has: {listed[:400]}. Choose one, as in mask.dcm#2."
        )
    return named[0]


def _frame(header: pydicom.Dataset, segment: int, place: Place | None) -> int | None:
    """Which frame a segment is on; None where it has none."""
    groups = list(header.get("PerFrameFunctionalGroupsSequence", []))
    if len(groups) not in (0, _frames(header)) or (not groups and _frames(header) > 1):
        raise DicomError(f"it has {_frames(header)} frames, and what {len(groups)} of them are.")
    is_map = text(header, "SegmentationType") == "LABELMAP"
    found = []
    for number, group in enumerate(groups or [pydicom.Dataset()]):
        shared = [*header.get("SharedFunctionalGroupsSequence", []), group]
        of = [
            int(item.ReferencedSegmentNumber)
            for each in shared
            for item in each.get("SegmentIdentificationSequence", [])
        ]
        uids = {
            str(source.get("ReferencedSOPInstanceUID", ""))
            for each in shared
            for item in each.get("DerivationImageSequence", [])
            for source in item.get("SourceImageSequence", [])
        }
        is_of_image = place is None or not place.uid or not uids or place.uid in uids
        if is_of_image and (is_map or segment in of):
            found.append(number)
    if len(found) > 1:
        raise DicomError(f"it has {len(found)} frames of segment {segment}. Allowed is one, of this image.")
    return found[0] if found else None


def _values(dataset: pydicom.Dataset, frame: int) -> npt.NDArray[np.integer]:
    """The values of a frame, shape (H, W)."""
    (height, width), bits = _size(dataset), int(dataset.BitsAllocated)
    syntax = transfer_syntax(dataset)
    if syntax.is_encapsulated:
        if syntax != RLELossless or bits == 1:
            raise DicomError(f"it is compressed as {syntax.name}. Decompress it first (gdcmconv --raw in.dcm out.dcm).")
        return np.asarray(pixel_array(dataset, index=frame)).reshape(height, width)
    if not syntax.is_little_endian:
        raise DicomError("it is big endian. Convert it first (gdcmconv --raw in.dcm out.dcm).")
    content = dataset.get("PixelData", b"")
    start, n = frame * height * width, height * width
    first, last = start * bits // 8, -(-(start + n) * bits // 8)
    if len(content) < last:
        raise DicomError(f"it has {len(content)} bytes of pixels instead of {last}. Copy or export it again.")
    if bits == 1:  # frames follow one another bit by bit, the lowest bit first (PS3.5 8.1.1)
        cells = np.unpackbits(np.frombuffer(content[first:last], np.uint8), bitorder="little")[start % 8 :][:n]
    else:
        cells = np.frombuffer(content[first:last], f"<u{bits // 8}")
    return cells.reshape(height, width)


def _size(header: pydicom.Dataset) -> tuple[int, int]:
    rows, columns = (numbers(header, keyword) for keyword in ("Rows", "Columns"))
    return int((rows or [0])[0]), int((columns or [0])[0])


def _frames(header: pydicom.Dataset) -> int:
    return int((numbers(header, "NumberOfFrames") or [1])[0])


def _plain(label: str) -> str:
    return " ".join(label.replace("_", " ").replace("-", " ").casefold().split())
