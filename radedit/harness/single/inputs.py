"""Images that a user names, one or a folder of them, with the masks that belong to them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from radedit.data.image.files import read_image
from radedit.data.image.geometry import Geometry
from radedit.data.image.transforms import stretch
from radedit.data.io.accents import composed, find_file, is_printable
from radedit.data.mask_formats.source import MaskSource
from radedit.harness.single.names import IMAGE_SUFFIXES, check_names, id_of, shows, stem

MASK_SUFFIXES = {".png", ".jpg", ".jpeg"}


@dataclass(frozen=True)
class InputFiles:
    """Files of one edit.

    Attributes:
        id: Outputs and noise are named after it; see `radedit.harness.single.names.id_of`.
        image: The image.
        edit_mask: Pixels to change; None if not given.
        keep_mask: Pixels to keep; None if not given.
        names: Which names of files may be passed on: "auto", "file" or "content".
    """

    id: str
    image: Path
    edit_mask: Path | None = None
    keep_mask: Path | None = None
    names: str = "auto"

    def shown(self, path: Path) -> str:
        """A file's name, or an ellipsis where it may be a person's."""
        return path.name if shows(path, self.names) else "…"


@dataclass(frozen=True)
class InputImage:
    """An image and its masks, in their own geometry.

    Attributes:
        files: Where they come from.
        image: Grey levels in [0, 1], shape (1, H, W).
        edit: Pixels to change, bool, shape (1, H, W); all of them without a mask.
        keep: Pixels to keep, likewise; none of them without a mask.
        notes: What was done to the files' values that their owner might not expect.
    """

    files: InputFiles
    image: Tensor
    edit: Tensor
    keep: Tensor
    notes: Sequence[str]


def find_images(
    image: Path, edit_mask: Path | None, keep_mask: Path | None, names: str = "auto"
) -> tuple[list[InputFiles], dict[str, str], list[str]]:
    """Pair images with masks; nothing is read yet.

    Args:
        image: An image, or a folder of images (not of folders).
        edit_mask: A mask, or a folder in which each image's mask has its stem; None where there is none.
        keep_mask: Likewise.
        names: What outputs are named after: "file", "content", or "auto", which is "file" unless the file's name may
            be a person's.

    Returns:
        Images in the order of their names; name → reason for those that lack a mask or would share outputs; and the
        names of files that, by their extension, are no images.

    Raises:
        ValueError: If masks for a folder are not in a folder, the folder has no image, or `names` is another word.
        FileNotFoundError: If something is not there.
    """
    check_names(names)
    image, edit_mask, keep_mask = (path and find_file(path) for path in (image, edit_mask, keep_mask))  # type: ignore[assignment]
    folders = {"edit_mask": edit_mask, "keep_mask": keep_mask}
    for name, path in {"image": image, **folders}.items():
        if path is not None and not path.exists():
            raise FileNotFoundError(f"{name}: there is no file or folder {path} (looked in {path.resolve().parent}).")
        if path is not None and image.is_dir() and not path.is_dir():
            raise ValueError(
                f"image is a folder, but {name} is the file {path}. Give a folder in which each image's mask has "
                "its stem, such as image-1.png for image-1.dcm."
            )
    if not image.is_dir():
        _check_name(image)
        return [InputFiles(id_of(image, names), image, *_masks_of(image, edit_mask, keep_mask), names)], {}, []
    entries = sorted(path for path in image.iterdir() if path.is_file() and not path.name.startswith("."))
    paths = [path for path in entries if path.suffix.lower() in IMAGE_SUFFIXES or _is_dicom(path)]
    others = [repr(path.name)[1:-1] for path in entries if path not in paths]
    if not paths:
        raise ValueError(f"There is no image in {image}. Allowed are PNG, JPEG and DICOM files.")
    found: list[InputFiles] = []
    refused = {
        repr(path.name)[1:-1]: f"it is a link to {os.readlink(path)}, which is not there."
        for path in sorted(image.iterdir())
        if path.is_symlink() and not path.exists()
    }
    named: dict[str, list[Path]] = {}
    for path in paths:
        try:
            _check_name(path)
            named.setdefault(id_of(path, names), []).append(path)
        except (ValueError, OSError) as error:
            refused[repr(path.name)[1:-1]] = str(error)
    for id_, same in named.items():
        for path in same:
            try:
                if len(same) > 1:
                    raise ValueError(_would_collide(same))
                masks = _masks_of(path, edit_mask, keep_mask)
            except (ValueError, OSError) as error:
                refused[repr(path.name)[1:-1]] = str(error)
            else:
                found.append(InputFiles(id_, path, *masks, names))
    return found, refused, others


def load_image(files: InputFiles, needs: Collection[str] = ()) -> InputImage:
    """Read an image and its masks, and check that they can be edited.

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
                masks[name] = MaskSource(path, files.image.name, name).read(files.image, size)
            notes += [str(warning.message).replace(str(path), files.shown(path)) for warning in caught]
        elif name in needs:
            raise ValueError(
                f"{name}_mask was not given, but is needed here: a PNG of {size[1]}×{size[0]}, white where the image "
                f"is to be {'changed' if name == 'edit' else 'kept'} and black elsewhere."
            )
    if not masks["edit"].any():
        raise ValueError(f"Edit mask {files.edit_mask} is empty (no white pixel), so there is nowhere to edit.")
    if not (masks["edit"] & ~masks["keep"]).any():
        raise ValueError(f"Keep mask {files.keep_mask} covers all of the edit mask, so there is nowhere to edit.")
    if not square.mask(masks["edit"]).any():
        raise ValueError(
            f"Edit mask {files.edit_mask} lies outside the image's centre square, which is all that the generator "
            "sees. Crop the image and its masks such that it lies inside."
        )
    if files.keep_mask is not None and not masks["keep"].any():
        notes.append(f"keep mask {files.shown(files.keep_mask)} is empty: nothing is kept")
    return InputImage(files, image, masks["edit"], masks["keep"], notes)


def _would_collide(paths: Sequence[Path]) -> str:
    files = f"{', '.join(path.name for path in paths)} would be edited into one file"
    if len({stem(path) for path in paths}) == 1:
        return f"{files}. Rename all but one."
    return f"{files}, which is named after their content. Leave all but one out, or say names=file."


def _check_name(path: Path) -> None:
    if not is_printable(stem(path)):
        raise ValueError(f"The file name {path.name!r} cannot be printed, and outputs are named after it. Rename it.")


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _masks_of(image: Path, edit: Path | None, keep: Path | None) -> tuple[Path | None, Path | None]:
    return _mask_of(stem(image), edit), _mask_of(stem(image), keep)


def _mask_of(stem: str, path: Path | None) -> Path | None:
    """The mask itself, or the one of that stem in a folder."""
    if path is None or not path.is_dir():
        return path
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in MASK_SUFFIXES and composed(p.stem) == stem)
    if len(found) != 1:
        raise FileNotFoundError(
            f"{path} has {'several masks' if found else 'no mask'} for {stem!r}: {stem}.png is expected"
            + (", once." if found else "; an all-black one keeps nothing.")
        )
    return found[0]
