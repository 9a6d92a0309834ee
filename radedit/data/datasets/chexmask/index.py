"""CheXmask's tables, several gigabytes of text each, as an index that finds one image's row at once."""

from __future__ import annotations

import csv
import gzip
import logging
import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from radedit.data.io.table import Table
from radedit.data.layouts.rle import warn_of_variant

logger = logging.getLogger(__name__)

RCA = ("Dice RCA (Mean)", "Dice RCA (Max)")
SIZE = ("Height", "Width")
MASKS = ("Left Lung", "Right Lung", "Heart")
UNSAID = 1024  # px; the tables of some parts leave the size out, whose images have this one
N_LOOKED_AT = 50  # rows at the beginning whose masks must look like the right encoding
N_LOGGED = 50_000  # rows


class IndexedRow(NamedTuple):
    """One image's row.

    Attributes:
        size: Height and width as the table has them, px.
        landmarks: As the table has them.
        masks: Column → absolute run-length encoding, empty where nothing was segmented.
    """

    size: tuple[int, int]
    landmarks: str
    masks: dict[str, str]


def build_index(table: Path, id_column: str, id_parts: int, index: Path) -> None:
    """Write the index, row by row, so that memory stays small; whole or not at all.

    Args:
        table: CheXmask's table, CSV or `.csv.gz`.
        id_column: Where it names the image.
        id_parts: How many parts of that name, counted from its end, make the image's key; see `image_key`.
        index: File to write, an SQLite database with compressed masks.

    Raises:
        ValueError: If the table lacks a column, is cut off, has an image twice, or a cell that is no number.
    """
    rows = _rows(table, id_column)
    first = list(islice(rows, N_LOOKED_AT))  # a wrong table is complained of before anything is written
    if not first:
        raise ValueError(f"{table} has a header but no rows. Copy it again.")
    warn_of_variant((row[name] for _, row in first for name in MASKS), "absolute", str(table))
    index.parent.mkdir(parents=True, exist_ok=True)
    logger.info("Indexing %s once, which takes minutes for a whole table; it is kept in %s", table, index)
    temporary = index.with_name(f".{index.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(temporary)) as database:
            database.execute("PRAGMA synchronous = OFF")  # the file gets its name only when it is complete
            database.execute(
                "CREATE TABLE images (id TEXT PRIMARY KEY, rca REAL, height INTEGER, width INTEGER, landmarks BLOB, "
                "left BLOB, right BLOB, heart BLOB) WITHOUT ROWID"
            )
            for line, row in chain(first, rows):
                key = image_key(row[id_column], id_parts)
                try:
                    cells = _cells(row)
                    database.execute("INSERT INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (key, *cells))
                except sqlite3.IntegrityError as error:
                    raise ValueError(f"{table}, line {line}: {key} is there twice. Is it two tables in one?") from error
                except ValueError as error:
                    raise ValueError(f"{table}, line {line}: {error}") from error
            database.commit()
        os.replace(temporary, index)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def image_key(path: str | PurePosixPath, parts: int) -> str:
    """What a table and a file system both say of an image: the last parts of its path, without the extension."""
    return "/".join(PurePosixPath(path).with_suffix("").parts[-parts:])


def read_qualities(index: Path) -> dict[str, float | None]:
    """Image key → mean Dice of its reverse classification accuracy, 0…1, None where the table has none."""
    with closing(_open(index)) as database:
        return dict(database.execute("SELECT id, rca FROM images"))


@lru_cache(maxsize=4)  # the masks of one image are made one after the other
def read_row(index: Path, key: str) -> IndexedRow:
    """One image's row."""
    with closing(_open(index)) as database:
        cells = database.execute("SELECT * FROM images WHERE id = ?", (key,)).fetchone()
    _, _, height, width, *texts = cells
    landmarks, *masks = (zlib.decompress(text).decode() for text in texts)
    return IndexedRow((height, width), landmarks, dict(zip(MASKS, masks, strict=True)))


def _open(index: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{index.resolve().as_uri()}?mode=ro&immutable=1", uri=True)


def _rows(table: Path, id_column: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and column → text of each row, NaN being nothing."""
    with _text(table) as file:
        lines = csv.reader(file)
        try:
            columns = tuple(name.strip() for name in next(lines, []))
            Table(table, columns, ()).require([id_column, *RCA, "Landmarks", *MASKS, *SIZE], "this part of CheXmask")
            for number, cells in enumerate(lines, start=1):
                if len(cells) != len(columns):
                    raise ValueError(
                        f"{table}, line {lines.line_num}: {len(cells)} cells under {len(columns)} columns. "
                        "Is the download complete?"
                    )
                if number % N_LOGGED == 0:
                    logger.info("%d rows of %s", number, table)
                texts = ("" if cell.strip().lower() == "nan" else cell.strip() for cell in cells)
                yield lines.line_num, dict(zip(columns, texts, strict=True))
        except (EOFError, UnicodeDecodeError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{table} cannot be read as text: {error}. Is the download complete?") from error


def _text(table: Path) -> IO[str]:
    if table.suffix == ".gz":
        return gzip.open(table, "rt", encoding="utf-8-sig", newline="")
    return table.open(encoding="utf-8-sig", newline="")


def _cells(row: dict[str, str]) -> tuple[float | bytes | None, ...]:
    try:
        # Some parts have mean and maximum the other way round; a mean is never above its maximum.
        dice = [float(row[name]) for name in RCA if row[name]]
        size = [int(float(row[name])) if row[name] else UNSAID for name in SIZE]
    except ValueError as error:
        raise ValueError(f"{error}. Numbers belong into {', '.join((*RCA, *SIZE))}.") from error
    texts = [zlib.compress(row[name].encode(), 1) for name in ("Landmarks", *MASKS)]
    return min(dice, default=None), *size, *texts
