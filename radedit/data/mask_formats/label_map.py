"""Maps that number several structures, and tables that name the numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from radedit.data.image.raster import open_header, orientation
from radedit.data.io.table import read_table
from radedit.data.mask_formats.place import Levels

LabelNames = dict[str, tuple[int, ...]]  # structure → its numbers
COLUMNS = ("value", "index")  # of numbers: ours, and that of BIDS
TABLE_MAX = 2**24  # bytes


def label_names(given: str | Path | Mapping[str, int | Sequence[int]] | None, folder: Path) -> LabelNames:
    """Which numbers of label maps are which structure.

    Args:
        given: A mapping; or a file, relative to the manifest's folder: a CSV table `value,name` (`index,name`), or JSON
            such as nnU-Net's `dataset.json`, whose `labels` are such a mapping. A structure may have several numbers.
        folder: Of the manifest.

    Returns:
        Structure → its numbers; the background, 0, is none.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or a number is none.
    """
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return _checked("label_names", given.items())
    path = folder / given
    if path.suffix.lower() == ".json":
        if not path.is_file():
            raise FileNotFoundError(f"There is no file {path} (label_names). It is relative to the manifest's folder.")
        try:
            content: Any = json.loads(path.read_bytes()[: TABLE_MAX + 1])
            return _checked(str(path), content.get("labels", content).items())
        except (ValueError, AttributeError, RecursionError) as error:
            raise ValueError(
                f"{path} cannot be read as a table of names: {error}. Allowed is {{name: number}}."
            ) from error
    table = read_table(path)
    column = next((column for column in COLUMNS if column in table.columns), COLUMNS[0])
    table.require([column, "name"], "label_names")
    rows = [(row.cells["name"], row.cells[column]) for row in table.rows]
    return _checked(str(path), rows)


def _checked(where: str, pairs: Any) -> LabelNames:
    found: LabelNames = {}
    for name, value in pairs:
        several = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        try:
            numbers = tuple(int(str(each)) for each in several)
        except ValueError:
            numbers = ()
        if not numbers or min(numbers) < 0:
            raise ValueError(f"{where}: {name!r} has the number {value!r}. Allowed are whole numbers from 0 on.")
        if numbers != (0,):  # the background
            found[str(name)] = (*found.get(str(name), ()), *numbers)
    if not found:
        raise ValueError(f"{where} names no structure. Allowed are a name and a number above 0 for each.")
    return found


def read_levels(path: Path) -> Levels:
    """The numbers in a PNG of one channel: grey levels, or the indices of a palette; shape (H, W).

    Raises:
        ValueError: If it is damaged, larger than any radiograph, in colour, or not a PNG.
    """
    try:
        with open_header(path) as check:
            check.verify()
        with open_header(path) as image:
            if image.format != "PNG" or image.mode not in {"1", "L", "P", "I;16", "I"} or orientation(image) != 1:
                raise ValueError(
                    f"it is {image.format} of mode {image.mode}; label maps are PNGs of one channel, grey or with a "
                    "palette, and not turned by EXIF"
                )
            return np.asarray(image).astype(np.int64)
    except Exception as error:  # Pillow reports damage as OSError, SyntaxError, struct.error and more
        raise ValueError(f"Mask {path} cannot be read as a label map: {error}.") from error


def of_numbers(
    path: Path, levels: Levels, numbers: tuple[int, ...], names: Mapping[str, tuple[int, ...]]
) -> npt.NDArray[np.bool_]:
    """Where a map has one of these numbers.

    Raises:
        ValueError: If there are names, and the map has a number that has none.
    """
    known = {0, *numbers, *(number for each in names.values() for number in each)}
    strange = sorted(set(np.unique(levels).tolist()) - known)
    if strange and names:
        raise ValueError(
            f"Mask {path} has the numbers {', '.join(map(str, strange[:8]))}, which label_names does not name. "
            "Complete the table; of a mask that is no label map, take the name out of it."
        )
    return np.isin(levels, numbers)


def of_two_levels(path: Path, levels: Levels) -> npt.NDArray[np.bool_]:
    """Where a mask of 0 and one other number is set.

    Raises:
        ValueError: If it has more numbers, or no 0.
    """
    found = np.unique(levels)
    if found.size > 2 or (found.size == 2 and found[0] != 0):
        listed = ", ".join(map(str, found[:8].tolist())) + (f" and {found.size - 8} more" if found.size > 8 else "")
        raise ValueError(
            f"Mask {path} has the numbers {listed}: it seems to number several structures. Name them with label_names "
            "(dataset.images.label_names=labels.csv), or choose one number, as in mask.nii.gz#2."
        )
    return levels > 0
