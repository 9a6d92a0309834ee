"""Masks as text: two run-length encodings that look alike and mean different pixels.

- Relative (SIIM-ACR, CANDID-PTX): gap, length, gap, length, …, where gaps count background from the end of the run
  before; column by column; an empty mask is `-1`.
- Absolute (CheXmask): start, length, start, length, …, where the first pixel is 1; row by row; an empty mask is an
  empty text.

Which one a set uses has to be known: most texts are valid in both. Absolute and column by column, as in many other
challenges, is neither; it would be read as absolute without complaint.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NONE = "-1"  # the relative encoding's empty mask

Variant = Literal["relative", "absolute"]
Numbers = NDArray[np.int64]


def decode_relative(text: str, size: tuple[int, int]) -> Tensor:
    """The mask of a relative run-length encoding.

    Args:
        text: Gaps of background and lengths of runs in turn, px, column by column from the top left; or `-1`.
        size: Height and width of the mask, px.

    Returns:
        Bool tensor of shape (1, H, W).

    Raises:
        ValueError: If the text holds something else than whole numbers from 0 on, an odd number of them, or runs that
            leave the image.
    """
    height, width = size
    counts = relative_numbers(text)
    if counts.sum() > height * width:
        raise ValueError(
            f"The runs of {_shown(text)} end at pixel {counts.sum()}, but an image of {width}×{height} has "
            f"{height * width}. The mask is of another image size, or its starts are absolute."
        )
    return _painted(counts, height * width).view(width, height).T.contiguous()[None]


def decode_absolute(text: str, size: tuple[int, int]) -> Tensor:
    """The mask of an absolute run-length encoding.

    Args:
        text: Starts of runs, the first pixel being 1, and their lengths in turn, px, row by row from the top left; or
            nothing.
        size: Height and width of the mask, px.

    Returns:
        Bool tensor of shape (1, H, W).

    Raises:
        ValueError: If the text holds something else than whole numbers, an odd number of them, runs that overlap or
            go back, or runs that leave the image.
    """
    height, width = size
    if text.strip() == NONE:
        raise ValueError(f"{NONE} is an empty mask in the relative encoding; in the absolute one it is an empty text.")
    numbers = _numbers(text)
    starts, lengths = numbers[::2] - 1, numbers[1::2]
    ends = starts + lengths
    gaps = starts - np.concatenate([[0], ends[:-1]]) if numbers.size else starts
    if (gaps < 0).any():
        which = int(np.flatnonzero(gaps < 0)[0])
        raise ValueError(
            f"Run {which + 1} of {_shown(text)} starts at pixel {numbers[2 * which]}, "
            + ("but the first pixel is 1." if which == 0 else f"but the run before ends with pixel {ends[which - 1]}.")
            + " Its starts may be relative, as in SIIM-ACR and CANDID-PTX."
        )
    if numbers.size and ends[-1] > height * width:
        raise ValueError(
            f"The runs of {_shown(text)} end at pixel {ends[-1]}, but an image of {width}×{height} has "
            f"{height * width}. The mask is of another image size."
        )
    counts = np.stack([gaps, lengths], axis=1).ravel()
    return _painted(counts, height * width).view(1, height, width)


def encode_relative(mask: Tensor) -> str:
    """The relative run-length encoding of a mask, the inverse of `decode_relative`.

    Args:
        mask: Bool, shape (1, H, W).

    Returns:
        Gaps and lengths; `-1` where no pixel is set. A run that touches the last pixel is not lost.
    """
    starts, ends = _runs(mask[0].T)
    gaps = starts - np.concatenate([[0], ends[:-1]]) if starts.size else starts
    return _text(gaps, ends - starts) or NONE


def encode_absolute(mask: Tensor) -> str:
    """The absolute run-length encoding of a mask, the inverse of `decode_absolute`.

    Args:
        mask: Bool, shape (1, H, W).

    Returns:
        Starts and lengths; an empty text where no pixel is set.
    """
    starts, ends = _runs(mask[0])
    return _text(starts + 1, ends - starts)


def relative_numbers(text: str) -> Numbers:
    """Gaps and lengths of a relative encoding, checked without knowing the image; none for `-1`.

    Raises:
        ValueError: If the text is empty, or see `decode_relative`.
    """
    if not text.strip():
        raise ValueError(f"An empty text is no mask in the relative encoding; {NONE} says that nothing is marked.")
    return np.array([], dtype=np.int64) if text.strip() == NONE else _numbers(text)


def warn_of_variant(texts: Iterable[str], variant: Variant, where: str) -> None:
    """Warn if most masks of a table look like the other encoding.

    Starts that never fall behind the run before look absolute; gaps rarely do, but a few do by chance. So this is a
    check of what is known, no way of finding it out.

    Args:
        texts: Masks; those of one run are not informative.
        variant: What the set is known to use.
        where: The table, for the warning.
    """
    telling = [numbers for text in texts if text.strip() != NONE and (numbers := _numbers(text)).size > 2]
    alike = sum(_looks_absolute(numbers) == (variant == "absolute") for numbers in telling)
    if telling and alike * 2 < len(telling):
        other = "relative" if variant == "absolute" else "absolute"
        warnings.warn(
            f"{where}: {len(telling) - alike} of {len(telling)} masks of several runs look {other}ly encoded, but this "
            f"set's are read as {variant}. Look at one of them on its image before you trust them.",
            stacklevel=2,
        )


@dataclass(frozen=True)
class RelativeRegions:
    """The union of regions in the relative encoding, decoded when it is called with an image's height and width.

    Regions of one image overlap in published tables, so they are united, never summed.
    """

    regions: tuple[str, ...]

    def __call__(self, size: tuple[int, int]) -> Tensor:
        """Bool tensor of shape (1, H, W); no pixel is set where there is no region."""
        union = torch.zeros(1, *size, dtype=torch.bool)
        for region in self.regions:
            union |= decode_relative(region, size)
        return union


def _numbers(text: str) -> Numbers:
    try:
        numbers = np.array([int(word) for word in text.split()], dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{_shown(text)} is no run-length encoding ({error}). Allowed are whole numbers.") from error
    if numbers.size % 2:
        raise ValueError(
            f"{_shown(text)} has {numbers.size} numbers, but runs are pairs. The text may be cut off; "
            "copy the table again, and do not open it in a spreadsheet, whose cells are short."
        )
    if (numbers < 0).any():
        raise ValueError(f"{_shown(text)} has the number {numbers.min()}. Allowed are 0 and more.")
    return numbers


def _looks_absolute(numbers: Numbers) -> bool:
    starts, lengths = numbers[::2], numbers[1::2]
    return bool((starts[1:] >= starts[:-1] + lengths[:-1]).all())


def _painted(counts: Numbers, n_pixels: int) -> Tensor:
    """Pixels in a row from the lengths of background and mask in turn; the rest is background."""
    values = np.arange(counts.size + 1) % 2 == 1
    return torch.from_numpy(np.repeat(values, np.append(counts, n_pixels - counts.sum())))


def _runs(rows: Tensor) -> tuple[Numbers, Numbers]:
    """First pixel of each run, and the one after its last, counted from 0 row by row."""
    framed = np.concatenate([[False], rows.numpy().ravel(), [False]])
    edges = np.flatnonzero(framed[1:] != framed[:-1])
    return edges[::2], edges[1::2]


def _text(first: Numbers, second: Numbers) -> str:
    return " ".join(map(str, np.stack([first, second], axis=1).ravel()))


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
