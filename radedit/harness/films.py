"""Films that a user names, one or a folder of them, with the masks that belong to them."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from radedit.data.geometry import Geometry
from radedit.data.images import read_image, read_mask
from radedit.data.transforms import stretch

FILM_SUFFIXES = {".png", ".jpg", ".jpeg", ".dcm", ".dicom"}
MASK_SUFFIXES = {".png", ".jpg", ".jpeg"}


@dataclass(frozen=True)
class FilmFiles:
    """Files of one edit.

    Attributes:
        id: The film's file name without extension; outputs and noise are named after it.
        image: The film.
        edit_mask: Pixels to change; None if not given.
        keep_mask: Pixels to keep; None if not given.
    """

    id: str
    image: Path
    edit_mask: Path | None = None
    keep_mask: Path | None = None


@dataclass(frozen=True)
class Film:
    """A film and its masks, in their own geometry.

    Attributes:
        files: Where they come from.
        image: Grey levels in [0, 1], shape (1, H, W).
        edit: Pixels to change, bool, shape (1, H, W); all of them without a mask.
        keep: Pixels to keep, likewise; none of them without a mask.
        notes: What was done to the files' values that their owner might not expect.
    """

    files: FilmFiles
    image: Tensor
    edit: Tensor
    keep: Tensor
    notes: Sequence[str]


def find_films(
    image: Path, edit_mask: Path | None, keep_mask: Path | None
) -> tuple[list[FilmFiles], dict[str, str], list[str]]:
    """Pair films with masks; nothing is read yet.

    Args:
        image: A film, or a folder of films (not of folders).
        edit_mask: A mask, or a folder in which each film's mask has its stem; None where there is none.
        keep_mask: Likewise.

    Returns:
        Films in the order of their names; name → reason for those that lack a mask or share a stem; and the names
        of files that, by their extension, are no films.

    Raises:
        ValueError: If masks for a folder are not in a folder, or the folder has no film.
        FileNotFoundError: If something is not there.
    """
    folders = {"edit_mask": edit_mask, "keep_mask": keep_mask}
    for name, path in {"image": image, **folders}.items():
        if path is not None and not path.exists():
            raise FileNotFoundError(f"{name}: there is no file or folder {path} (looked in {path.resolve().parent}).")
        if path is not None and image.is_dir() and not path.is_dir():
            raise ValueError(
                f"image is a folder, but {name} is the file {path}. Give a folder in which each film's mask has "
                "its stem, such as film-1.png for film-1.dcm."
            )
    if not image.is_dir():
        return [FilmFiles(_stem(image), image, *(_mask_of(_stem(image), path) for path in folders.values()))], {}, []
    entries = sorted(path for path in image.iterdir() if path.is_file() and not path.name.startswith("."))
    paths = [path for path in entries if path.suffix.lower() in FILM_SUFFIXES or _is_dicom(path)]
    others = [path.name for path in entries if path not in paths]
    if not paths:
        raise ValueError(f"There is no film in {image}. Allowed are PNG, JPEG and DICOM files.")
    found: list[FilmFiles] = []
    refused: dict[str, str] = {}
    for path in paths:
        twins = [other.name for other in paths if _stem(other) == _stem(path)]
        try:
            if len(twins) > 1:
                raise ValueError(f"{', '.join(twins)} would be edited into one file. Rename all but one.")
            masks = [_mask_of(_stem(path), folder) for folder in folders.values()]
        except (ValueError, OSError) as error:
            refused[path.name] = str(error)
        else:
            found.append(FilmFiles(_stem(path), path, *masks))
    return found, refused, others


def load_film(files: FilmFiles, needs: Collection[str] = ()) -> Film:
    """Read a film and its masks, and check that they can be edited.

    Args:
        files: Their paths.
        needs: Masks that must be given, of "edit" and "keep".

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If a file can't be read, a mask is missing or of another size, or there is nothing to edit.
    """
    image, notes = read_image(files.image)
    square = Geometry.of(image, min(image.shape[-2:]))
    stretch(square.image(image))
    size = (image.shape[-2], image.shape[-1])
    masks = {"edit": torch.ones_like(image, dtype=torch.bool), "keep": torch.zeros_like(image, dtype=torch.bool)}
    for name, path in {"edit": files.edit_mask, "keep": files.keep_mask}.items():
        if path is not None:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                masks[name] = read_mask(path, size)
            notes += [str(warning.message) for warning in caught]
        elif name in needs:
            raise ValueError(
                f"{name}_mask was not given, but is needed here: a PNG of {size[1]}×{size[0]}, white where the film is "
                f"to be {'changed' if name == 'edit' else 'kept'} and black elsewhere."
            )
    if not masks["edit"].any():
        raise ValueError(f"Edit mask {files.edit_mask} is empty (no white pixel), so there is nowhere to edit.")
    if not (masks["edit"] & ~masks["keep"]).any():
        raise ValueError(f"Keep mask {files.keep_mask} covers all of the edit mask, so there is nowhere to edit.")
    if not square.mask(masks["edit"]).any():
        raise ValueError(
            f"Edit mask {files.edit_mask} lies outside the film's centre square, which is all that the generator "
            "sees. Crop the film and its masks such that it lies inside."
        )
    if files.keep_mask is not None and not masks["keep"].any():
        notes.append(f"keep mask {files.keep_mask} is empty: nothing is kept")
    return Film(files, image, masks["edit"], masks["keep"], notes)


def _stem(path: Path) -> str:
    """The name without a picture's extension; other dots are part of it, as in UIDs that name DICOM files."""
    return path.stem if path.suffix.lower() in FILM_SUFFIXES else path.name


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _mask_of(stem: str, path: Path | None) -> Path | None:
    """The mask itself, or the one of that stem in a folder."""
    if path is None or not path.is_dir():
        return path
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in MASK_SUFFIXES and p.stem == stem)
    if len(found) != 1:
        raise FileNotFoundError(
            f"{path} has {'several masks' if found else 'no mask'} for {stem!r}: {stem}.png is expected"
            + (", once." if found else "; an all-black one keeps nothing.")
        )
    return found[0]
