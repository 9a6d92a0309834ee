"""Masks and label maps of NIfTI files, put upright by their affine."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header

from radedit.data.image.dicom_elements import PIXELS_MAX
from radedit.data.mask_formats.place import Levels, MisplacedError, Place, Spacing, lead

HEADERS = {348: Nifti1Header, 540: Nifti2Header}  # bytes that they say they have → kind
GZIP = b"\x1f\x8b"
BEFORE_MAX = 2**24  # bytes of header and extensions, before the pixels
LENGTHS_MM = {"mm": 1.0, "unknown": 1.0, "meter": 1000.0, "micron": 0.001}
LARGEST = 2**53  # whole numbers below it are exact in every type


class Slice(NamedTuple):
    """How the one slice of a file becomes rows and columns.

    Attributes:
        header: Of the file.
        rows: Axis along which rows are counted, from head to feet, or turned.
        columns: Axis along which columns are counted, from the patient's right to the left, or turned.
        flips: Whether rows, and whether columns, are counted the other way in the file.
        spacing: Of rows and columns, mm.
    """

    header: Nifti1Header
    rows: int
    columns: int
    flips: tuple[bool, bool]
    spacing: Spacing

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, px."""
        shape = (*self.header.get_data_shape(), 1)
        return int(shape[self.rows]), int(shape[self.columns])


def is_nifti(start: bytes) -> bool:
    """Whether these first bytes, decompressed, begin a NIfTI file."""
    return _kind(start) is not None


def read_nifti(path: Path, place: Place | None) -> Levels:
    """The numbers in a file of one slice, in the image's rows and columns.

    The affine says where each axis of the file leads on the patient. The columns of a frontal radiograph lead to the
    patient's left, and its rows to the feet; ITK writes a picture as if it lay flat, so that its rows lead to the back.
    Axes are exchanged and mirrored until they do so too. An affine that only numbers pixels is refused: its
    writer may have counted rows first, or upwards.

    Args:
        path: The file, gzipped or not.
        place: Of the image, which the mask is compared with; not compared where None.

    Returns:
        Whole numbers, shape (H, W).

    Raises:
        MisplacedError: If size, orientation or spacing is not the image's, or not said.
        ValueError: If it is no NIfTI file of one slice, is damaged, or holds negative numbers or fractions.
    """
    found = _slice(path, place)
    try:
        values = _pixels(path, found.header)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise ValueError(f"Mask {path} cannot be read as NIfTI: {error}. Copy or export it again.") from error
    with np.errstate(invalid="ignore"):  # NaN is found by the comparison
        whole = values.astype(np.int64)
    if (whole != values).any() or whole.min() < 0 or whole.max() > LARGEST:
        raise ValueError(
            f"Mask {path} holds fractions, or negative or infinite numbers. Allowed are 0 and one whole number, or the "
            "numbers of a label map; threshold it first."
        )
    del values
    order = [found.rows, found.columns]
    flat = whole.transpose([*order, *(axis for axis in range(3) if axis not in order)]).reshape(found.size)
    for axis, flip in enumerate(found.flips):
        flat = np.flip(flat, axis) if flip else flat
    return np.ascontiguousarray(flat)


def check_nifti(path: Path, place: Place) -> None:
    """Raise what `read_nifti` would raise of the header alone."""
    _slice(path, place)


def _slice(path: Path, place: Place | None) -> Slice:
    what = f"Mask {path}"
    try:
        header = _header(path)
    except Exception as error:  # nibabel reports damage as anything
        raise ValueError(f"{what} cannot be read as NIfTI: {error}. Copy or export it again.") from error
    shape = tuple(map(int, header.get_data_shape()))
    lengths = (*shape, 1)[:3]
    if len(shape) < 2 or min(shape) < 1 or math.prod(shape) != math.prod(lengths):
        raise ValueError(f"{what} has the shape {shape}. Allowed is one slice, such as (2500, 2048, 1).")
    if math.prod(shape) > PIXELS_MAX:
        raise ValueError(f"{what}: its header announces {math.prod(shape)} pixels, allowed are {PIXELS_MAX}.")
    affine = _affine(what, header)
    leads = [lead(affine[:3, axis]) for axis in range(3)]
    axes = {each[0]: (axis, each[1]) for axis, each in enumerate(leads) if each}  # world axis → axis, its sign
    if len(axes) < 3:
        raise MisplacedError(f"{what} lies askew: its axes are not the patient's. Resample it on the image's grid.")
    columns, left = axes[0]
    (rows, down), (depth, _) = sorted((axes[1], axes[2]), key=lambda found: lengths[found[0]] == 1)
    if lengths[depth] != 1:
        raise MisplacedError(
            f"{what} has the shape {shape}, a volume or a view from the side. Allowed is one frontal slice."
        )
    unit = LENGTHS_MM.get(header.get_xyzt_units()[0], math.nan)
    height, width = (unit * float(np.linalg.norm(affine[:3, axis])) for axis in (rows, columns))
    found = Slice(header, rows, columns, (down > 0, left > 0), (height, width))  # world axes lead right, front, up
    if place is not None:
        place.check_size(what, found.size)
        place.check_directions(what, "LF")
        place.check_spacing(what, found.spacing)
    return found


def _affine(what: str, header: Nifti1Header) -> npt.NDArray[np.float64]:
    (sform, s_code), (qform, q_code) = header.get_sform(coded=True), header.get_qform(coded=True)
    said = [np.asarray(each, np.float64) for each, code in ((sform, s_code), (qform, q_code)) if code]
    if len(said) == 2 and not np.allclose(said[0], said[1], rtol=1e-3, atol=1e-2):
        raise MisplacedError(f"{what} has two affines that differ (sform and qform). Keep the one that is right.")
    scale = np.diag(said[0][:3, :3]) if said else np.ones(3)
    if not said or ((said[0][:3] == np.c_[np.diag(scale), np.zeros(3)]).all() and (scale > 0).all()):
        found = "its affine only numbers pixels" if said else "it has no affine"
        raise MisplacedError(
            f"{what} does not say how it lies on the patient: {found}. So it may be turned or "
            "mirrored. Write it with the image's geometry, as ITK does: of a picture whose columns are the first axis, "
            "the affine is diag(-1, -1, 1, 1)."
        )
    return said[0]


def _header(path: Path) -> Nifti1Header:
    start = _beginning(path, max(HEADERS))
    kind = _kind(start)
    if kind is None:
        raise ValueError("it is no NIfTI file")
    header = kind(start[: kind.template_dtype.itemsize])
    if header["magic"].item() not in (b"n+1", b"n+2"):
        raise ValueError("its pixels are in another file; save both in one .nii file")
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise ValueError(f"its values are of type {dtype}; allowed are whole numbers")
    if not 0 <= header.get_data_offset() <= BEFORE_MAX:
        raise ValueError(f"its pixels begin at byte {header.get_data_offset()}; allowed is {BEFORE_MAX}")
    return header


def _pixels(path: Path, header: Nifti1Header) -> npt.NDArray[np.number]:
    """Values of shape (…) with three axes, scaled as the header says."""
    shape, dtype, offset = header.get_data_shape(), header.get_data_dtype(), header.get_data_offset()
    n_bytes = math.prod(shape) * dtype.itemsize
    content = _beginning(path, offset + n_bytes)[offset:]
    if len(content) < n_bytes:
        raise ValueError(f"it has {len(content)} bytes of pixels instead of {n_bytes}")
    values = np.frombuffer(content, dtype).reshape((*shape, 1)[:3], order="F")
    slope, inter = header.get_slope_inter()
    return values if slope in (None, 1.0) and not inter else values * float(slope) + float(inter or 0)


def _beginning(path: Path, n_bytes: int) -> bytes:
    """The first bytes of a file, decompressed, and no more than these."""
    with path.open("rb") as plain:
        is_gzip = plain.read(2) == GZIP
        plain.seek(0)
        if not is_gzip:
            return plain.read(n_bytes)
        with gzip.open(plain) as file:
            return file.read(n_bytes)


def _kind(start: bytes) -> type[Nifti1Header] | None:
    return next(
        (
            HEADERS[n]
            for order in ("<", ">")
            if (n := int(np.frombuffer(start[:4].ljust(4, b"\0"), f"{order}i4")[0])) in HEADERS
        ),
        None,
    )
