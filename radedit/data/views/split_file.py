"""Splits in files, so that a split can be kept, shown and used again.

A CSV file, `patient_id,split` or `id,split`. The first line of the files written here has the hash of the sorted
patients, so that one that was cut or edited is noticed:

    # patients 9f86d081…
    patient_id,split
    p10000032,train
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from radedit.data.io.atomic import write_atomically
from radedit.data.io.table import escaped, unescaped
from radedit.data.views.splits import Part
from radedit.types import Dataset, Record

MARK, FORMER_MARK = "# patients ", "# subjects "


def write_split(path: str | Path, splits: Mapping[str, Sequence[Record]]) -> None:
    """Write which patient is in which split.

    Raises:
        ValueError: If a patient is in two.
    """
    split_of: dict[str, str] = {}
    for name, records in splits.items():
        _add(split_of, ((record.patient_id, name) for record in records), str(path))
    buffer = io.StringIO(newline="")
    buffer.write(f"{MARK}{patients_hash(split_of)}\n")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["patient_id", "split"])
    writer.writerows((escaped(patient), escaped(split)) for patient, split in sorted(split_of.items()))
    write_atomically(path, buffer.getvalue().encode())


def read_split(path: str | Path, records: Sequence[Record]) -> dict[str, list[Record]]:
    """Split `records` by a file.

    Args:
        path: The file. Its hash is checked where it has one and names patients.
        records: Those that the file does not name are in no split.

    Returns:
        Split → its records, in the order of `records`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file has other columns, was changed after it was written, puts a patient in two splits, or
            names none of the records.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path} (looked in {path.resolve().parent}). Check the path.")
    text = path.read_text(encoding="utf-8-sig")
    marked = text.startswith((MARK, FORMER_MARK))
    first, _, rest = text.partition("\n") if marked else ("", "", text)
    rows = [row for row in csv.reader(io.StringIO(rest, newline="")) if row]
    columns = [name.strip() for name in rows[0]] if rows else []
    columns = ["patient_id" if name == "subject_id" else name for name in columns]  # as it was called before
    key = next((name for name in ("patient_id", "id") if name in columns), None)
    if key is None or "split" not in columns or any(len(row) != len(columns) for row in rows):
        raise ValueError(f"{path} has the columns {columns}. Allowed are patient_id,split and id,split, and no gaps.")
    where, what = columns.index(key), columns.index("split")
    split_of: dict[str, str] = {}
    _add(split_of, ((unescaped(row[where].strip()), unescaped(row[what].strip())) for row in rows[1:]), str(path))
    if (
        marked
        and key == "patient_id"
        and first.removeprefix(MARK).removeprefix(FORMER_MARK).strip() != patients_hash(split_of)
    ):
        raise ValueError(
            f"{path} has other patients than when it was written: their hash is not the one in its first line. Restore "
            "the file; if you meant to change it, remove that line."
        )
    splits: dict[str, list[Record]] = {name: [] for name in dict.fromkeys(split_of.values())}
    patients: dict[str, str] = {}
    for record in records:
        name = split_of.get(record.patient_id if key == "patient_id" else record.id)
        if name is not None:
            splits[name].append(record)
            _add(patients, [(record.patient_id, name)], str(path))
    if not patients:
        raise ValueError(
            f"{path} names none of the {len(records)} records: its first {key} is {next(iter(split_of), '')!r}, theirs "
            f"{(records[0].patient_id if key == 'patient_id' else records[0].id)!r}."
        )
    return splits


def patients_hash(patients: Iterable[str]) -> str:
    """SHA-256 of the sorted patients, each followed by a line break; 64 hexadecimal digits."""
    return hashlib.sha256("".join(f"{patient}\n" for patient in sorted(set(patients))).encode()).hexdigest()


def _add(split_of: dict[str, str], pairs: Iterable[tuple[str, str]], place: str) -> None:
    for key, name in pairs:
        other = split_of.setdefault(key, name)
        if other != name:
            raise ValueError(f"{place}: {key!r} is in the splits {other!r} and {name!r}. A patient is in one.")


class FileSplit(Part):
    """One part of a data set, by a file; see `read_split`.

    Args:
        dataset: The whole.
        part: Which split of the file.
        file: The file.

    Raises:
        ValueError: If the file has no such split or no record of it is there, or see `read_split`.
    """

    def __init__(self, dataset: Dataset, part: str, file: str | Path) -> None:
        splits = read_split(file, dataset.records)
        if not splits.get(part):
            named = ", ".join(f"{name!r} ({len(records)} records)" for name, records in splits.items())
            raise ValueError(f"{file} puts no record into {part!r}. It has {named}.")
        rest = len(dataset.records) - sum(map(len, splits.values()))
        super().__init__(dataset, part, splits[part], {f"not in {Path(file).name}": rest} if rest else {})
