"""Where the pixels of an image lie on the patient, which a mask of it has to agree with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from radedit.data.image.dicom import DicomError, dicom_header
from radedit.data.image.dicom_elements import numbers, text
from radedit.data.image.files import file_kind, picture_size

TOLERANCE = 0.01  # relative, of spacings: headers round them
AXIAL = 1e-3  # of a unit vector, beside its axis
Spacing = tuple[float, float]  # of rows and of columns, mm
Levels = npt.NDArray[np.int64]


class MisplacedError(ValueError):
    """A mask that can be read, but does not lie on its image: other size, orientation or spacing, or another image."""


class Place(NamedTuple):
    """What an image's file says of where its pixels lie.

    Attributes:
        size: Height and width, px.
        spacings: Distances of rows and of columns, mm, at the detector, at the patient, or both; none where unknown.
        orientation: Where rows and columns lead: `LF` is to the patient's left and feet. Empty where unknown.
        uid: The image's own, of DICOM; else empty.
    """

    size: tuple[int, int]
    spacings: tuple[Spacing, ...] = ()
    orientation: str = ""
    uid: str = ""

    @classmethod
    def of(cls, image: Path) -> Place:
        """What a PNG, JPEG or DICOM file says.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is of another format, or damaged.
        """
        size = picture_size(image)
        if file_kind(image) != "dicom":
            return cls(size)
        try:
            header = dicom_header(image)
            found = [numbers(header, keyword) for keyword in ("PixelSpacing", "ImagerPixelSpacing")]
            spacings = tuple((each[0], each[1]) for each in found if len(each) == 2 and min(each) > 0)
            return cls(size, spacings, directions_of(header.get("PatientOrientation")), text(header, "SOPInstanceUID"))
        except DicomError as error:
            raise DicomError(f"{image}: {error}") from error

    def check_size(self, what: str, size: tuple[int, int]) -> None:
        """Raise a `MisplacedError` beginning with `what` if a mask is of another size than the image."""
        if size != self.size:
            raise MisplacedError(
                f"{what} is {size[1]}×{size[0]} but its image is {self.size[1]}×{self.size[0]}. "
                "Draw it on the image as it is, or resize and crop both alike."
            )

    def check_spacing(self, what: str, spacing: Spacing) -> None:
        """Raise a `MisplacedError` beginning with `what` if a mask's pixels are of another size on the patient.

        Where the image does not say how large they are, they are square. A spacing of 1 × 1 is that of tools which do
        not know it.
        """
        if not all(math.isfinite(each) and each > 0 for each in spacing):
            raise MisplacedError(f"{what} has the spacing {_by(spacing)}. Allowed are two lengths above 0; correct it.")
        if _alike(spacing, (1.0, 1.0)) or any(_alike(spacing, own) for own in self.spacings):
            return
        if not self.spacings and math.isclose(*spacing, rel_tol=TOLERANCE):
            return
        own = " or ".join(map(_by, self.spacings)) or "square pixels"
        raise MisplacedError(
            f"{what} has the spacing {_by(spacing)} mm (rows × columns), but its image has {own}. "
            "It may be resampled, or of another image; export it on the image's own grid."
        )

    def check_directions(self, what: str, directions: str) -> None:
        """Raise a `MisplacedError` beginning with `what` if rows and columns lead elsewhere than the image's."""
        own = self.orientation or "LF"  # as a frontal radiograph is shown: the patient's right at the image's left
        if directions and directions != own:
            said = f"its image's to {_said(own)}" if self.orientation else f"those of a radiograph to {_said(own)}"
            raise MisplacedError(
                f"{what}: its rows and columns lead to {_said(directions)}, but {said}. "
                "Export it on the image's own grid."
            )


def lead(vector: npt.NDArray[np.float64]) -> tuple[int, int] | None:
    """Which axis a direction lies along (0, 1, 2), and its sign; None of one that lies askew or has no length."""
    length = float(np.linalg.norm(vector))
    if not math.isfinite(length) or length <= 0:
        return None
    unit = vector / length
    axis = int(np.abs(unit).argmax())
    return (axis, 1 if unit[axis] > 0 else -1) if np.abs(np.delete(unit, axis)).max() <= AXIAL else None


def directions_of(value: object) -> str:
    """The main direction of rows and of columns, such as `LF`; empty where one is missing."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        return ""
    first = [str(each).strip().upper()[:1] for each in value]
    return "".join(first) if all(first) else ""


def directions_of_cosines(cosines: Sequence[float]) -> str:
    """The same of six cosines, as `ImageOrientationPatient` has them; `?` of one that lies askew.

    A picture without a patient's axes is written by ITK as if it lay flat: its columns lead to the back, which is read
    as to the feet.
    """
    if len(cosines) != 6:
        return ""
    names = {(0, 1): "L", (0, -1): "R", (1, 1): "F", (1, -1): "H", (2, 1): "H", (2, -1): "F"}
    found = [lead(np.asarray(cosines[start : start + 3], dtype=np.float64)) for start in (0, 3)]
    return "".join("?" if each is None else names[each] for each in found)


def _alike(one: Spacing, other: Spacing) -> bool:
    return all(math.isclose(a, b, rel_tol=TOLERANCE) for a, b in zip(one, other, strict=True))


def _by(spacing: Spacing) -> str:
    return f"{spacing[0]:g} × {spacing[1]:g}"


def _said(directions: str) -> str:
    words = {"L": "left", "R": "right", "F": "feet", "H": "head", "A": "front", "P": "back", "?": "nowhere (askew)"}
    return " and ".join(words.get(each, each) for each in directions)
