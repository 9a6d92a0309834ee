"""Boxes that stand in a table of their own, beside a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from radedit.data.columns import a_box
from radedit.data.table import Table, listed, read_table
from radedit.types import Box

Boxes = dict[str, list[Box]]  # name → boxes


@dataclass(frozen=True)
class BoxTable:
    """A CSV or Parquet file with one box per row, in px of the image; the defaults are our own format.

    Attributes:
        file: Its path relative to the manifest's folder.
        key: Column that both tables have and that says which image a box is of.
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
                or no box is of an image of the manifest.
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
        if not boxes.keys() & {row.cells[self.key] for row in manifest.rows}:
            raise ValueError(
                f"{table.path}: no {self.key!r} is in {manifest.path}; the first is {next(iter(boxes))!r}, there "
                f"{manifest.rows[0].cells[self.key]!r}. Set boxes.key to a column that says the same in both."
            )
        return boxes


def box_table(spec: BoxTable | Mapping[str, str] | None) -> BoxTable | None:
    """The table that a config's mapping describes."""
    if spec is None or isinstance(spec, BoxTable):
        return spec
    unknown = sorted(set(spec) - set(BoxTable.__dataclass_fields__))
    if unknown:
        raise ValueError(f"boxes has the key {unknown[0]!r}. Allowed are {', '.join(BoxTable.__dataclass_fields__)}.")
    return BoxTable(**spec)
