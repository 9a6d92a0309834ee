"""Any data set that comes with a CSV manifest, ours or another's.

Our own format, which a stress set is written in and a user can bring: one row per image,

| column | holds |
|---|---|
| `id` | unique name; noise streams are bound to it |
| `subject_id` | patient; splits never share one, statistics resample them |
| `image` | PNG, JPEG or DICOM file |
| `report` | impression, or a list of findings (optional) |
| `label_<finding>` | 0, 1, or nothing where it was not read (any number of these) |
| `mask_<name>` | PNG file of the image's size, or nothing (any number) |
| `attr_<name>` | anything to select or report by: view, hospital, source, licence, … (any number) |

Files are relative to the manifest's folder. Boxes may stand in a second table, `id,name,x,y,width,height` in pixels
of the image. A file with other column names is read by naming them in `columns`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from radedit.data.box_table import BoxTable, box_table
from radedit.data.columns import Columns, words
from radedit.data.fingerprint import content_hash
from radedit.data.images import read_image, read_mask
from radedit.data.lungs import add_lungs
from radedit.data.table import Row, Table, read_table
from radedit.types import Box, Record, Sample

logger = logging.getLogger(__name__)


class _Files(NamedTuple):
    image: Path
    masks: dict[str, Path]
    boxes: dict[str, list[Box]]


class ManifestReader:
    """Images, masks, boxes and labels listed in one or several CSV files.

    Everything that can be checked without opening images is checked at construction.

    Args:
        path: The manifest, or several that are read as one set.
        root: Folder that `path` is relative to; the working directory where None.
        columns: Where the manifest has what, as attributes of `Columns`; our own format where None.
        boxes: A table of boxes beside each manifest, as attributes of `BoxTable`; none where None.
        where: Column → allowed values, one or several; rows with another are left out. In a list cell (`A|B`, `A; B`)
            one word has to match. `*` and `?` are wildcards, so `?*` means any value.
        exclude: Column → values, as for `where`; rows with one of them are left out.
        require: Names of masks; rows without one of them are left out.
        split_lungs: Whether to derive the masks `left_lung` and `right_lung` from `lungs`, where there is one; see
            `radedit.data.lungs.add_lungs`.

    Attributes:
        excluded: Reason → number of rows left out.

    Raises:
        FileNotFoundError: If a manifest, image or mask is missing.
        ValueError: If a table is empty, lacks a column, has an id twice or a label that is not 0 or 1, or if the
            filters leave nothing.
    """

    def __init__(
        self,
        path: str | Path | Sequence[str | Path],
        *,
        root: str | Path | None = None,
        columns: Columns | Mapping[str, Any] | None = None,
        boxes: BoxTable | Mapping[str, str] | None = None,
        where: Mapping[str, str | Sequence[str]] | None = None,
        exclude: Mapping[str, str | Sequence[str]] | None = None,
        require: Sequence[str] = (),
        split_lungs: bool = False,
    ) -> None:
        self.split_lungs = split_lungs
        self.excluded: Counter[str] = Counter()
        self._records: list[Record] = []
        self._files: dict[str, _Files] = {}
        places: dict[str, str] = {}
        drawings = box_table(boxes)
        paths = [path] if isinstance(path, str | Path) else list(path)
        if not paths:
            raise ValueError("path is an empty list. Name at least one manifest.")
        for name in paths:
            table = read_table(Path(root or ".") / name)
            table.require([*(where or {}), *(exclude or {})], "where or exclude")
            found = Columns.of(columns).within(table.columns)
            table.require(found.named, "columns")
            drawn = drawings.read(table) if drawings else {}
            for row in table.rows:
                place = f"{table.path}, line {row.line}"
                record, files = _parse(row, found, table, place)
                if record.id in places:
                    raise ValueError(f"{place}: id {record.id!r} is also at {places[record.id]}. Ids are unique.")
                places[record.id] = place
                reason = _reason_to_leave_out(row.cells, files.masks, where or {}, exclude or {}, require)
                if reason:
                    self.excluded[reason] += 1
                    continue
                self._records.append(record)
                own = drawn.get(row.cells[drawings.key], {}) if drawings else {}
                self._files[record.id] = files._replace(boxes=own)
        self._check(paths)

    @property
    def records(self) -> Sequence[Record]:
        """The rows that the filters left, in the order of the files."""
        return self._records

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes: rows, and files by name and size, wherever they lie.

        A picture that is replaced in place by one of as many bytes goes unnoticed; reading all would take too long.
        """
        rows = []
        for record in self._records:
            files = self._files[record.id]
            sizes = {name: file.stat().st_size for name, file in {"": files.image, **files.masks}.items()}
            rows.append({"record": record, "image": files.image.name, "bytes": sizes, "boxes": files.boxes})
        return {"manifest": content_hash(rows), "split_lungs": self.split_lungs}

    def load(self, record: Record) -> Sample:
        """Read one record's pixels and masks, in the image's own geometry.

        Raises:
            ValueError: If the record is not of this set, a file cannot be read, a mask does not match its image, or
                its lungs cannot be told apart.
        """
        if record.id not in self._files:
            raise ValueError(f"Record {record.id!r} is not in this set of {len(self._records)}. Take it from .records.")
        files = self._files[record.id]
        try:
            image, notes = read_image(files.image)
            size = (image.shape[-2], image.shape[-1])
            masks = {name: read_mask(path, size) for name, path in files.masks.items()}
            sample = Sample(record, image, masks, files.boxes)
            sample = add_lungs(sample) if self.split_lungs else sample
        except (ValueError, OSError) as error:
            raise ValueError(f"Record {record.id!r}: {error}") from error
        for note in notes:
            logger.info("%s: %s", record.id, note)
        return sample

    def _check(self, paths: Sequence[str | Path]) -> None:
        if not self._records:
            reasons = "; ".join(f"{count} rows: {reason}" for reason, count in self.excluded.items())
            raise ValueError(f"No row of {', '.join(map(str, paths))} is left ({reasons}). Loosen the filters.")
        wanted = {file: None for files in self._files.values() for file in (files.image, *files.masks.values())}
        missing = [file for file in wanted if not file.is_file()]
        if missing:
            raise FileNotFoundError(
                f"{len(missing)} of {len(wanted)} files named by {', '.join(map(str, paths))} are missing: "
                f"{', '.join(map(str, missing[:3]))}{', …' if len(missing) > 3 else ''}. "
                "Files are relative to the manifest's folder."
            )


def _parse(row: Row, columns: Columns, table: Table, place: str) -> tuple[Record, _Files]:
    try:
        record = columns.record(row.cells)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
    folder = table.path.parent
    masks = {name: folder / file for name, file in columns.mask_files(row.cells).items()}
    return record, _Files(folder / row.cells[columns.image], masks, {})


def _reason_to_leave_out(
    cells: Mapping[str, str],
    masks: Mapping[str, Path],
    where: Mapping[str, str | Sequence[str]],
    exclude: Mapping[str, str | Sequence[str]],
    require: Sequence[str],
) -> str | None:
    for column, patterns in where.items():
        if not _matches(cells[column], patterns):
            return f"{column} is not {_said(patterns)}"
    for column, patterns in exclude.items():
        if _matches(cells[column], patterns):
            return f"{column} is {_said(patterns)}"
    missing = [name for name in require if name not in masks]
    return f"no mask {missing[0]}" if missing else None


def _matches(cell: str, patterns: str | Sequence[str]) -> bool:
    return any(fnmatchcase(word, pattern) for word in {cell, *words(cell)} for pattern in _listed(patterns))


def _listed(patterns: str | Sequence[str]) -> list[str]:
    several = isinstance(patterns, Sequence) and not isinstance(patterns, str)
    return [str(pattern) for pattern in (patterns if several else [patterns])]  # YAML reads 1 as a number


def _said(patterns: str | Sequence[str]) -> str:
    return " or ".join(pattern or "empty" for pattern in _listed(patterns))
