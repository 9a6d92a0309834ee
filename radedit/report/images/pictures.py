"""Images on a page: small copies as data URIs, and masks drawn onto them."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import contourpy
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from radedit.harness.evidence.results import FILE

# The page's legend names these; see style.css.
MASK_COLOURS = {
    "edit": (230, 159, 0),  # Okabe and Ito: distinct to colour-blind readers
    "keep": (86, 180, 233),
    "truth": (80, 150, 255),  # Figures 6 to 9: blue and red
    "predicted": (255, 70, 70),
}
OTHER_COLOURS = ((190, 120, 255), (120, 230, 140), (255, 110, 150), (250, 220, 90), (110, 220, 230), (255, 150, 60))
SIDES = (512, 384, 256, 192, 160, 128, 96)


def contours(image: ArrayLike, masks: Mapping[str, ArrayLike], *, scale: int = 2) -> Image.Image:
    """An image with the outline of every mask on it, anti-aliased.

    Args:
        image: Grey levels in [0, 1], shape (H, W).
        masks: Name → bool, shape (H, W); see `MASK_COLOURS`.
        scale: Size of the picture, in units of the image's.

    Raises:
        ValueError: If a mask and the image differ in shape.
    """
    grey = np.clip(np.asarray(image, dtype=np.float32), 0, 1)
    height, width = grey.shape
    size = (width * scale, height * scale)
    picture = Image.fromarray((255 * grey).round().astype(np.uint8))
    picture = picture.resize(size, Image.Resampling.BICUBIC).convert("RGB")
    fine = 3  # lines are drawn this much larger, then averaged
    colours = mask_colours(list(masks))
    for name, mask in masks.items():
        inside = np.asarray(mask, dtype=bool)
        if inside.shape != grey.shape:
            raise ValueError(
                f"Mask {name!r} has shape {inside.shape}, its image {grey.shape}; apply the same resize to both."
            )
        ink = Image.new("L", (size[0] * fine, size[1] * fine))
        draw = ImageDraw.Draw(ink)
        for line in _outlines(inside):
            points = [(float(x), float(y)) for x, y in (line + 0.5) * scale * fine]
            draw.line(points, fill=255, width=round(0.6 * scale * fine), joint="curve")
        picture.paste(colours[name], mask=ink.reduce(fine))
    return picture


def png(picture: Image.Image) -> bytes:
    """A picture as the bytes of a PNG, to be written whole or not at all."""
    file = io.BytesIO()
    picture.save(file, "png")
    return file.getvalue()


def mask_colours(names: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """The colour of each outline, of those drawn together."""
    others = itertools.cycle(OTHER_COLOURS)
    return {name: MASK_COLOURS.get(name) or next(others) for name in names}


def _outlines(mask: NDArray[np.bool_]) -> Iterable[NDArray[np.float64]]:
    """Lines of x and y around a mask, in pixels; closed also where it touches the image's edge."""
    soft = ndimage.gaussian_filter(np.pad(mask, 2).astype(np.float32), 0.5)  # no stairs; edges stay where they are
    return [np.asarray(line) - 2 for line in contourpy.contour_generator(z=soft).lines(0.5)]


def data_uris(folder: Path, paths: Sequence[tuple[str, str]], budget: int, *, smallest: int = 0) -> dict[str, str]:
    """Pictures of a run as data URIs, as large as their bytes allow together.

    Args:
        folder: Of the run.
        paths: What is shown (for errors) and its path in the folder.
        budget: Bytes that the URIs may take.
        smallest: Enlarge pictures to this side, px.

    Raises:
        FileNotFoundError: If a picture is missing; the message says which.
        ValueError: If a path leaves the folder, or is not a picture.
    """
    pictures = {path: _open(folder, path, what) for what, path in paths}
    largest = max((max(smallest, *picture.size) for picture in pictures.values()), default=0)
    uris: dict[str, str] = {}
    sides = sorted({min(side, largest) for side in SIDES}, reverse=True)
    for side in sides:
        uris, room = {}, budget
        for path, picture in pictures.items():
            uris[path] = data_uri(picture, side, smallest)
            room -= len(uris[path])
            if room < 0 and side != sides[-1]:
                break
        else:
            break
    return uris


def found_picture(folder: Path, path: str, what: str) -> Path:
    """Where a picture of a run lies.

    Raises:
        FileNotFoundError: If it is missing; the message says which.
        ValueError: If the path leaves the folder.
    """
    file = folder / path
    if not file.resolve().is_relative_to(folder.resolve()):
        raise ValueError(
            f"{what} is {path!r}, which is not in {folder}; {FILE} gives paths relative to the run folder."
        )
    if not file.is_file():
        raise FileNotFoundError(
            f"{what} is missing: {file} does not exist. The same stress test, run again, writes it."
        )
    return file


def _open(folder: Path, path: str, what: str) -> Image.Image:
    file = found_picture(folder, path, what)
    try:
        with Image.open(file) as opened:
            picture = opened.convert("RGBA") if opened.mode in ("P", "PA", "LA") else opened.copy()
    except OSError as error:
        raise ValueError(f"{what} can't be read as a picture: {file} ({error}).") from None
    if picture.mode.startswith("I") or picture.mode == "F":  # 16 bits of grey
        values = np.asarray(picture, dtype=np.float64)
        picture = Image.fromarray((values / (65535 if values.max() > 255 else 255) * 255).round().astype(np.uint8))
    if picture.mode not in ("1", "L"):
        picture = picture.convert("RGB")
        red, green, blue = picture.split()
        if red.tobytes() == green.tobytes() == blue.tobytes():
            picture = red
    return picture.convert("L") if picture.mode == "1" else picture


def data_uri(picture: Image.Image, side: int, smallest: int = 0) -> str:
    """A picture whose longest side is at most `side` and, enlarged, at least `smallest` px.

    Images are PNGs, so that their grain is kept; pictures in colour (outlines on images) are WebPs, a third as large.
    """
    longest = max(picture.size)
    wanted = min(max(longest, smallest), side)
    if wanted != longest:
        size = tuple(max(1, round(length * wanted / longest)) for length in picture.size)
        picture = picture.resize(size, Image.Resampling.LANCZOS if wanted < longest else Image.Resampling.BICUBIC)  # type: ignore[arg-type]
    file = io.BytesIO()
    if picture.mode == "RGB":
        kind = "webp"
        picture.save(file, kind, quality=85, method=2)
    else:
        kind = "png"
        picture.save(file, kind, optimize=True)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
