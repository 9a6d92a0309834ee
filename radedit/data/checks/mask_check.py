"""Whether masks belong to these images, found out on a few of them before a long run does."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import pydicom
from PIL import Image, UnidentifiedImageError

from radedit.data.image.geometry import check_mask_size
from radedit.data.layouts.image_files import ImageFile

N_IMAGES = 8  # our choice: of a set that goes with its masks, at least one of so many does
ORIENTATION, FIRST_TURNED = 0x0112, 5  # EXIF: from this value on, width and height change places


def require_fitting_masks(name: str, images: Iterable[ImageFile]) -> None:
    """Make the masks of the first few images, for the sizes that their images' headers give.

    Args:
        name: Of the set, for errors.
        images: Those whose masks are worth looking at.

    Raises:
        ValueError: If the masks fit none of them.
    """
    reasons = []
    for image in islice(images, N_IMAGES):
        try:
            size = image_size(image.image)
            for mask_name, make in image.masks.items():
                check_mask_size(f"Mask {mask_name!r}", make(size), size)
            return
        except (ValueError, OSError) as error:
            reasons.append(f"{image.record.id}: {error}")
    if reasons:
        raise ValueError(f"{name}: the masks fit none of the first {len(reasons)} images. {reasons[0]}")


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of a PNG, JPEG or DICOM image from its header, px.

    Raises:
        ValueError: If it is none of them.
        OSError: If it cannot be opened.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(ORIENTATION, 1) >= FIRST_TURNED
            return (width, height) if turned else (height, width)
    except UnidentifiedImageError:
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        if "Rows" not in header or "Columns" not in header:
            raise ValueError(f"{path} is no image. Allowed are PNG, JPEG and DICOM; copy it again.") from None
        return int(header.Rows), int(header.Columns)
