"""A downloaded folder, searched once: which file bears which name, wherever mirrors and archives have put it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from radedit.data.io.fingerprint import content_hash
from radedit.data.layouts.roots import listing, set_root

DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")


class Download:
    """The files under a folder.

    Args:
        name: Of the data set, for errors.
        root: The folder, or a link to it. Links inside it are followed.

    Attributes:
        files: All of them, sorted.

    Raises:
        FileNotFoundError: If there is no such folder.
    """

    def __init__(self, name: str, root: str | Path) -> None:
        self.name, self.root = name, set_root(name, root)
        self.files = sorted(
            Path(folder, file)
            for folder, _, files in os.walk(self.root, onerror=_refuse, followlinks=True)
            for file in files
        )

    def table(self, names: Sequence[str]) -> Path:
        """The one file with one of these names.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If there are several.
        """
        found = self.named(names)
        if len(found) > 1:
            raise ValueError(
                f"{self.name}: {_listed(found)} are there. Keep one of them under the root"
                f"{', or name one by the option table.' if len(names) > 1 else '.'}"
            )
        return found[0]

    def named(self, names: Sequence[str]) -> list[Path]:
        """The files with one of these names, in capitals or not, or one of them and `.gz`; at least one.

        Raises:
            FileNotFoundError: If there is none.
        """
        wanted = {name.casefold() + suffix for name in names for suffix in ("", ".gz")}
        found = [path for path in self.files if path.name.casefold() in wanted]
        if not found:
            raise FileNotFoundError(
                f"{self.name}: {' or '.join(names)} is nowhere under {self.root}, which holds "
                f"{listing(self.root)}. Is this the right root, and is the download complete?"
            )
        return found

    @cached_property
    def images(self) -> dict[str, list[Path]]:
        """Image id → its files.

        An id is the file's name without an extension of DICOM. The name of a DICOM file is often its UID, whose last
        number any other way of cutting off an extension would take.
        """
        images: dict[str, list[Path]] = {}
        for path in self.files:
            images.setdefault(_image_id(path), []).append(path)
        return images

    def image(self, image_id: str) -> Path:
        """The file of an image; where it is missing, where it might have been.

        Raises:
            ValueError: If there are several.
        """
        found = self.images.get(image_id, [self.root / image_id])
        if len(found) > 1:
            raise ValueError(f"{self.name}: image {image_id} is there twice: {_listed(found)}. Keep one of them.")
        return found[0]

    def require(self, image_ids: Iterable[str], table: Path) -> None:
        """Raise a `FileNotFoundError` if images that a table names are missing."""
        ids = list(image_ids)
        missing = [image_id for image_id in ids if image_id not in self.images]
        if missing:
            raise FileNotFoundError(
                f"{self.name}: {len(missing)} of {len(ids)} images of {table} are nowhere under {self.root}, such as "
                f"{', '.join(missing[:3])}. Is the download complete? python -m radedit.prepare lists what is missing."
            )


def index_file(cache: str | Path, root: Path, name: str, **what: object) -> Path:
    """Where a dataset keeps what it once found out about a download, named after the root and `what` else it is of.

    Raises:
        ValueError: If that is inside the download, where nothing is ever written.
    """
    folder = Path(cache)
    if folder.resolve().is_relative_to(root.resolve()):
        raise ValueError(f"cache is {folder}, inside the data in {root}, where nothing is written. Set another cache.")
    return folder / f"{name}-{content_hash({'root': root.resolve(), **what})[:12]}"


def _image_id(path: Path) -> str:
    name = path.name
    suffix = next((suffix for suffix in DICOM_SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]


def _listed(paths: Sequence[Path]) -> str:
    return " and ".join(map(str, paths))


def _refuse(error: OSError) -> None:
    raise error
