"""What a manifest's cell says of a mask, and the mask itself."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from radedit.data.image.files import file_kind, picture_size, read_mask
from radedit.data.image.geometry import check_mask_size
from radedit.data.io.accents import find_file
from radedit.data.layouts.rle import decode_absolute, decode_relative
from radedit.data.mask_formats.coco import decode_counts, read_coco
from radedit.data.mask_formats.dicom_seg import check_dicom_seg, read_dicom_seg
from radedit.data.mask_formats.label_map import of_numbers, of_two_levels, read_levels
from radedit.data.mask_formats.nifti import check_nifti, is_nifti, read_nifti
from radedit.data.mask_formats.place import Place

ALLOWED = "Allowed are PNG, JPEG, NIfTI, DICOM segmentations, and COCO's JSON"
RUNS = re.compile(r"rle_(relative|absolute|coco):(.*)", re.DOTALL)
RUN_DECODERS: dict[str, Callable[[str, tuple[int, int]], Tensor]] = {
    "relative": decode_relative,
    "absolute": decode_absolute,
    "coco": lambda text, size: torch.from_numpy(np.ascontiguousarray(decode_counts(text.strip(), size)))[None],
}


@dataclass(frozen=True)
class MaskSource:
    """One mask of one image.

    Attributes:
        file: Its file; None where the mask stands in the cell itself.
        image: The image's file, as the manifest names it.
        structure: Which of several structures: the name or number after `#`, or the mask's name.
        chosen: Whether it came after `#`.
        runs: Run lengths that stand in the cell, and their kind.
        names: Structure → numbers, for label maps.
    """

    file: Path | None
    image: str
    structure: str
    chosen: bool = False
    runs: tuple[str, str] = ("", "")
    names: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, cell: str, folder: Path, name: str, image: str, names: Mapping[str, tuple[int, ...]] | None = None
    ) -> MaskSource:
        """What a cell says: a file, `file#structure`, or `rle_<kind>:<runs>`.

        Args:
            cell: Not empty.
            folder: Of the manifest.
            name: The mask's.
            image: The image's file, as in the manifest.
            names: Structure → numbers of label maps.
        """
        if runs := RUNS.fullmatch(cell):
            return cls(None, image, name, runs=(runs[1], runs[2]))
        file = find_file(folder / cell)
        if "#" in cell and not file.is_file():
            before, _, structure = cell.rpartition("#")
            return cls(find_file(folder / before), image, structure.strip(), True, names=names or {})
        return cls(file, image, name, names=names or {})

    def read(self, image: Path, size: tuple[int, int]) -> Tensor:
        """The mask.

        Args:
            image: The image's file, with which size, orientation and spacing are compared.
            size: Height and width of the image, px.

        Returns:
            Bool tensor of shape (1, H, W).

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it cannot be read, has no such structure, or does not lie on its image.
        """
        if self.file is None:
            return self._decoded(size)
        numbers = self._numbers
        kind = mask_kind(self.file)
        if kind in ("png", "jpeg") and numbers is None:
            if self.chosen:
                raise ValueError(self._unnamed())
            return read_mask(self.file, size)
        if kind in ("png", "jpeg"):
            mask = of_numbers(self.file, read_levels(self.file), numbers or (), self.names)
        elif kind == "nifti":
            levels = read_nifti(self.file, Place.of(image))
            if numbers is None and self.chosen:
                raise ValueError(self._unnamed())
            mask = (
                of_two_levels(self.file, levels)
                if numbers is None
                else of_numbers(self.file, levels, numbers, self.names)
            )
        elif kind == "dicom":
            mask = read_dicom_seg(self.file, self.structure, Place.of(image), chosen=self.chosen)
        else:
            mask = read_coco(self.file, self.structure, self.image, size)
        found = torch.from_numpy(np.ascontiguousarray(mask))[None]
        check_mask_size(f"Mask {self.file}", found, size)
        return found

    def check(self, place: Place) -> None:
        """See from the headers that the mask lies on its image, which is at `place`.

        Raises:
            MisplacedError: If it does not.
            ValueError: If a header cannot be read.
        """
        if self.file is None:
            self._decoded(place.size)
            return
        match mask_kind(self.file):
            case "nifti":
                check_nifti(self.file, place)
            case "dicom":
                check_dicom_seg(self.file, place)
            case "coco":
                read_coco(self.file, self.structure, self.image, place.size)
            case _:
                place.check_size(f"Mask {self.file}", picture_size(self.file))

    def fingerprint(self, digest: str) -> object:
        """What determines the mask, given the digest of its file."""
        is_plain = self.file and not self.chosen and not self.names
        return digest if is_plain else [digest, self.structure, self.runs, self._numbers]

    def _decoded(self, size: tuple[int, int]) -> Tensor:
        kind, text = self.runs
        return RUN_DECODERS[kind](text, size)

    @property
    def _numbers(self) -> tuple[int, ...] | None:
        """Numbers of the structure in label maps; None where no number is known."""
        if self.structure in self.names:
            return self.names[self.structure]
        return (int(self.structure),) if self.chosen and self.structure.isdecimal() else None

    def _unnamed(self) -> str:
        named = ", ".join(self.names) or "none"
        return f"Mask {self.file} is to give {self.structure!r}, which label_names does not name; it names {named}."


def mask_kind(path: Path) -> str:
    """`png`, `jpeg`, `dicom`, `nifti` or `coco`, by content.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is none of them.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no mask {path} (looked in {path.resolve().parent}). Check the path.")
    with path.open("rb") as file:
        start = file.read(64)
    plain = start
    if start.startswith(b"\x1f\x8b"):
        try:
            plain = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(start, 8)
        except zlib.error as error:
            raise ValueError(f"Mask {path} is damaged: {error}. Copy it again.") from error
    if is_nifti(plain):
        return "nifti"
    if plain.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{":
        return "coco"
    try:
        return file_kind(path)
    except ValueError as error:
        raise ValueError(f"Mask {path} is of no known format. {ALLOWED}; convert it to one of them.") from error
