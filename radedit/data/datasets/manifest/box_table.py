"""Boxes that stand in a table of their own, beside a manifest."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from radedit.data.datasets.manifest.columns import a_box
from radedit.data.io.table import Table, listed, read_table
from radedit.types import Box

logger = logging.getLogger(__name__)

Boxes = dict[str, list[Box]]  # name → boxes


@dataclass(frozen=True)
class BoxTable:
    """A CSV or Parquet file with one box per row, in px of the image; the defaults are our own format.

    Attributes:
        file: Its path relative to the manifest's folder.
        key: Column that both tables have: the image that a box is of.
        name: Column of what is in the box.
        x: Column of the left edge.
        y: Column of the top edge.
        width: Column of the width.
        height: Column of the height.
    """

    file: str = "boxes.csv"
    key: str = "id"
    name: str = "name"
    x: str = "x"
    y: str = "y"
    width: str = "width"
    height: str = "height"

    def read(self, manifest: Table) -> dict[str, Boxes]:
        """Key → its boxes.

        Args:
            manifest: The table of images that the boxes belong to.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If a column is missing, boxes are not four finite numbers with an area (all of them are named),
                no box is of an image of the manifest, or some would be but for leading zeros, capitals or an extension.
        """
        table = read_table(manifest.path.parent / self.file)
        sides = [self.x, self.y, self.width, self.height]
        table.require([self.key, self.name, *sides], "boxes")
        manifest.require([self.key], "boxes.key")
        boxes: dict[str, Boxes] = {}
        errors = []
        for row in table.rows:
            named = boxes.setdefault(row.cells[self.key], {})
            try:
                named.setdefault(row.cells[self.name], []).append(a_box([row.cells[column] for column in sides]))
            except ValueError as error:
                errors.append(f"{table.place(row)}: {error}")
        if errors:
            raise ValueError(listed(errors))
        self._check_keys(table, manifest)
        return boxes

    def _check_keys(self, table: Table, manifest: Table) -> None:
        """Look for rows that are of no image: an error where their key was changed on the way, else a warning."""
        known = {row.cells[self.key] for row in manifest.rows}
        strays = [row for row in table.rows if row.cells[self.key] not in known]
        if not strays:
            return
        alike = {_loosely(key): key for key in known}
        changed = [row for row in strays if _loosely(row.cells[self.key]) in alike]
        if changed:
            key = changed[0].cells[self.key]
            raise ValueError(
                f"{table.place(changed[0])}: {self.key} {key!r} is in no row of {manifest.path}, but "
                f"{alike[_loosely(key)]!r} is; {len(changed)} of {len(table.rows)} rows are like this. Were leading "
                "zeros, capitals or the extension lost? Write both alike; spreadsheets keep zeros in columns of text."
            )
        first = strays[0].cells[self.key]
        if len(strays) == len(table.rows):
            raise ValueError(
                f"{table.path}: no {self.key!r} is in {manifest.path}; the first is {first!r}, there "
                f"{manifest.rows[0].cells[self.key]!r}. Set boxes.key to a column that says the same in both."
            )
        logger.warning(
            "%d of %d rows of %s are of no image of %s, such as line %d, %s %r.",
            len(strays), len(table.rows), table.path, manifest.path, strays[0].line, self.key, first,
        )  # fmt: skip


def check_boxes(name: str, boxes: Sequence[Box], size: tuple[int, int]) -> None:
    """See that boxes are of an image of this height and width.

    Raises:
        ValueError: If less than half of one lies in the image, or one is smaller than a pixel, as fractions are.
    """
    height, width = size
    for box in boxes:
        said = f"Box {name!r} is {box.x:g} {box.y:g} {box.width:g} {box.height:g}"
        if box.width < 1 and box.height < 1:
            raise ValueError(f"{said}, smaller than a pixel. Expected x, y, width and height in pixels, not fractions.")
        across = max(0.0, min(box.x + box.width, width) - max(box.x, 0))
        down = max(0.0, min(box.y + box.height, height) - max(box.y, 0))
        if across * down < box.width * box.height / 2:
            raise ValueError(f"{said}, less than half of it in the image of {height}×{width} pixels. Correct the box.")


def _loosely(key: str) -> str:
    """A key without what spreadsheets and file systems change."""
    return re.sub(r"\.([A-Za-z]{2,5}|0)$", "", key).lower().lstrip("0")


def box_table(spec: BoxTable | Mapping[str, str] | None) -> BoxTable | None:
    """The table that a config's mapping describes."""
    if spec is None or isinstance(spec, BoxTable):
        return spec
    unknown = sorted(set(spec) - set(BoxTable.__dataclass_fields__))
    if unknown:
        raise ValueError(f"boxes has the key {unknown[0]!r}. Allowed are {', '.join(BoxTable.__dataclass_fields__)}.")
    return BoxTable(**spec)
