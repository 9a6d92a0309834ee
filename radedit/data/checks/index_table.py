"""What `radedit.prepare` found out of every image, in one Parquet file."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from radedit.data.checks.checked import Row, Rows
from radedit.data.datasets.manifest.columns import record_row
from radedit.data.io.atomic import whole_file
from radedit.types import Record

GROUP = 4096  # rows that are held in memory
TYPES = {"label_": pa.int8(), "mask_": pa.float32(), "boxes_": pa.int32(), "height": pa.int32(), "width": pa.int32()}


def write_index(path: Path, rows: Rows) -> None:
    """Write one row a record: `id`, `patient_id`, `report`, `label_…`, `attr_…`, and what its check found.

    That is `height` and `width` (px), `content` (names the pixels), `mask_<name>` (share of the image), `boxes_<name>`
    (their number) and `error`; nothing stands where there is none.
    """
    names = {column: None for record, row in rows() for column in _cells(record, row)}
    schema = pa.schema([(name, _type(name)) for name in sorted(names, key=_place)])
    remaining = iter(rows())
    with whole_file(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        while group := [_cells(record, row) for record, row in islice(remaining, GROUP)]:
            writer.write_table(pa.Table.from_pylist(group, schema))


def content_ids(path: Path) -> dict[str, str]:
    """Record → what names its pixels, of an index; for `radedit.data.checks.leaks.check_leaks`."""
    table = pq.read_table(path, columns=["id", "content"])
    ids, contents = (table[name].to_pylist() for name in ("id", "content"))
    return {id_: content for id_, content in zip(ids, contents, strict=True) if content}


def _cells(record: Record, row: Row) -> dict[str, Any]:
    return {
        **record_row(record),
        **{name: row.get(name) for name in ("height", "width", "content")},
        **{f"mask_{name}": share for name, share in row.get("masks", {}).items()},
        **{f"boxes_{name}": count for name, count in row.get("boxes", {}).items()},
        "error": row["error"] or None,
    }


def _type(name: str) -> pa.DataType:
    return next((kind for prefix, kind in TYPES.items() if name.startswith(prefix)), pa.string())


def _place(name: str) -> tuple[int, str]:
    order = ("id", "patient_id", "report", "label_", "attr_", "height", "width", "content", "mask_", "boxes_", "error")
    return next(i for i, prefix in enumerate(order) if name == prefix or name.startswith(prefix)), name
