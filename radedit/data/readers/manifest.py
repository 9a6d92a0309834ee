"""Any data set that comes with a manifest, CSV or Parquet, ours or another's.

Our own format, which a stress set is written in and a user can bring: one row per image,

| column | holds |
|---|---|
| `id` | unique name; noise streams are bound to it |
| `subject_id` | patient; splits never share one, statistics resample them |
| `image` | PNG, JPEG or DICOM file; each is listed once |
| `report` | impression, or a list of findings (optional) |
| `label_<finding>` | 0, 1, or nothing where it was not read (any number of these) |
| `mask_<name>` | PNG file of the image's size, or nothing (any number) |
| `box_<name>` | `x y width height` in pixels of the image, several parted by `;`, or nothing (any number) |
| `attr_<name>` | anything to select or report by: view, hospital, source, licence, … (any number) |

Files are relative to the manifest's folder. Boxes may instead stand in a second table, `id,name,x,y,width,height`. A
file with other column names is read by naming them in `columns`. Findings and masks have our names (snake_case:
`pneumothorax`, `drain`, `covid`, `right_lung`, `left_lung`, the patient's sides; boxes of COVID-19: `opacities`).

Everything that is wrong with a manifest is named at once, each with its row: cells, ids and images that are there
twice, files that are missing, and masks of another size than their image.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from radedit.data.box_table import BoxTable, box_table
from radedit.data.columns import Columns, words
from radedit.data.fingerprint import content_hash
from radedit.data.images import picture_size, read_image, read_mask
from radedit.data.lungs import add_lungs
from radedit.data.table import Row, Table, listed, read_table
from radedit.types import Box, Record, Sample

logger = logging.getLogger(__name__)


class _Files(NamedTuple):
    image: Path
    masks: dict[str, Path]
    boxes: dict[str, list[Box]]


class ManifestReader:
    """Images, masks, boxes and labels listed in one or several CSV or Parquet files.

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
        check_sizes: Whether to compare the size of every mask with its image's now, by the files' headers; else one
            that differs is an error of its record when that is loaded.

    Attributes:
        excluded: Reason → number of rows left out.

    Raises:
        FileNotFoundError: If a manifest, image or mask is missing.
        ValueError: If a table is empty or lacks a column; if cells, ids or sizes of masks are wrong, all of which are
            named; or if the filters leave nothing.
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
        check_sizes: bool = False,
    ) -> None:
        self.split_lungs = split_lungs
        self.excluded: Counter[str] = Counter()
        self._records: list[Record] = []
        self._files: dict[str, _Files] = {}
        self._places: dict[str, str] = {}
        listing: list[tuple[str, _Files]] = []  # where, and what a row names
        errors: list[str] = []
        images: dict[Path, str] = {}
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
                place, id_ = table.place(row), found.id_in(row.cells)
                wrong = found.errors(row.cells)
                if id_ and (first := self._places.setdefault(id_, place)) != place:
                    wrong.append(f"id {id_!r} is also at {first}. Ids are unique.")
                files = _files(row, found, table)
                reason = _reason_to_leave_out(row.cells, files.masks, where or {}, exclude or {}, require)
                if reason is None:
                    listing.append((place, files))
                    if (first := images.setdefault(files.image, place)) != place:
                        wrong.append(f"image {files.image} is also at {first}. Each is listed once.")
                else:
                    self.excluded[reason] += 1
                errors += [f"{place}: {error}" for error in wrong]
                if reason is None and not wrong:
                    own = drawn.get(row.cells[drawings.key], {}) if drawings else {}
                    self._records.append(found.record(row.cells))
                    self._files[id_] = files._replace(boxes={**found.own_boxes(row.cells), **own})
        if not listing and not errors:
            reasons = "; ".join(f"{count} rows: {reason}" for reason, count in self.excluded.items())
            raise ValueError(f"No row of {', '.join(map(str, paths))} is left ({reasons}). Loosen the filters.")
        _check_files(listing, errors, ", ".join(map(str, paths)), check_sizes)

    @property
    def records(self) -> Sequence[Record]:
        """The rows that the filters left, in the order of the files."""
        return self._records

    def drawn(self, record: Record) -> tuple[set[str], set[str]]:
        """Names of the masks and of the boxes that a record has, without loading it."""
        files = self._files[record.id]
        masks = set(files.masks)
        return masks | ({"left_lung", "right_lung"} if self.split_lungs and "lungs" in masks else set()), set(
            files.boxes
        )

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


def _files(row: Row, columns: Columns, table: Table) -> _Files:
    folder = table.path.parent
    masks = {name: folder / file for name, file in columns.mask_files(row.cells).items()}
    return _Files(folder / row.cells[columns.image], masks, {})


def _check_files(listing: Sequence[tuple[str, _Files]], errors: list[str], manifests: str, check_sizes: bool) -> None:
    """Look for all files, and raise what is wrong with them together with the errors found before."""
    wanted: dict[Path, str] = {}
    for place, files in listing:
        for file in (files.image, *files.masks.values()):
            wanted.setdefault(file, place)
    missing = {file: f"{place}: there is no file {file}" for file, place in wanted.items() if not file.is_file()}
    if missing and not errors:
        head = f"{len(missing)} of {len(wanted)} files named by {manifests} are missing."
        raise FileNotFoundError(listed([*missing.values()], f"{head} Files are relative to the manifest's folder."))
    if check_sizes:
        there = [entry for entry in listing if not missing.keys() & {entry[1].image, *entry[1].masks.values()}]
        errors = [*errors, *_wrong_sizes(there)]
    if errors or missing:
        raise ValueError(listed([*errors, *missing.values()]))


def _wrong_sizes(listing: Sequence[tuple[str, _Files]]) -> Iterator[str]:
    for place, files in listing:
        try:
            height, width = picture_size(files.image) if files.masks else (0, 0)
            for name, file in files.masks.items():
                found = picture_size(file)
                if found != (height, width):
                    yield f"{place}: mask {name} is {found[1]}×{found[0]} but its image is {width}×{height}."
        except ValueError as error:
            yield f"{place}: {error}"


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
