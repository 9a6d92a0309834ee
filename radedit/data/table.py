"""Tables, CSV or Parquet, read by column name and complained about by line."""

from __future__ import annotations

import csv
import difflib
import gzip
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from radedit.data.atomic import whole_file

csv.field_size_limit(2**27)  # run-length encoded masks exceed the usual 128 KiB
LISTED = 200  # errors that are named; a table with more has one cause for them


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
        rows: At least one, with the cells of all columns that were asked for.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def place(self, row: Row) -> str:
        """Where a row is, for errors."""
        return f"{self.path}, {'row' if self.path.suffix == '.parquet' else 'line'} {row.line}"

    def require(self, columns: Iterable[str], what: str) -> None:
        """Raise a `ValueError` naming `what` wants them and what there is if a column is missing."""
        missing = [column for column in dict.fromkeys(columns) if column not in self.columns]
        if missing:
            close = difflib.get_close_matches(missing[0], self.columns, n=1)
            raise ValueError(
                f"{self.path} has no column {', '.join(map(repr, missing))}, named by {what}. "
                f"It has: {', '.join(self.columns)}." + (f" Did you mean {close[0]!r}?" if close else "")
            )


def read_table(path: str | Path, only: Collection[str] | None = None, what: str = "") -> Table:
    """Read a CSV file (`.csv`, `.csv.gz`; UTF-8, commas, a header line) or a Parquet file; every cell is text.

    Args:
        path: The file.
        only: Columns whose cells are kept, all where None; tables of hundreds of thousands of rows fill the memory.
        what: What wants these columns, for errors.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no header, no rows, one column name twice, not one of `only`, or rows of another length
            than the header; all of these rows are named. Of Parquet: if it can't be read, or a cell is no text, number
            or truth value.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path} (looked in {path.resolve().parent}). Check the path.")
    if path.suffix == ".parquet":
        table = _read_parquet(path)
        table.require(only or (), what)
        return table
    content = path.read_bytes()
    try:
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise ValueError(f"{path} cannot be read as text: {error}. Save it as CSV in UTF-8.") from error
    lines = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip() for name in next(lines, [])]
    columns = tuple(filter(None, header))  # trailing commas make columns without a name
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if not columns or twice:
        raise ValueError(f"{path}: " + (f"column {twice[0]!r} is there twice." if twice else "the file is empty."))
    if only is not None:
        Table(path, columns, ()).require(only, what)
    kept = [(place, name) for place, name in enumerate(header) if name and (only is None or name in only)]
    rows, errors = [], []
    for cells in lines:
        if not cells:  # an empty line
            continue
        if len(cells) != len(header):
            errors.append(
                f"{path}, line {lines.line_num}: {len(cells)} cells under {len(header)} columns. "
                "A text with commas or line breaks needs quotes."
            )
            continue
        rows.append(Row(lines.line_num, {name: cells[place].strip() for place, name in kept}))
    if errors:
        raise ValueError(listed(errors))
    if not rows:
        raise ValueError(f"{path} has a header but no rows. A manifest needs at least one.")
    return Table(path, columns, tuple(rows))


def listed(errors: Sequence[str], head: str = "") -> str:
    """One message of several errors, each on a line of its own under `head`."""
    if len(errors) == 1 and not head:
        return errors[0]
    more = [f"and {len(errors) - LISTED} more."] if len(errors) > LISTED else []
    return "\n- ".join([head or f"{len(errors)} errors:", *errors[:LISTED], *more])


def _read_parquet(path: Path) -> Table:
    try:
        frame = pd.read_parquet(path)
    except (ValueError, OSError) as error:  # pyarrow's own are of these kinds
        raise ValueError(f"{path} cannot be read as Parquet: {error}. Write it again, or save it as CSV.") from error
    columns = tuple(str(name).strip() for name in frame.columns)
    if not columns or frame.empty:
        raise ValueError(f"{path} has no rows. A manifest needs at least one.")
    rows, errors = [], []
    for number, values in enumerate(frame.itertuples(index=False, name=None), start=1):
        cells = {name: _text(value) for name, value in zip(columns, values, strict=True)}
        wrong = [name for name, cell in cells.items() if cell is None]
        errors += [f"{path}, row {number}: column {name!r} holds no text, number or truth value." for name in wrong]
        rows.append(Row(number, {name: cell or "" for name, cell in cells.items()}))
    if errors:
        raise ValueError(listed(errors))
    return Table(path, columns, tuple(rows))


def _text(value: Any) -> str | None:
    """A cell as CSV would have it; None for what has no such form."""
    if isinstance(value, str):
        return value.strip()
    if not pd.api.types.is_scalar(value):
        return None
    if pd.isna(value):
        return ""
    return str(int(value)) if pd.api.types.is_bool(value) else str(value)


def write_table(path: str | Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write a CSV file row by row, whole or not at all; a row's missing cells are empty."""
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
