"""Tables of outlined regions: one row a region, so that an image has several, or one for "none"."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from radedit.data.io.table import Row, Table
from radedit.data.layouts.rle import NONE, RelativeRegions, relative_numbers, warn_of_variant


@dataclass(frozen=True)
class RegionTable:
    """Regions in the relative run-length encoding, by image.

    Attributes:
        path: The table's file.
        rows: Image id → its rows, in the order of the file.
        masks: Image id → union of its regions. An image with an empty row, without even `-1`, is not in it.
    """

    path: Path
    rows: dict[str, list[Row]]
    masks: dict[str, RelativeRegions]

    @classmethod
    def of(cls, table: Table, image: str, runs: str) -> RegionTable:
        """Sort a table's rows by image.

        Args:
            table: As read.
            image: Column of the image's id.
            runs: Column of the region; `-1` is none.

        Raises:
            ValueError: If a column is missing, or a region is no run-length encoding.
        """
        table.require([image, runs], "the set's layout")
        rows: dict[str, list[Row]] = {}
        regions: dict[str, list[str]] = {}
        for row in table.rows:
            rows.setdefault(row.cells[image], []).append(row)
            regions.setdefault(row.cells[image], []).append(row.cells[runs])
            try:
                relative_numbers(row.cells[runs] or NONE)
            except ValueError as error:
                raise ValueError(f"{table.path}, line {row.line}, {runs}: {error}") from error
        read = {image_id: texts for image_id, texts in regions.items() if all(texts)}
        warn_of_variant((text for texts in read.values() for text in texts), "relative", str(table.path))
        masks = {
            image_id: RelativeRegions(tuple(text for text in texts if text != NONE)) for image_id, texts in read.items()
        }
        return cls(table.path, rows, masks)
