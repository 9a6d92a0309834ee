"""Elements of a DICOM header as plain Python values, or an error that names the element."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pydicom

PIXELS_MAX = 2**26  # of one picture; the largest radiographs, stitched spines, have about 40 million
ALLOCATED = (8, 16, 32)
SAMPLES = {"MONOCHROME1": 1, "MONOCHROME2": 1, "PALETTE COLOR": 1, "RGB": 3, "YBR_FULL": 3, "YBR_FULL_422": 3}
SAMPLES |= {"YBR_ICT": 3, "YBR_RCT": 3}


class DicomError(ValueError):
    """A DICOM file that cannot be used, and why."""


def numbers(dataset: pydicom.Dataset, keyword: str) -> list[float]:
    """An element's values; none where it is absent or empty.

    Raises:
        DicomError: If one of them is no finite number.
    """
    try:
        value = dataset.get(keyword)
        values = [] if value is None or value == "" else value if isinstance(value, Sequence) else [value]
        found = [float(each) for each in values]
    except Exception as error:  # pydicom converts a value when it is first looked at
        raise DicomError(f"{keyword} cannot be read ({error}); allowed are numbers.") from error
    if not all(map(math.isfinite, found)):
        raise DicomError(f"{keyword} is {found}; allowed are finite numbers.")
    return found


def text(dataset: pydicom.Dataset, keyword: str) -> str:
    """An element's first value in capitals and without blanks around it; empty where it is absent."""
    value = dataset.get(keyword)
    first = value[0] if isinstance(value, Sequence) and not isinstance(value, str) and value else value
    return str(first or "").strip().upper()


class PixelFormat(NamedTuple):
    """How the pixels of one frame are stored (PS3.3 C.7.6.3, PS3.5 8.1.1).

    Attributes:
        rows: Height, px.
        columns: Width, px.
        samples: Values of a pixel: 1 (grey, or an index into a palette) or 3.
        photometric: What the values mean, such as MONOCHROME1.
        allocated: Bits of a cell: 8, 16 or 32.
        stored: Bits of a value.
        high: Where in its cell the value's highest bit lies, from 0.
        signed: Whether values are in two's complement.
    """

    rows: int
    columns: int
    samples: int
    photometric: str
    allocated: int
    stored: int
    high: int
    signed: bool

    @property
    def bytes(self) -> int:
        """Of the uncompressed frame."""
        return self.rows * self.columns * self.samples * (self.allocated // 8)

    @classmethod
    def of(cls, dataset: pydicom.Dataset) -> PixelFormat:
        """What a header contains.

        Raises:
            DicomError: If something is missing, contradicts itself, is not of the kinds above, or is a picture of more
                than `PIXELS_MAX`.
        """
        stored = _whole(dataset, "BitsStored")
        found = cls(
            rows=_whole(dataset, "Rows"),
            columns=_whole(dataset, "Columns"),
            samples=_whole(dataset, "SamplesPerPixel"),
            photometric=text(dataset, "PhotometricInterpretation"),
            allocated=_whole(dataset, "BitsAllocated"),
            stored=stored,
            high=_whole(dataset, "HighBit", stored - 1),
            signed=bool(_whole(dataset, "PixelRepresentation", among=(0, 1))),
        )
        if not found.rows or not found.columns:
            raise DicomError(f"its header has {found.rows} rows and {found.columns} columns: no picture.")
        if found.rows * found.columns > PIXELS_MAX:
            raise DicomError(
                f"its header announces {found.columns}×{found.rows} pixels. Allowed are {PIXELS_MAX}, more than any "
                "radiograph has; make it smaller first, or check whether the header is damaged."
            )
        if found.photometric not in SAMPLES:
            raise DicomError(
                f"PhotometricInterpretation is {found.photometric!r}, so what is bright is not known. "
                f"Allowed are {', '.join(SAMPLES)}."
            )
        if found.samples != SAMPLES[found.photometric]:
            raise DicomError(f"its header has {found.samples} SamplesPerPixel, which {found.photometric} cannot have.")
        if found.allocated not in ALLOCATED:
            raise DicomError(f"BitsAllocated is {found.allocated}. Allowed are {', '.join(map(str, ALLOCATED))}.")
        if not 1 <= found.stored <= found.high + 1 <= found.allocated:
            raise DicomError(
                f"its header contradicts itself: values of {found.stored} bits (BitsStored) up to bit {found.high} "
                f"(HighBit) do not lie in cells of {found.allocated} (BitsAllocated)."
            )
        return found


def _whole(
    dataset: pydicom.Dataset, keyword: str, default: int | None = None, among: Sequence[int] | None = None
) -> int:
    values = numbers(dataset, keyword)
    if not values and default is not None:
        return default
    if len(values) != 1 or values[0] != int(values[0]) or values[0] < 0 or (among and values[0] not in among):
        said = f"is {values}" if values else "is missing"
        allowed = " or ".join(map(str, among)) if among else "one whole number"
        raise DicomError(f"{keyword} {said}; allowed is {allowed}.")
    return int(values[0])


def orientation_notes(dataset: pydicom.Dataset) -> list[str]:
    """Notes on what would make left and right, or the whole view, other than a frontal radiograph's."""
    notes = []
    view, rows = text(dataset, "ViewPosition"), text(dataset, "PatientOrientation")
    if view in {"LL", "RL", "LATERAL"}:
        notes.append(f"ViewPosition is {view}: not a frontal radiograph")
    if rows.startswith("R"):
        notes.append("PatientOrientation says that the patient's right is at the image's right: it may be mirrored")
    return notes


def unread_notes(dataset: pydicom.Dataset, elements: Mapping[str, str]) -> list[str]:
    """Notes on elements that are there without a value, and what is taken instead."""
    return [
        f"{keyword} is empty: taken as {instead}"
        for keyword, instead in elements.items()
        if keyword in dataset and dataset.get(keyword) in (None, "")
    ]
