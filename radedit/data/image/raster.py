"""PNG and JPEG files as the numbers that stand in them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_png

from radedit.data.image.dicom_elements import PIXELS_MAX

PNG_START = b"\x89PNG\r\n\x1a\n"
ORIENTATION = 0x0112  # of EXIF
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in JPEG
TINT = 2 / 255  # difference of channels that no compression of grey makes

Grey = npt.NDArray[np.float32]
Whole = npt.NDArray[np.unsignedinteger[Any]]


class Raster(NamedTuple):
    """A picture.

    Attributes:
        values: Levels from 0 to `white`, shape (H, W), or (H, W, 3) of one in colour.
        alpha: How opaque pixels are, from 0 to `white`, shape (H, W); None if all are.
        white: Largest value of the file's type: 255 or 65535.
        mode: What Pillow calls its kind.
        notes: What was done to it.
    """

    values: Whole
    alpha: Whole | None
    white: int
    mode: str
    notes: list[str]

    @property
    def tinted(self) -> npt.NDArray[np.bool_]:
        """Which pixels of a picture in colour are not grey, shape (H, W)."""
        least, most = self.values.min(axis=-1), self.values.max(axis=-1)
        return most - least > TINT * self.white

    def grey(self) -> tuple[Grey, list[str]]:
        """Grey levels in [0, 1], shape (H, W), and notes on what became of colour and transparency."""
        notes = list(self.notes)
        white = np.float32(self.white)
        if self.values.ndim == 2:
            grey = self.values.astype(np.float32) / white
        else:
            share = float(self.tinted.mean())
            detail = f"{100 * share:.1f} % of the pixels were tinted" if share else "no pixel was tinted"
            notes.append(f"colour image ({self.mode}) converted to grey by luma; {detail}")
            red = self.values[..., 0]
            if all((self.values[..., i] == red).all() for i in (1, 2)):
                grey = red.astype(np.float32) / white  # exactly, which a rounded sum of weights is not
            else:
                grey = np.zeros(red.shape, dtype=np.float32)
                for channel, weight in enumerate(LUMA):
                    grey += np.float32(weight) * (self.values[..., channel].astype(np.float32) / white)
                np.clip(grey, 0, 1, out=grey)
        if self.alpha is not None:
            grey *= self.alpha.astype(np.float32) / white
            notes.insert(len(self.notes), "transparent pixels were laid on black")
        return grey, notes


def read_raster(path: Path) -> Raster:
    """Read a PNG or JPEG, turned upright by its EXIF orientation.

    Raises:
        ValueError: If it is damaged, larger than any radiograph, or has several frames.
    """
    try:
        with open_header(path) as check:
            check.verify()  # loading alone does not notice a file that ends just after its pixels
        with open_header(path) as image:
            # A JPEG may hold a preview beside its picture; a PNG of several frames has no one picture.
            frames = int(getattr(image, "n_frames", 1)) if image.format == "PNG" else 1
            turn = orientation(image)
            raster = _deep_colour(path, image) if _is_deep_colour(path) else _values(image)
    except Exception as error:  # Pillow reports damage as OSError, SyntaxError, struct.error and more
        raise ValueError(f"{path} cannot be read as a picture: {error}. It may be cut off; copy it again.") from error
    if frames > 1:
        raise ValueError(f"{path} is an animation of {frames} frames. Allowed is one; export the frame you mean.")
    if turn == 1:
        return raster
    return raster._replace(
        values=_upright(raster.values, turn),
        alpha=None if raster.alpha is None else _upright(raster.alpha, turn),
        notes=["turned upright as its EXIF orientation says", *raster.notes],
    )


def open_header(path: Path) -> Image.Image:
    """A picture of which only the header was read.

    Raises:
        ValueError: If it is larger than any radiograph.
        Exception: Of many kinds, if it is damaged.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = Image.open(path)
    if image.width * image.height > PIXELS_MAX:
        image.close()
        raise ValueError(f"its header announces {image.width}×{image.height} pixels, allowed are {PIXELS_MAX}")
    return image


def orientation(image: Image.Image) -> int:
    """How a picture is to be turned, 1 (not) to 8; 1 also where EXIF has something else."""
    found = image.getexif().get(ORIENTATION, 1)
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _values(image: Image.Image) -> Raster:
    mode, transparent = image.mode, image.info.get("transparency")
    if mode.startswith("I"):  # how Pillow opens 16-bit grey
        values = np.asarray(image).astype(np.uint16)
        alpha = np.where(values == transparent, 0, 65535).astype(np.uint16) if isinstance(transparent, int) else None
        return Raster(values, alpha, 65535, mode, [])
    is_grey = mode in {"1", "L", "LA"}
    has_alpha = mode in {"LA", "PA", "RGBA"} or transparent is not None
    kind = ("LA" if has_alpha else "L") if is_grey else ("RGBA" if has_alpha else "RGB")
    pixels = np.asarray(image.convert("RGBA").convert(kind) if has_alpha and mode == "1" else image.convert(kind))
    values = pixels if kind == "L" else pixels[..., 0] if kind == "LA" else pixels[..., :3]
    return Raster(values, _unless_opaque(pixels[..., -1], 255) if has_alpha else None, 255, mode, [])


def _is_deep_colour(path: Path) -> bool:
    """Whether it is a PNG of 16 bits in colour or with transparency, of which Pillow keeps 8."""
    with path.open("rb") as file:
        start = file.read(26)
    return start.startswith(PNG_START) and start[24] == 16 and start[25] in (2, 4, 6)


def _deep_colour(path: Path, image: Image.Image) -> Raster:
    if "transparency" in image.info:
        raise ValueError("it has 16 bits and a colour that is transparent; save it as 16-bit grey")
    content = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8)
    pixels = decode_png(content, mode=ImageReadMode.UNCHANGED).numpy()
    values = pixels[0] if len(pixels) < 3 else np.moveaxis(pixels[:3], 0, -1)
    return Raster(values, _unless_opaque(pixels[-1], 65535) if len(pixels) in (2, 4) else None, 65535, image.mode, [])


def _unless_opaque(alpha: Whole, white: int) -> Whole | None:
    return None if (alpha == white).all() else alpha


def _upright(array: Whole, turn: int) -> Whole:
    """Turn and mirror the first two axes by EXIF's orientation."""
    if turn >= 5:
        array = array.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        array = array[::-1]
    return array[:, ::-1] if turn in (2, 3, 6, 7) else array
