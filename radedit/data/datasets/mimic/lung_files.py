"""Which file of an unknown layout holds the lungs: found out by names, else by content, or not at all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import interpolate

from radedit.data.image.files import read_image
from radedit.masks import split_lungs

NOISE = 10 / 255  # of the brightest level: what JPEG makes of black
MOST = 0.95  # our choice: "almost all" pixels
ASPECT = 0.01  # relative difference of aspect ratios that a rounded resize explains

Grey = NDArray[np.float32]


@dataclass(frozen=True)
class Roles:
    """Which kind of file is what; a kind is a path in which the image's id and all numbers are left open.

    Attributes:
        mask: A mask of the lungs.
        lung: The radiograph with everything but the lungs black.
        rest: The radiograph with the lungs black.
    """

    mask: str | None = None
    lung: str | None = None
    rest: str | None = None


@dataclass(frozen=True)
class LungFiles:
    """The files of one image: a mask, or the lungs and perhaps the rest; see `Roles`."""

    mask: Path | None = None
    lung: Path | None = None
    rest: Path | None = None


@dataclass(frozen=True)
class LungMask:
    """`lungs`, or the patient's `right_lung` or `left_lung`, made when called with the image's height and width, px."""

    files: LungFiles
    name: str

    @property
    def paths(self) -> list[Path]:
        """The files that it is made from."""
        return [path for path in (self.files.mask, self.files.lung, self.files.rest) if path is not None]

    def __call__(self, size: tuple[int, int]) -> Tensor:
        """Bool tensor of shape (1, H, W).

        Raises:
            ValueError: If a file cannot be read, is of another aspect ratio than the image, or does not fall into two
                lungs.
        """
        lungs, right, left = _lungs(self.files, size)
        return {"lungs": lungs, "right_lung": right, "left_lung": left}[self.name].clone()


def find_roles(groups: Sequence[Mapping[str, Path]], patterns: Mapping[str, str]) -> Roles | None:
    """What each kind of file is, or None if that cannot be found.

    Args:
        groups: Kind → file, for a few images with the same kinds.
        patterns: `mask`, `lung` and `rest` → regular expression that is searched in kinds, in small letters. A kind
            that names the rest is nothing else; one that names a mask and lungs is a mask.
    """
    kinds = set(groups[0])
    named = {role: {kind for kind in kinds if re.search(patterns[role], kind.lower())} for role in patterns}
    rest = named["rest"]
    masks, lungs = named["mask"] - rest, named["lung"] - named["mask"] - rest
    if not (masks or lungs):
        lungs = {kind for kind in kinds - rest if _mostly(_has_black_border, groups, kind)}
        masks = {kind for kind in lungs if _mostly(_is_two_valued, groups, kind)}
        rest = rest or kinds - lungs
    chosen = masks or lungs
    if len(chosen) != 1:
        return None
    kind = next(iter(chosen))
    two_valued = _mostly(_is_two_valued, groups, kind)
    if not _mostly(_has_black_border, groups, kind) or (masks and not two_valued):
        return None  # its name contradicts its content
    if two_valued:
        return Roles(mask=kind)
    return Roles(lung=kind, rest=next(iter(rest), None)) if len(rest) <= 1 else None


def kind_of(path: str, image_id: str = "") -> str:
    """A relative path in which the image's id, if it has one, and all numbers are left open."""
    return re.sub(r"\d+", "#", path.replace(image_id, "<id>") if image_id else path)


def listing(kinds: Sequence[str]) -> str:
    """Kinds with the number of their files, the most frequent first: what may be shown to others."""
    counts = Counter(kinds).most_common()
    lines = [f"  {kind}  ({count} files)" for kind, count in counts[:12]]
    return "\n".join([*lines, *([f"  and {len(counts) - 12} more kinds"] if len(counts) > 12 else [])])


@lru_cache(maxsize=2)  # the masks of one image are made one after the other
def _lungs(files: LungFiles, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Both lungs, and the patient's right and left."""
    if files.mask is not None:
        lungs = _fitted(_read(files.mask) > 0.5, size, files.mask)
        return lungs, *split_lungs(lungs)
    assert files.lung is not None
    grey = _read(files.lung)
    marked = grey > NOISE
    if files.rest is not None:
        rest = _read(files.rest)
        if rest.shape != grey.shape:
            raise ValueError(f"{files.lung} and {files.rest} are of different sizes, {grey.shape} and {rest.shape}.")
        marked &= grey > rest
    right, left = split_lungs(_fitted(ndimage.binary_fill_holes(marked), size, files.lung))
    return right | left, right, left  # without the specks that noise has left


def _fitted(mask: NDArray[np.bool_], size: tuple[int, int], path: Path) -> Tensor:
    height, width = mask.shape
    if abs(height / width * size[1] / size[0] - 1) > ASPECT:
        raise ValueError(
            f"Mask {path} is {width}×{height} but its image is {size[1]}×{size[0]}, of another shape. Was one of them "
            "cropped? Allowed is a mask of the whole image, resized or not."
        )
    return interpolate(torch.from_numpy(mask)[None, None].float(), size, mode="nearest-exact")[0] > 0


def _read(path: Path) -> Grey:
    """Grey levels of shape (H, W), 1 being the brightest in the file."""
    if path.suffix.lower() == ".npy":
        grey = np.squeeze(np.load(path, allow_pickle=False)).astype(np.float32)
        if grey.ndim != 2:
            raise ValueError(f"{path} has the shape {grey.shape}. Allowed is (H, W).")
    else:
        grey = read_image(path).pixels[0].numpy()
    return grey / max(float(grey.max()), 1e-6)


def _mostly(test: Callable[[Grey], bool], groups: Sequence[Mapping[str, Path]], kind: str) -> bool:
    return sum(test(_read(group[kind])) for group in groups) * 2 > len(groups)


def _is_two_valued(grey: Grey) -> bool:
    """At most three levels, or black and white but for the noise of JPEG."""
    return bool(np.unique(grey).size <= 3 or ((grey <= NOISE) | (grey >= 1 - NOISE)).mean() >= MOST)


def _has_black_border(grey: Grey) -> bool:
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return bool((border <= NOISE).mean() >= MOST)
