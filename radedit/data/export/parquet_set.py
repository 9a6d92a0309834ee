"""A stress set as one Parquet file with its card and Croissant metadata, as the `datasets` library loads a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from radedit.data.datasets.manifest.columns import PREFIXES
from radedit.data.export.card import SetCard
from radedit.data.io.atomic import whole_file, write_atomically
from radedit.data.io.checksums import FILE as SUMS
from radedit.data.io.checksums import sums_of, write_sums
from radedit.data.io.file_hash import file_hash
from radedit.data.io.names import inside
from radedit.data.io.table import Table, read_table
from radedit.data.stress_set import require_whole_set

FILE = "data/test.parquet"
CARD, CROISSANT = "README.md", "croissant.json"
ROWS = 64  # of a group: what is in memory at a time
PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])  # how `datasets` keeps an image


def write_parquet_set(stress_set: Path, out: Path, *, title: str) -> Path:
    """Write a finished stress set as a folder that `datasets.load_dataset(<folder>)` loads.

    ```
    <out>/
      README.md          card: what the set is, its columns, its limits; YAML that `datasets` and the hub read
      croissant.json     the same for machines, Croissant 1.0
      data/test.parquet  a row for each image: its PNG, its masks' PNGs, and what is known of it
      SHA256SUMS
    ```

    Pictures are the set's own bytes, so that what a model sees is the same. Edits are made of somebody's images:
    the caller has been asked for patients' images in words.

    Args:
        stress_set: Folder of the set.
        out: A new or empty folder, or one of an earlier export, which is replaced.
        title: The question that the set was made for.

    Returns:
        The Parquet file.

    Raises:
        ValueError: If the set is damaged or not finished, or `out` holds something else.
    """
    table, digest = _read(stress_set)
    out.mkdir(parents=True, exist_ok=True)
    strangers = sorted({path.name for path in out.iterdir()} - {CARD, CROISSANT, SUMS, FILE.partition("/")[0]})
    if strangers:
        raise ValueError(f"{out} holds {', '.join(strangers[:5])}, so it is no folder of an export. Name a new one.")
    file = out / FILE
    file.parent.mkdir(exist_ok=True)
    schema = _schema(table.columns)
    with whole_file(file) as temporary, pq.ParquetWriter(temporary, schema, compression="snappy") as writer:
        for group in _groups(table, stress_set):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
    card = SetCard.of(table, title=title, stress_set=digest, file=FILE, sha256=file_hash(file, "whole"))
    write_atomically(out / CARD, card.markdown(features(table.columns)).encode())
    write_atomically(out / CROISSANT, (json.dumps(card.croissant(), indent=1, ensure_ascii=False) + "\n").encode())
    write_sums(out / SUMS, sums_of(out, [CARD, CROISSANT, FILE]))
    return file


def features(columns: Sequence[str]) -> dict[str, dict[str, str]]:
    """Column → its feature, in the words of `datasets`."""
    return {
        name: {"_type": "Image"}
        if _is_picture(name)
        else {"dtype": "int64" if name.startswith("label_") else "string", "_type": "Value"}
        for name in columns
    }


def _read(stress_set: Path) -> tuple[Table, str]:
    manifest, meta = stress_set / "manifest.csv", stress_set / "meta.json"
    if not manifest.is_file() or not meta.is_file():
        raise ValueError(f"{stress_set} is no finished stress set: it lacks manifest.csv or meta.json.")
    require_whole_set(stress_set)
    return read_table(manifest), str(json.loads(meta.read_text(encoding="utf-8"))["content_hash"])


def _schema(columns: Sequence[str]) -> pa.Schema:
    kinds = {"Image": PICTURE, "int64": pa.int64(), "string": pa.string()}
    fields = [(name, kinds[feature.get("dtype", "Image")]) for name, feature in features(columns).items()]
    about = {"info": {"features": features(columns)}}
    return pa.schema(fields, metadata={"huggingface": json.dumps(about)})


def _groups(table: Table, folder: Path) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(table.rows), ROWS):
        yield [
            {name: _value(name, cell, folder) for name, cell in row.cells.items()}
            for row in table.rows[start : start + ROWS]
        ]


def _value(name: str, cell: str, folder: Path) -> Any:
    if _is_picture(name):
        return {"bytes": inside(folder, cell, f"Column {name}").read_bytes(), "path": cell} if cell else None
    return (int(float(cell)) if cell else None) if name.startswith("label_") else cell


def _is_picture(name: str) -> bool:
    return name == "image" or name.startswith(PREFIXES[1])  # mask_
