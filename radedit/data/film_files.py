"""A data set of files, once its reader has found out which file belongs to whom.

What every published set has in common: records, one image file each, masks and boxes that are made when they are
asked for, rows that were left out and why. A reader of one set (`radedit.data.readers`) finds its films and hands
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

from radedit.data.fingerprint import content_hash
from radedit.data.geometry import check_mask_size
from radedit.data.images import LoadedImage, read_image
from radedit.types import Box, Record, Sample

logger = logging.getLogger(__name__)

Masking = Callable[[tuple[int, int]], Tensor]  # height and width of the image, px → bool tensor (1, H, W)


@dataclass(frozen=True)
class Film:
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


class FilmFiles:
    """Films with their files, as a data set.

    Args:
        name: Of the set, for errors.
        root: Its folder; paths in errors and hashes are relative to it.
        films: In the order of the set.
        excluded: Reason → number of films that were left out.
        about: What else determines the samples, such as options of the reader and hashes of mask tables; for content
            hashes.
        check_files: Whether to look for every image now. Hundreds of thousands on a network drive take minutes; once
            `radedit.prepare` has seen them all, it may be left out.

    Attributes:
        excluded: As given.

    Raises:
        FileNotFoundError: If images are missing.
        ValueError: If an id is there twice, or no film is left.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        films: Iterable[Film],
        *,
        excluded: Mapping[str, int],
        about: object = None,
        check_files: bool = True,
    ) -> None:
        self.name, self.root, self.excluded, self._about = name, root, dict(excluded), about
        self._films: dict[str, Film] = {}
        for film in films:
            other = self._films.setdefault(film.record.id, film)
            if other is not film:
                raise ValueError(
                    f"{name}: id {film.record.id!r} is of {self._place(other.image)} and of {self._place(film.image)}. "
                    "Ids are unique; an image that is listed twice must be listed once."
                )
        if not self._films:
            reasons = "; ".join(f"{count}: {reason}" for reason, count in self.excluded.items()) or "nothing was found"
            raise ValueError(f"{name}: no film of {root} is left ({reasons}). Loosen the filters, or check the root.")
        if check_files:
            self._check()

    @cached_property
    def records(self) -> Sequence[Record]:
        """Films that the filters left, in the order of the set."""
        return [film.record for film in self._films.values()]

    @cached_property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes: what is known of the films and where in the set they lie.

        Pixels are not read for it, and a set may be moved.
        """
        films = hashlib.sha256()
        for film in self._films.values():  # one at a time: together they take as much memory as the set itself
            row = [film.record, self._place(film.image), film.boxes, sorted(film.masks)]
            films.update(content_hash(row).encode())
        return {"set": self.name, "films": films.hexdigest(), "about": self._about}

    def film(self, record: Record) -> Film:
        """The film of a record.

        Raises:
            ValueError: If the record is not of this set.
        """
        if record.id not in self._films:
            raise ValueError(f"Record {record.id!r} is not among the {len(self._films)} of {self.name}. See .records.")
        return self._films[record.id]

    def read(self, film: Film) -> LoadedImage:
        """Read a film's pixels; for sets whose files are not to be shown as they are."""
        return read_image(film.image)

    def load(self, record: Record) -> Sample:
        """Read one record's pixels and masks, in the image's own geometry.

        Raises:
            ValueError: If the record is not of this set, a file cannot be read, or a mask does not match its image.
        """
        film = self.film(record)
        try:
            image, notes = self.read(film)
            size = (image.shape[-2], image.shape[-1])
            masks = {name: make(size) for name, make in film.masks.items()}
            for name, mask in masks.items():
                check_mask_size(f"Mask {name!r}", mask, size)
        except (ValueError, OSError) as error:
            raise ValueError(f"{self.name}, record {record.id!r}: {error}") from error
        for note in notes:
            logger.info("%s: %s", record.id, note)
        return Sample(film.record, image, masks, film.boxes)

    def _place(self, path: Path) -> str:
        return str(path.relative_to(self.root) if path.is_relative_to(self.root) else path.name)

    def _check(self) -> None:
        missing = [film.image for film in self._films.values() if not film.image.is_file()]
        if missing:
            raise FileNotFoundError(
                f"{self.name}: {len(missing)} of {len(self._films)} images are missing under {self.root}, "
                f"such as {', '.join(map(self._place, missing[:3]))}. Is the download complete? "
                f"python -m radedit.prepare lists what is missing."
            )
