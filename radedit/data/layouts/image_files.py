"""A data set of files, once its dataset has found out which file belongs to whom.

What every published set has in common: records, one image file each, masks and boxes that are made when they are
asked for, rows that were left out and why. A dataset of one set (`radedit.data.datasets`) finds its images and hands
them on.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from torch import Tensor

from radedit.data.image.files import LoadedImage, read_image
from radedit.data.image.geometry import check_mask_size
from radedit.data.io.file_hash import file_hashes
from radedit.data.io.fingerprint import content_hash
from radedit.types import Box, Record, Sample

logger = logging.getLogger(__name__)

Masking = Callable[[tuple[int, int]], Tensor]  # height and width of the image, px → bool tensor (1, H, W)


@dataclass(frozen=True)
class ImageFile:
    """One radiograph: what is known of it, and how to come by the rest.

    Attributes:
        record: Its metadata.
        image: Its file: PNG, JPEG or DICOM.
        masks: Name → what makes the mask, given the image's height and width. Called on loading only.
        boxes: Name → boxes in pixels of the image.
    """

    record: Record
    image: Path
    masks: Mapping[str, Masking] = field(default_factory=dict)
    boxes: Mapping[str, Sequence[Box]] = field(default_factory=dict)


def _files(image: ImageFile) -> list[Path]:
    """Its image, and files that its masks are made from, as far as these name any."""
    return [image.image, *(path for _, mask in sorted(image.masks.items()) for path in getattr(mask, "paths", ()))]


class ImageFiles:
    """Images with their files, as a data set.

    Args:
        name: Of the set, for errors.
        root: Its folder; paths in errors and hashes are relative to it.
        images: In the order of the set.
        excluded: Reason → number of images that were left out.
        about: What else determines the samples, such as options of the dataset and hashes of mask tables; for content
            hashes.
        check_files: Whether to look for every image now. Hundreds of thousands on a network drive take minutes; once
            `radedit.prepare` has seen them all, it may be left out.

    Attributes:
        excluded: As given.

    Raises:
        FileNotFoundError: If images are missing.
        ValueError: If an id is there twice, or no image is left.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        images: Iterable[ImageFile],
        *,
        excluded: Mapping[str, int],
        about: object = None,
        check_files: bool = True,
    ) -> None:
        self.name, self.root, self.excluded, self._about = name, root, dict(excluded), about
        self._images: dict[str, ImageFile] = {}
        for image in images:
            other = self._images.setdefault(image.record.id, image)
            if other is not image:
                raise ValueError(
                    f"{name}: id {image.record.id!r} is of {self._place(other.image)} and of "
                    f"{self._place(image.image)}. "
                    "Ids are unique; an image that is listed twice must be listed once."
                )
        if not self._images:
            reasons = "; ".join(f"{count}: {reason}" for reason, count in self.excluded.items()) or "nothing was found"
            raise ValueError(f"{name}: no image of {root} is left ({reasons}). Loosen the filters, or check the root.")
        if check_files:
            self._check()

    @cached_property
    def records(self) -> Sequence[Record]:
        """Images that the filters left, in the order of the set."""
        return [image.record for image in self._images.values()]

    @cached_property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes.

        It is what is known of the images, where in the set they lie, and a sample of what their files hold. A set may
        be moved. An image that is not there counts as such.
        """
        images = hashlib.sha256()
        digests = file_hashes(
            (path for image in self._images.values() for path in _files(image) if path.is_file()), "quick"
        )
        for image in self._images.values():  # one at a time: together they take as much memory as the set itself
            held = [digests.get(path, "missing") for path in _files(image)]
            row = [image.record, self._place(image.image), image.boxes, sorted(image.masks), held]
            images.update(content_hash(row).encode())
        return {"set": self.name, "images": images.hexdigest(), "about": self._about}

    def image_file(self, record: Record) -> ImageFile:
        """The image of a record.

        Raises:
            ValueError: If the record is not of this set.
        """
        if record.id not in self._images:
            raise ValueError(f"Record {record.id!r} is not among the {len(self._images)} of {self.name}. See .records.")
        return self._images[record.id]

    def read(self, image: ImageFile) -> LoadedImage:
        """Read an image's pixels; for sets whose files are not to be shown as they are."""
        return read_image(image.image)

    def load(self, record: Record) -> Sample:
        """Read one record's pixels and masks, in the image's own geometry.

        Raises:
            ValueError: If the record is not of this set, a file cannot be read, or a mask does not match its image.
        """
        radiograph = self.image_file(record)
        try:
            image, notes = self.read(radiograph)
            size = (image.shape[-2], image.shape[-1])
            masks = {name: make(size) for name, make in radiograph.masks.items()}
            for name, mask in masks.items():
                check_mask_size(f"Mask {name!r}", mask, size)
        except (ValueError, OSError) as error:
            raise ValueError(f"{self.name}, record {record.id!r}: {error}") from error
        for note in notes:
            logger.info("%s: %s", record.id, note)
        return Sample(radiograph.record, image, masks, radiograph.boxes)

    def _place(self, path: Path) -> str:
        return str(path.relative_to(self.root) if path.is_relative_to(self.root) else path.name)

    def _check(self) -> None:
        missing = [image.image for image in self._images.values() if not image.image.is_file()]
        if missing:
            raise FileNotFoundError(
                f"{self.name}: {len(missing)} of {len(self._images)} images are missing under {self.root}, "
                f"such as {', '.join(map(self._place, missing[:3]))}. Is the download complete? "
                f"python -m radedit.prepare lists what is missing."
            )
