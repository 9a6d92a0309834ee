"""Radiographs and masks from files, and pictures back to files."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo
from pydicom import dcmread
from torch import Tensor

from radedit.data.atomic import write_atomically
from radedit.data.dicom import read_dicom
from radedit.data.geometry import check_mask_size

ALLOWED = "Allowed are PNG (8 or 16 bits), JPEG and DICOM"
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"  # its last chunk, which is always this
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as in JPEG
LABEL_MAP_MAX = 32  # a mask with several levels, none above this, numbers its structures rather than shading one


class LoadedImage(NamedTuple):
    """A radiograph as read.

    Attributes:
        pixels: Grey levels in [0, 1], bright is dense, float32, shape (1, H, W).
        notes: What was done to the file's values that its owner might not expect.
    """

    pixels: Tensor
    notes: list[str]


def read_image(path: str | Path) -> LoadedImage:
    """Read one radiograph from PNG, JPEG or DICOM, told apart by content, not by name.

    PNG and JPEG are divided by the largest value of their type (255 or 65535). DICOM values have no common white, so
    they fill [0, 1] after their own look-up tables; `radedit.data.dicom` says which. EXIF orientation is honoured.

    Args:
        path: The file.

    Returns:
        Its pixels and notes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of another format, damaged, has several frames, or one grey level everywhere.
    """
    path = _existing_file(path)
    kind = _kind(path)
    if kind == "dicom":
        grey, notes = read_dicom(path)
    else:
        grey, notes = _read_raster(path)
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
    if _kind(path) == "dicom":
        raise ValueError(f"Mask {path} is a DICOM file. Allowed are PNG and JPEG; export the mask as an 8-bit PNG.")
    grey, _ = _read_raster(path)
    largest = float(grey.max())
    levels = np.unique(np.rint(grey * 255))
    if np.unique(grey).size > 2:
        if largest * 255 <= LABEL_MAP_MAX:
            raise ValueError(
                f"Mask {path} has the levels {', '.join(f'{level:g}' for level in levels[:8])}: it seems to number "
                "several structures. A mask has two levels; write one file per structure."
            )
        warnings.warn(
            f"Mask {path} has {levels.size} grey levels instead of two; pixels above half of the largest are taken.",
            stacklevel=2,
        )
    mask = torch.from_numpy(grey > largest / 2)[None]
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
        if _kind(path) == "dicom":
            header = dcmread(path, stop_before_pixels=True, force=True)
            return int(header.Rows), int(header.Columns)
        with Image.open(path) as image:
            lies = image.getexif().get(0x0112, 1) >= 5  # turned by a quarter, see EXIF
            return (image.width, image.height) if lies else (image.height, image.width)
    except (OSError, SyntaxError, AttributeError) as error:
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
    return path


def _kind(path: Path) -> str:
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


def _read_raster(path: Path) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Grey levels (H, W) in [0, 1] of a PNG or JPEG, and notes."""
    try:
        with Image.open(path) as check:
            check.verify()  # loading alone does not notice a file that ends just after its pixels
        with Image.open(path) as image:
            # A JPEG may hold a preview beside its picture; a PNG of several frames has no one picture.
            frames = int(getattr(image, "n_frames", 1)) if image.format == "PNG" else 1
            upright = ImageOps.exif_transpose(image)
            turned = image.getexif().get(0x0112, 1) != 1
    except Exception as error:  # Pillow reports damage as OSError, SyntaxError, struct.error and more
        raise ValueError(f"{path} cannot be read as a picture: {error}. It may be cut off; copy it again.") from error
    if frames > 1:
        raise ValueError(f"{path} is an animation of {frames} frames. Allowed is one; export the frame you mean.")
    grey, notes = _to_grey(upright)
    return grey, ["turned upright as its EXIF orientation says", *notes] if turned else notes


def _to_grey(image: Image.Image) -> tuple[npt.NDArray[np.float32], list[str]]:
    if image.mode.startswith("I"):  # how Pillow opens 16-bit grey
        return np.asarray(image).astype(np.float32) / np.float32(65535), []
    if image.mode in {"1", "L"} and "transparency" not in image.info:
        return np.asarray(image.convert("L")).astype(np.float32) / np.float32(255), []
    notes = []
    rgba = np.asarray(image.convert("RGBA")).astype(np.float32) / 255
    colour, alpha = rgba[..., :3], rgba[..., 3]
    if alpha.min() < 1:
        colour = colour * alpha[..., None]
        notes.append("transparent pixels were laid on black")
    tinted = float((np.ptp(colour, axis=-1) > 2 / 255).mean())
    if image.mode not in {"LA", "L"}:
        detail = f"{tinted:.1%} of the pixels were tinted" if tinted else "no pixel was tinted"
        notes.append(f"colour image ({image.mode}) converted to grey by luma; {detail}")
    # Channels that agree must give their own level exactly, which a rounded sum of weights does not.
    grey = colour[..., 0] if not np.ptp(colour, axis=-1).any() else colour @ LUMA
    return np.clip(grey, 0, 1).astype(np.float32), notes
