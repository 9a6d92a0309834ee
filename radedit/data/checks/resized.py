"""A data set's images as the paper preprocesses them, as files: small, quick to read, in our own format."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from radedit.data.checks.checked import Row, Rows
from radedit.data.datasets.manifest.columns import manifest_columns, record_row
from radedit.data.image.files import write_png
from radedit.data.image.transforms import preprocess
from radedit.data.io.table import write_table
from radedit.types import Box, Record, Sample

FOLDER_OF = 1000  # images; folders of hundreds of thousands are slow to list


class ResizedCopy:
    """A folder with `manifest.csv`, `boxes.csv`, 8-bit `images/` and `masks/<name>/`.

    Args:
        folder: Made by this.
        size: Side of the square images, px.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size

    def write(self, number: int, sample: Sample) -> dict[str, Any]:
        """Write an image's picture and masks, and return what the tables need of it.

        Raises:
            ValueError: See `radedit.data.image.transforms.preprocess`.
        """
        square = preprocess(sample, self.size)
        name = re.sub(r"[^\w.-]", "_", sample.record.id)[-80:]  # the number keeps names apart
        file = f"{number // FOLDER_OF:04d}/{number:07d}_{name}.png"
        pictures = {"images": square.image} | {f"masks/{mask}": drawn for mask, drawn in square.masks.items()}
        for kind, picture in pictures.items():
            path = self.folder / kind / file
            path.parent.mkdir(parents=True, exist_ok=True)
            write_png(path, picture, text={"id": sample.record.id})
        return {
            "file": file,
            "drawn": [[name, *(round(px, 3) for px in box)] for name, boxes in square.boxes.items() for box in boxes],
        }

    def write_tables(self, rows: Rows) -> None:
        """Write the manifest and the boxes of all images that could be read; tables come last, so they are complete."""
        columns = manifest_columns([dict.fromkeys(_columns(rows), "")])
        write_table(
            self.folder / "manifest.csv", columns, (_manifest_row(*row) for row in rows() if row[1].get("file"))
        )
        boxes = ("id", "name", "x", "y", "width", "height")
        write_table(
            self.folder / "boxes.csv",
            boxes,
            (
                dict(zip(boxes, map(str, [record.id, name, *Box(*box)]), strict=True))
                for record, row in rows()
                for name, *box in row.get("drawn", [])
            ),
        )


def _columns(rows: Rows) -> dict[str, None]:
    return {column: None for record, row in rows() if row.get("file") for column in _manifest_row(record, row)}


def _manifest_row(record: Record, row: Row) -> dict[str, str]:
    files = {"image": f"images/{row['file']}"} | {
        f"mask_{name}": f"masks/{name}/{row['file']}" for name in row["masks"]
    }
    return {column: str(value) for column, value in (record_row(record) | files).items()}
