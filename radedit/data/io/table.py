"""Tables, CSV or Parquet, read by column name and complained about by line."""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import re
import unicodedata
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TextIO, cast

import pandas as pd
import pyarrow.parquet as pq

from radedit.data.io.accents import find_file
from radedit.data.io.atomic import whole_file

LINE_MAX = 2**27  # characters; run-length encoded masks exceed csv's usual 128 KiB
ROWS_MAX = 2_000_000  # ten times the largest public set; each takes half a kilobyte of memory
LISTED = 200  # errors that are named; a table with more has one cause for them
DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
QUOTES = {  # csv's messages, in words
    "unexpected end of data": "a quote is opened and never closed",
    "',' expected after '\"'": "a quote is closed before its cell ends; inside of quotes, write a quote twice",
}
csv.field_size_limit(LINE_MAX)


class Row(NamedTuple):
    """One row: the file's line that it ends on (of Parquet, its number), and column → text without blanks around it."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    """A table as read.

    Attributes:
        path: Its file.
        columns: Names in the order of the file, without surrounding blanks; columns without a name are left out.
        rows: At least one, with the cells of all requested columns.
        unit: What rows are counted in, for errors.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    unit: str = "line"

    def place(self, row: Row) -> str:
        """Where a row is, for errors."""
        return f"{self.path}, {self.unit} {row.line}"

    def require(self, columns: Iterable[str], what: str) -> None:
        """Raise a `ValueError` with `what` needs them and what there is if a column is missing."""
        missing = [column for column in dict.fromkeys(columns) if column not in self.columns]
        if missing:
            close = difflib.get_close_matches(missing[0], self.columns, n=1)
            raise ValueError(
                f"{self.path} has no column {', '.join(map(repr, missing))}, named by {what}. "
                f"It has: {', '.join(self.columns)}." + (f" Did you mean {close[0]!r}?" if close else "")
            )


def read_table(path: str | Path, only: Collection[str] | None = None, what: str = "") -> Table:
    """Read a CSV file (also gzipped; UTF-8, commas, a header line) or a Parquet file; every cell is text.

    Which it is is found by its content. Cells and names have no blanks around them and are in Unicode's composed form
    (NFC), so that names meet which look the same. The apostrophe that `write_table` puts before a formula is taken off.

    Args:
        path: The file.
        only: Columns whose cells are kept, all where None; tables of hundreds of thousands of rows fill the memory.
        what: What needs these columns, for errors.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it can't be read, has no header, no rows, more than `ROWS_MAX`, one column name twice, not one of
            `only`, is parted by something else than commas, opens a quote that is never closed, or has rows of another
            length than the header; all of these rows are named. Of Parquet: if a cell is no text, number or truth
            value.
    """
    path = find_file(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path} (looked in {path.resolve().parent}). Check the path.")
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PAR1" or path.suffix.lower() == ".parquet":
        try:
            table = _read_parquet(path)
        except UnicodeDecodeError as error:  # texts are looked at one by one
            raise ValueError(f"{path} cannot be read as Parquet: {error}. Write it again.") from error
        table.require(only or (), what)
        return table
    is_gzip = start[:2] == b"\x1f\x8b" or path.suffix.lower() == ".gz"
    try:
        with gzip.open(path) if is_gzip else path.open("rb") as binary:
            text = io.TextIOWrapper(cast(io.BufferedReader, binary), encoding="utf-8-sig", newline="")
            return _read_csv(path, text, only, what)
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be read as text: {error}. Save it as CSV in UTF-8.") from error


def _read_csv(path: Path, text: TextIO, only: Collection[str] | None, what: str) -> Table:
    lines = _rows(path, text)
    _, names = next(lines, (0, []))
    header = [_plain(name) for name in names]
    columns = tuple(filter(None, header))  # trailing commas make columns without a name
    if not columns:
        raise ValueError(f"{path}: the file is empty.")
    if len(header) == 1 and (found := [name for sign, name in DELIMITERS.items() if sign in header[0]]):
        raise ValueError(f"{path} is parted by {found[0]}. Allowed are commas; save it as CSV with commas.")
    _check_names(path, names)
    if only is not None:
        Table(path, columns, ()).require(only, what)
    kept = [(place, name) for place, name in enumerate(header) if name and (only is None or name in only)]
    rows, errors = [], []
    for line, cells in lines:
        if not cells:  # an empty line
            continue
        if len(cells) != len(header):
            errors.append(
                f"{path}, line {line}: {len(cells)} cells under {len(header)} columns. "
                "A text with commas or line breaks needs quotes."
            )
            continue
        rows.append(Row(line, {name: unescaped(_plain(cells[place])) for place, name in kept}))
        if len(rows) > ROWS_MAX:
            raise ValueError(f"{path} has more than {ROWS_MAX} rows. Split it, and name the parts one after another.")
    if errors:
        raise ValueError(listed(errors))
    if not rows:
        raise ValueError(f"{path} has a header but no rows. A manifest needs at least one.")
    return Table(path, columns, tuple(rows))


def _rows(path: Path, text: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line that each ends on, strictly quoted."""
    dataset = csv.reader(_lines(path, text), strict=True)
    while True:
        first = dataset.line_num + 1
        try:
            cells = next(dataset, None)
        except csv.Error as error:
            raise ValueError(f"{path}, line {first}: {QUOTES.get(str(error), error)}.") from error
        if cells is None:
            return
        yield dataset.line_num, cells


def _lines(path: Path, text: TextIO) -> Iterator[str]:
    number = 0
    while line := text.readline(LINE_MAX):
        number += 1
        if len(line) == LINE_MAX:
            raise ValueError(f"{path}, line {number} is longer than {LINE_MAX} characters. Is it a CSV file?")
        yield line


def _check_names(path: Path, names: Sequence[str]) -> None:
    plain = [_plain(name) for name in names]
    twice = sorted({name for name in filter(None, plain) if plain.count(name) > 1})
    if twice:
        written = {name for name in names if _plain(name) == twice[0]}
        differ = f", once as {' and once as '.join(map(repr, sorted(written)))}" if len(written) > 1 else ""
        raise ValueError(f"{path}: column {twice[0]!r} is there twice{differ}. Rename one, or remove it.")


def _plain(cell: str) -> str:
    """Without blanks around it, and composed."""
    cell = cell.strip()
    return cell if cell.isascii() else unicodedata.normalize("NFC", cell)


def escaped(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: one that begins like one has an apostrophe before it."""
    return f"'{cell}" if _is_formula(cell) else cell


def unescaped(cell: str) -> str:
    """The cell that `escaped` was given."""
    return cell[1:] if cell.startswith("'") and _is_formula(cell) else cell


def _is_formula(cell: str) -> bool:
    """Whether it begins with =, @, or a + or - that is no number's, maybe behind apostrophes."""
    inner = cell.lstrip("'")
    return inner[:1] in {"=", "@"} or (
        inner[:1] in {"+", "-"} and re.fullmatch(r"[+-][\d.]+([eE][+-]?\d+)?|-", inner) is None
    )


def listed(errors: Sequence[str], head: str = "") -> str:
    """One message of several errors, each on a line of its own under `head`."""
    if len(errors) == 1 and not head:
        return errors[0]
    more = [f"and {len(errors) - LISTED} more."] if len(errors) > LISTED else []
    return "\n- ".join([head or f"{len(errors)} errors:", *errors[:LISTED], *more])


def _read_parquet(path: Path) -> Table:
    try:
        n_rows = pq.ParquetFile(path).metadata.num_rows
        frame = pd.read_parquet(path) if n_rows <= ROWS_MAX else pd.DataFrame()
    except Exception as error:  # pyarrow's own are of many kinds
        raise ValueError(f"{path} cannot be read as Parquet: {error}. Write it again, or save it as CSV.") from error
    if n_rows > ROWS_MAX:
        raise ValueError(f"{path} has {n_rows} rows, allowed are {ROWS_MAX}. Split it, and name the parts.")
    if index := [name for name in frame.index.names if name is not None]:  # pandas puts it beside the columns
        if known := [str(name) for name in index if name in frame.columns]:
            raise ValueError(f"{path}: {known[0]!r} is a column and the index. Rename one, or remove it.")
        frame = frame.reset_index(index)
    names = [str(name) for name in frame.columns]
    columns = tuple(_plain(name) for name in names)
    if not columns or frame.empty:
        raise ValueError(f"{path} has no rows. A manifest needs at least one.")
    _check_names(path, names)
    rows, errors = [], []
    for number, values in enumerate(frame.itertuples(index=False, name=None), start=1):
        cells = {name: _text(value) for name, value in zip(columns, values, strict=True)}
        wrong = [name for name, cell in cells.items() if cell is None]
        errors += [f"{path}, row {number}: column {name!r} holds no text, number or truth value." for name in wrong]
        rows.append(Row(number, {name: cell or "" for name, cell in cells.items()}))
    if errors:
        raise ValueError(listed(errors))
    return Table(path, columns, tuple(rows), "row")


def _text(value: Any) -> str | None:
    """A cell as CSV would have it; None for what has no such form."""
    if isinstance(value, str):
        return _plain(value)
    if not pd.api.types.is_scalar(value):
        return None
    if pd.isna(value):
        return ""
    return str(int(value)) if pd.api.types.is_bool(value) else str(value)


def write_table(path: str | Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write a CSV file row by row, whole or not at all; a row's missing cells are empty, and formulas are `escaped`."""
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: escaped(str(cell)) for name, cell in row.items()} for row in rows)
