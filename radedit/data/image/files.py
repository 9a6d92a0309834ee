"""Radiographs and masks from files, and pictures back to files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from radedit.data.image.dicom import DicomError, dicom_size, read_dicom
from radedit.data.image.geometry import check_mask_size
from radedit.data.image.label_maps import mask_of
from radedit.data.image.raster import open_header, orientation, read_raster
from radedit.data.io.atomic import write_atomically

ALLOWED = "Allowed are PNG (8 or 16 bits), JPEG and DICOM"
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"  # its last chunk, which is always this


class LoadedImage(NamedTuple):
    """A radiograph as read.

    Attributes:
        pixels: Grey levels in [0, 1], bright is dense, float32, shape (1, H, W).
        notes: What was done to the file's values that its owner might not expect.
    """

    pixels: Tensor
    notes: list[str]


def read_image(path: str | Path) -> LoadedImage:
    """Read one radiograph from PNG, JPEG or DICOM, recognised by content, not by name.

    PNG and JPEG are divided by the largest value of their type (255 or 65535). DICOM values have no common white, so
    they fill [0, 1] after their own look-up tables, see `radedit.data.image.dicom`. EXIF orientation is honoured.

    Args:
        path: The file.

    Returns:
        Its pixels and notes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of another format, damaged, has several frames, or one grey level everywhere.
    """
    path = _existing_file(path)
    grey, notes = read_dicom(path) if file_kind(path) == "dicom" else read_raster(path).grey()
    if grey.min() == grey.max():
        raise ValueError(
            f"{path} has the grey level {grey.flat[0]:g} in every pixel. A radiograph has at least two; "
            "the export may have failed, so export it again or leave it out."
        )
    return LoadedImage(torch.from_numpy(grey)[None], notes)


def read_mask(path: str | Path, size: tuple[int, int] | None = None) -> Tensor:
    """Read a mask from PNG or JPEG: true where a pixel is above half of the file's largest value.

    So 0/1, 0/255 and 0/65535 files read alike. A file that is not two-valued, such as a JPEG or one with smoothed
    borders, is read with a warning. No pixel set is a mask too.

    Args:
        path: The file.
        size: Height and width of the image that the mask belongs to, px; not checked where None.

    Returns:
        Bool tensor of shape (1, H, W).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no picture, numbers several structures, or is of another size than its image.
    """
    path = _existing_file(path)
    if file_kind(path) == "dicom":
        raise ValueError(f"Mask {path} is a DICOM file. Allowed are PNG and JPEG; export the mask as an 8-bit PNG.")
    mask = torch.from_numpy(mask_of(path, read_raster(path)))[None]
    if size is not None:
        check_mask_size(f"Mask {path}", mask, size)
    return mask


def is_whole_png(path: str | Path) -> bool:
    """Whether a PNG is there and ends as one, which a file that was cut off does not; its pixels are not read."""
    try:
        with Path(path).open("rb") as file:
            file.seek(-len(PNG_END), io.SEEK_END)
            return file.read() == PNG_END
    except OSError:
        return False


def picture_size(path: str | Path) -> tuple[int, int]:
    """Height and width that `read_image` or `read_mask` would give, px, from the file's header alone.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of another format, or damaged.
    """
    path = _existing_file(path)
    try:
        if file_kind(path) == "dicom":
            return dicom_size(path)
        with open_header(path) as image:
            lies = orientation(image) >= 5  # turned by a quarter, see EXIF
            return (image.width, image.height) if lies else (image.height, image.width)
    except Exception as error:  # Pillow and pydicom report damage as anything
        if isinstance(error, DicomError):
            raise
        raise ValueError(f"{path} cannot be read as a picture: {error}. It may be cut off; copy it again.") from error


def check_grey(what: str, image: Tensor) -> None:
    """Raise a `ValueError` beginning with `what` if `image` is neither (1, H, W) in [0, 1] nor a bool mask of it."""
    if image.ndim != 3 or image.shape[0] != 1 or not image.numel():
        raise ValueError(f"{what}: the image has shape {tuple(image.shape)}; allowed is (1, H, W).")
    if image.dtype != torch.bool and not ((image >= 0) & (image <= 1)).all():  # also true of NaN
        raise ValueError(
            f"{what}: the image has values from {image.min():g} to {image.max():g}; allowed is [0, 1]. "
            "Clamp it first: .clamp(0, 1)."
        )


def write_png(path: str | Path, image: Tensor, *, text: Mapping[str, str], bits: int = 8) -> None:
    """Write a grey image or a mask as PNG, whole or not at all.

    Args:
        path: Where to write; its folder must exist.
        image: Grey levels in [0, 1], or a bool mask, shape (1, H, W).
        text: PNG text fields (Latin-1 as tEXt, other text as iTXt), such as where the picture comes from. Keywords
            have 1 to 79 Latin-1 characters.
        bits: 8 or 16 per pixel; levels are rounded to the nearest.

    Raises:
        ValueError: If the shape, the range, `bits` or a keyword is not one of these.
    """
    check_grey(str(path), image)
    if bits not in (8, 16):
        raise ValueError(f"{path}: bits is {bits}; allowed are 8 and 16.")
    fields = PngInfo()
    for keyword, value in text.items():
        if not 1 <= len(keyword) <= 79 or not keyword.isprintable() or any(ord(c) > 255 for c in keyword):
            raise ValueError(f"{path}: PNG keyword {keyword!r} is not allowed; use 1 to 79 Latin-1 characters.")
        fields.add_text(keyword, value)
    white = 2**bits - 1
    values = image[0].detach().cpu().to(torch.float64).numpy()
    levels = np.rint(values * white).astype(np.uint8 if bits == 8 else np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "PNG", pnginfo=fields)
    write_atomically(path, buffer.getvalue())


def _existing_file(path: str | Path) -> Path:
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder. {ALLOWED}; name one file in it.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path} (looked in {path.resolve().parent}). Check the path.")
    if not path.is_file():
        raise ValueError(f"{path} is no file that can be read twice, but a device or pipe. {ALLOWED}.")
    return path


def file_kind(path: Path) -> str:
    """`png`, `jpeg` or `dicom`, by content.

    Raises:
        ValueError: If it is none of them.
    """
    with path.open("rb") as file:
        start = file.read(132)
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if start.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    # Old DICOM files lack the preamble: there the name has to do.
    if start[128:] == b"DICM" or path.suffix.lower() in {".dcm", ".dicom"}:
        return "dicom"
    name = "an empty file" if not start else f"of no known format (extension {path.suffix or 'none'})"
    raise ValueError(f"{path} is {name}. {ALLOWED}; convert the original to one of them.")
