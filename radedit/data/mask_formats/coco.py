"""Masks of COCO annotation files: polygons and run lengths, by image and category."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from radedit.data.image.dicom_elements import PIXELS_MAX
from radedit.data.mask_formats.place import MisplacedError, Place

BYTES_MAX = 2**29  # of a JSON file; COCO's own of 118,000 images has 448 MB
OUTLINE_MAX = 2**26  # px of all outlines of one polygon, in fifths
FINE = 5  # the reference implementation draws outlines on a grid this much finer
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CocoFile:
    """An annotation file.

    Attributes:
        images: File name → images of that name, each with id, height and width.
        categories: Name → id.
        regions: (image, category) → segmentations.
    """

    images: Mapping[str, list[tuple[int, int, int]]]
    categories: Mapping[str, int]
    regions: Mapping[tuple[int, int], list[Any]]


def read_coco(path: Path, category: str, image: str, size: tuple[int, int] | None = None) -> Mask:
    """The union of all regions of one category on one image.

    Args:
        path: A COCO annotation file, or a file of a single mask `{"size": [H, W], "counts": …}`.
        category: Its name, as in the file's `categories`; of a single mask it does not matter.
        image: The image's file, as in the file's `images`, or its name without folders.
        size: Height and width of the image; not compared where None.

    Returns:
        Shape (H, W). No pixel is set where the image is listed and nothing of this category is marked on it.

    Raises:
        MisplacedError: If the file's image is of another size.
        ValueError: If the file cannot be read, or does not list the image or the category; or a region is damaged.
    """
    stat = path.stat()
    if stat.st_size > BYTES_MAX:
        raise ValueError(f"Mask {path} has {stat.st_size} bytes. Allowed are {BYTES_MAX}; split it.")
    found = _read(path, (stat.st_size, stat.st_mtime_ns, stat.st_ino))
    place = None if size is None else Place(size)
    try:
        if not isinstance(found, CocoFile):
            of = _size(found)
            if place:
                place.check_size(f"Mask {path}", of)
            return decode_counts(found["counts"], of)
        listed = found.images.get(image) or found.images.get(PurePosixPath(image).name, [])
        if len(listed) != 1:
            raise ValueError(f"it lists {len(listed)} images named {PurePosixPath(image).name!r}; allowed is one")
        if category not in found.categories:
            raise ValueError(f"it has no category {category!r}; it has {', '.join(sorted(found.categories)) or 'none'}")
        id_, height, width = listed[0]
        of = (height, width)
        if place:
            place.check_size(f"Mask {path}", of)
        mask = np.zeros(of, dtype=bool)
        for region in found.regions.get((id_, found.categories[category]), []):
            mask |= _drawn(region, (of[0], of[1]))
        return mask
    except MisplacedError:
        raise
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise ValueError(f"Mask {path}: {error}. A name is chosen as in masks.json#category.") from error


def decode_counts(counts: str | Sequence[int], size: tuple[int, int]) -> Mask:
    """The mask of COCO's run lengths: of background and mask in turn, column by column.

    Args:
        counts: As a list, or as the text in which COCO packs it.
        size: Height and width, px.

    Returns:
        Shape (H, W).

    Raises:
        ValueError: If a length is negative, or together they are not the image's.
    """
    height, width = size
    runs = np.array(_unpacked(counts) if isinstance(counts, str) else [_whole(each) for each in counts], dtype=np.int64)
    if (runs < 0).any() or runs.size > height * width + 1 or runs.sum() != height * width:
        raise ValueError(f"its runs do not add up to {width}×{height} pixels")
    return np.repeat(np.arange(runs.size) % 2 == 1, runs).reshape(width, height).T


def draw_polygon(points: Sequence[float], size: tuple[int, int]) -> Mask:
    """The pixels inside a polygon, as the reference implementation (pycocotools) draws them.

    Outlines are drawn on a grid five times finer; where one crosses the middle of a column, the pixels below change
    sides.

    Args:
        points: x and y in turn, px from the image's left and top edge.
        size: Height and width, px.

    Returns:
        Shape (H, W).

    Raises:
        ValueError: If it has fewer than three points, or points far outside the image.
    """
    height, width = size
    corners = np.array([float(each) for each in points], dtype=np.float64)
    if corners.size < 6 or corners.size % 2:
        raise ValueError(f"a polygon has {corners.size} numbers; allowed are pairs, three or more")
    limit = np.tile([width, height], corners.size // 2)
    if not ((corners >= -limit) & (corners <= 2 * limit)).all():  # also of NaN
        raise ValueError("a polygon has points far outside of the image; is it in pixels?")
    fine = (FINE * corners + 0.5).astype(np.int64).reshape(-1, 2)
    start, end = fine, np.roll(fine, -1, axis=0)
    steps = np.abs(end - start)
    flat = steps[:, 0] >= steps[:, 1]
    longer = np.where(flat, steps[:, 0], steps[:, 1])
    if longer.sum() > OUTLINE_MAX:
        raise ValueError(f"a polygon has an outline of {longer.sum() // FINE} px; simplify it")
    turned = np.where(flat, start[:, 0] > end[:, 0], start[:, 1] > end[:, 1])
    low, high = np.where(turned[:, None], end, start), np.where(turned[:, None], start, end)
    rise = np.where(flat, high[:, 1] - low[:, 1], high[:, 0] - low[:, 0]) / np.maximum(longer, 1)
    edge = np.repeat(np.arange(len(fine)), longer + 1)
    step = np.arange(edge.size) - np.repeat(np.cumsum(longer + 1) - (longer + 1), longer + 1)
    step = np.where(turned[edge], longer[edge] - step, step)  # outlines are walked in the polygon's own direction
    along = step + np.where(flat, low[:, 0], low[:, 1])[edge]
    beside = (np.where(flat, low[:, 1], low[:, 0])[edge] + rise[edge] * step + 0.5).astype(np.int64)
    u, v = np.where(flat[edge], along, beside), np.where(flat[edge], beside, along)
    crossed = u[1:] != u[:-1]
    column = (np.where(u[1:] < u[:-1], u[1:], u[1:] - 1)[crossed] + 0.5) / FINE - 0.5
    row = np.ceil(np.clip((np.minimum(v[1:], v[:-1])[crossed] + 0.5) / FINE - 0.5, 0, height))
    middle = (np.floor(column) == column) & (column >= 0) & (column <= width - 1)
    places = (column[middle] * height + row[middle]).astype(np.int64)
    changes = np.bincount(places, minlength=height * width + 1)[: height * width]
    return (np.cumsum(changes) % 2 == 1).reshape(width, height).T


@functools.lru_cache(maxsize=4)  # a manifest's images have one file, or few
def _read(path: Path, state: tuple[int, ...]) -> CocoFile | dict[str, Any]:
    """A file as it was in this state."""
    try:
        content = json.loads(path.read_bytes())
        if isinstance(content, dict) and "counts" in content:
            _size(content)
            return content
        images: dict[str, list[tuple[int, int, int]]] = {}
        for image in content["images"]:
            entry = (_whole(image["id"]), *_size({"size": [image["height"], image["width"]]}))
            name = str(image["file_name"]).replace("\\", "/")
            for key in {name, PurePosixPath(name).name}:
                images.setdefault(key, []).append(entry)
        categories = {str(category["name"]): _whole(category["id"]) for category in content["categories"]}
        regions: dict[tuple[int, int], list[Any]] = {}
        for each in content["annotations"]:
            pair = (_whole(each["image_id"]), _whole(each["category_id"]))
            regions.setdefault(pair, []).append(each["segmentation"])
        return CocoFile(images, categories, regions)
    except RecursionError:
        raise ValueError(f"Mask {path} cannot be read: it is nested too deeply for JSON of annotations.") from None
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"Mask {path} cannot be read as COCO annotations ({type(error).__name__}: {error}). Allowed is JSON with "
            'images, categories and annotations, or {"size": [H, W], "counts": …} of one mask.'
        ) from error


def _drawn(region: Any, size: tuple[int, int]) -> Mask:
    if isinstance(region, Mapping):
        if _size(region) != size:
            raise MisplacedError(f"a region is of {_size(region)} but its image of {size} px (height, width)")
        return decode_counts(region["counts"], size)
    mask = np.zeros(size, dtype=bool)
    for polygon in region:
        mask |= draw_polygon(polygon, size)
    return mask


def _size(found: Mapping[str, Any]) -> tuple[int, int]:
    height, width = (_whole(each) for each in found["size"])
    if min(height, width) < 1 or height * width > PIXELS_MAX:
        raise ValueError(f"a size is {width}×{height}; allowed are up to {PIXELS_MAX} pixels")
    return height, width


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value != int(value):
        raise ValueError(f"{value!r} is no whole number")
    return int(value)


def _unpacked(text: str) -> list[int]:
    """Run lengths from COCO's text: five bits a character, and from the third on the difference to the last but one."""
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 40:
            raise ValueError(f"{text[:20]!r} is no text of run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError(f"{text[:20]!r} is cut off")
    return counts
