"""Any data set that comes with a manifest, CSV or Parquet, ours or another's.

Our own format, which a stress set is written in and a user can bring: one row per image,

| column | holds |
|---|---|
| `id` | unique name; noise streams are bound to it |
| `patient_id` | patient; splits never share one, statistics resample them |
| `image` | PNG, JPEG or DICOM file; each is listed once |
| `report` | impression, or a list of findings (optional) |
| `label_<finding>` | 0, 1, or nothing where it was not read (any number of these) |
| `mask_<name>` | file of the image's size, or nothing (any number): see `radedit.data.mask_formats.source` |
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
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from radedit.data.datasets.manifest.box_table import BoxTable, box_table, check_boxes
from radedit.data.datasets.manifest.columns import Columns, words
from radedit.data.image.files import read_image
from radedit.data.image.lungs import add_lungs
from radedit.data.io.accents import find_file
from radedit.data.io.file_hash import file_hashes
from radedit.data.io.fingerprint import content_hash
from radedit.data.io.table import Row, Table, listed, read_table
from radedit.data.mask_formats.label_map import LabelNames
from radedit.data.mask_formats.label_map import label_names as named_numbers
from radedit.data.mask_formats.place import MisplacedError, Place
from radedit.data.mask_formats.source import MaskSource
from radedit.types import Box, Record, Sample

logger = logging.getLogger(__name__)


class _Files(NamedTuple):
    image: Path
    masks: dict[str, MaskSource]
    boxes: dict[str, list[Box]]

    @property
    def paths(self) -> list[Path]:
        return [self.image, *(mask.file for mask in self.masks.values() if mask.file)]


class ManifestDataset:
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
        label_names: Which numbers of label maps are which structure: a mapping, or a file beside the manifest; see
            `radedit.data.mask_formats.label_map.label_names`.
        split_lungs: Whether to derive the masks `left_lung` and `right_lung` from `lungs`, where there is one; see
            `radedit.data.image.lungs.add_lungs`.
        check_sizes: Whether to look at the header of every image and mask now. Rows with one that cannot be read are
            left out, counted and named in the log; a mask of another size than its image is an error. Else both are
            errors of their record when that is loaded.

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
        label_names: str | Path | Mapping[str, int | Sequence[int]] | None = None,
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
            names = named_numbers(label_names, table.path.parent)
            for row in table.rows:
                place, id_ = table.place(row), found.id_in(row.cells)
                wrong = found.errors(row.cells)
                if id_ and (first := self._places.setdefault(id_, place)) != place:
                    wrong.append(f"id {id_!r} is also at {first}. Ids are unique.")
                files = _files(row, found, table, names)
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
        damaged = _check_files(listing, errors, ", ".join(map(str, paths)), check_sizes)
        if damaged:
            self._leave_out(damaged)

    def _leave_out(self, damaged: Mapping[str, str]) -> None:
        """Drop the rows at these places, whose files cannot be read."""
        logger.warning(
            "%s", listed([*damaged.values()], f"{len(damaged)} of {len(self._records)} images are left out:")
        )
        self._records = [record for record in self._records if self._places[record.id] not in damaged]
        self.excluded["the image or a mask cannot be read"] += len(damaged)
        if not self._records:
            raise ValueError(listed([*damaged.values()], "No image is left, as none can be read:"))

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

    @cached_property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes: rows, and what the files hold, wherever they lie.

        Files that were read before and are as they were are not read again, see `radedit.data.io.file_hash`.
        """
        chosen = [self._files[record.id] for record in self._records]
        digests = file_hashes(path for files in chosen for path in files.paths)
        rows = []
        for record, files in zip(self._records, chosen, strict=True):
            masks = {
                name: mask.fingerprint(digests[mask.file] if mask.file else "") for name, mask in files.masks.items()
            }
            held = {"": digests[files.image], **masks}
            rows.append({"record": record, "image": files.image.name, "files": held, "boxes": files.boxes})
        return {"manifest": content_hash(rows), "split_lungs": self.split_lungs}

    def same_files(self) -> list[list[Record]]:
        """Records whose images are the same, byte for byte, two or more in each list."""
        digests = file_hashes(self._files[record.id].image for record in self._records)
        held: dict[str, list[Record]] = {}
        for record in self._records:
            held.setdefault(digests[self._files[record.id].image], []).append(record)
        return [records for records in held.values() if len(records) > 1]

    def load(self, record: Record) -> Sample:
        """Read one record's pixels and masks, in the image's own geometry.

        Raises:
            ValueError: If the record is not of this set, a file cannot be read, a mask does not match its image or
                marks what the label says is not there, or its lungs cannot be distinguished.
        """
        if record.id not in self._files:
            raise ValueError(f"Record {record.id!r} is not in this set of {len(self._records)}. Take it from .records.")
        files = self._files[record.id]
        try:
            image, notes = read_image(files.image)
            size = (image.shape[-2], image.shape[-1])
            for name, boxes in files.boxes.items():
                check_boxes(name, boxes, size)
            masks = {name: mask.read(files.image, size) for name, mask in files.masks.items()}
            _require_agreement(record, masks)
            sample = Sample(record, image, masks, files.boxes)
            sample = add_lungs(sample) if self.split_lungs else sample
        except (ValueError, OSError) as error:
            raise ValueError(f"Record {record.id!r}: {error}") from error
        for note in notes:
            logger.info("%s: %s", record.id, note)
        return sample


def _require_agreement(record: Record, masks: Mapping[str, Tensor]) -> None:
    """See that no mask marks a finding that the label says is absent: one of the two is wrong."""
    for name, mask in masks.items():
        if record.labels.get(name) == 0 and mask.any():
            raise ValueError(
                f"{name} is labelled 0, but its mask marks {100 * float(mask.float().mean()):.1f} % of the image. "
                "Correct what is wrong of the two, or leave its cell empty."
            )


def _files(row: Row, columns: Columns, table: Table, names: LabelNames) -> _Files:
    folder, image = table.path.parent, row.cells[columns.image]
    masks = {
        name: MaskSource.of(cell, folder, name, image, names) for name, cell in columns.mask_files(row.cells).items()
    }
    return _Files(find_file(folder / image), masks, {})


def _check_files(
    listing: Sequence[tuple[str, _Files]], errors: list[str], manifests: str, check_sizes: bool
) -> dict[str, str]:
    """Look for all files, and raise what is wrong with them together with the errors found before.

    Returns:
        Place → why a file of it cannot be read, where their headers were to be looked at.
    """
    wanted: dict[Path, str] = {}
    for place, files in listing:
        for file in files.paths:
            wanted.setdefault(file, place)
    missing = {file: f"{place}: there is no file {file}" for file, place in wanted.items() if not file.is_file()}
    if missing and not errors:
        head = f"{len(missing)} of {len(wanted)} files named by {manifests} are missing."
        raise FileNotFoundError(listed([*missing.values()], f"{head} Files are relative to the manifest's folder."))
    damaged: dict[str, str] = {}
    if check_sizes:
        there = [entry for entry in listing if not missing.keys() & set(entry[1].paths)]
        for place, files in there:
            try:
                errors += [f"{place}: {error}" for error in _misplaced(files)]
            except (ValueError, OSError) as error:
                damaged[place] = f"{place}: {error}"
    if errors or missing:
        raise ValueError(listed([*errors, *missing.values()]))
    return damaged


def _misplaced(files: _Files) -> Iterator[str]:
    """What is wrong with masks that can be read and do not lie on their image."""
    place = Place.of(files.image)
    for name, mask in files.masks.items():
        try:
            mask.check(place)
        except MisplacedError as error:
            yield f"mask {name}: {error}"


def _reason_to_leave_out(
    cells: Mapping[str, str],
    masks: Mapping[str, MaskSource],
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
