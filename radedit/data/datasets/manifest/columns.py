"""Which column of a manifest holds which of our nouns."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import PurePosixPath
from typing import Any, Self

from radedit.data.io.accents import is_printable
from radedit.types import Box, Record

FORMER_PATIENT = "subject_id"  # what manifests called `patient_id` before; read alike
NAMED = ("id", "patient_id", "image", "report")
PREFIXES = ("label_", "mask_", "box_", "attr_")
LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}  # tables that went through pandas have 1.0 beside empty cells


@dataclass(frozen=True)
class Columns:
    """Column names of a manifest; the defaults are our own format, see `radedit.data.datasets.manifest.manifest`.

    Attributes:
        id: Column of unique ids; None takes the image's file name without folder and extension.
        patient_id: Column of patients. A set without one may name its id column, if no patient is in it twice.
        image: Column of image files.
        report: Column of impressions or lists of findings; None if there is none.
        labels: Finding → column with 0, 1 or nothing; None takes every column `label_<finding>`.
        label_list: Column that lists the findings present, as `A|B` or `A; B`.
        label_words: Finding → its word in `label_list`; where empty, every word is a finding by its own name.
        unlisted_is_0: Whether `label_list`, where not empty, speaks of all of `label_words`, so that a finding
            that is not listed is absent. Otherwise it was not read.
        masks: Mask → column of mask files, empty cells for none; None takes every column `mask_<name>`.
        mask_list: Column that lists the names of further masks, as `label_list` does.
        mask_path: Where those are, with `{name}` and `{stem}` (the image's file name without folder and extension).
        boxes: Name → column of boxes, `x y width height` in px of the image, several parted by `;`, empty cells for
            none; None takes every column `box_<name>`.
        attributes: Attribute → column; None takes every column `attr_<name>`.
    """

    id: str | None = "id"
    patient_id: str = "patient_id"
    image: str = "image"
    report: str | None = "report"
    labels: Mapping[str, str] | None = None
    label_list: str | None = None
    label_words: Mapping[str, str] | None = None
    unlisted_is_0: bool = False
    masks: Mapping[str, str] | None = None
    mask_list: str | None = None
    mask_path: str = "masks/{name}/{stem}.png"
    boxes: Mapping[str, str] | None = None
    attributes: Mapping[str, str] | None = None

    @classmethod
    def of(cls, columns: Columns | Mapping[str, Any] | None) -> Self | Columns:
        """Columns from a mapping of these attributes, as a config has it."""
        if isinstance(columns, Columns):
            return columns
        columns = dict(columns or {})
        if FORMER_PATIENT in columns:
            columns["patient_id"] = columns.pop(FORMER_PATIENT)
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(columns) - set(known))
        if unknown:
            raise ValueError(f"columns has the key {unknown[0]!r}. Allowed are {', '.join(known)}.")
        if columns.get("unlisted_is_0") and not columns.get("label_words"):
            raise ValueError("columns.unlisted_is_0 needs columns.label_words: which labels does the list speak of?")
        return cls(**columns)

    def within(self, header: Sequence[str]) -> Columns:
        """These columns with everything that is found by prefix looked up in a file's `header`."""
        found = {
            prefix: {name.removeprefix(prefix): name for name in header if name.startswith(prefix)}
            for prefix in PREFIXES
        }
        former = self.patient_id == "patient_id" not in header and FORMER_PATIENT in header
        return Columns(
            **{
                **{field.name: getattr(self, field.name) for field in fields(self)},
                "patient_id": FORMER_PATIENT if former else self.patient_id,
                # Our own format may leave out what was not written; a column that the user named must be there.
                "report": None if self.report == "report" and "report" not in header else self.report,
                "labels": found["label_"] if self.labels is None else self.labels,
                "masks": found["mask_"] if self.masks is None else self.masks,
                "boxes": found["box_"] if self.boxes is None else self.boxes,
                "attributes": found["attr_"] if self.attributes is None else self.attributes,
            }
        )

    @property
    def named(self) -> list[str]:
        """All columns that a file must have."""
        single = [self.id, self.patient_id, self.image, self.report, self.label_list, self.mask_list]
        several = [(each or {}).values() for each in (self.labels, self.masks, self.boxes, self.attributes)]
        return [name for name in [*single, *chain(*several)] if name]

    def record(self, cells: Mapping[str, str]) -> Record:
        """The record that a row describes, once `errors` has found none in it."""
        return Record(
            id=self.id_in(cells),
            patient_id=cells[self.patient_id],
            labels=self._labels(cells),
            report=cells[self.report] if self.report else "",
            attributes={name: cells[column] for name, column in (self.attributes or {}).items()},
        )

    def id_in(self, cells: Mapping[str, str]) -> str:
        """The id of a row; empty where it has none."""
        return cells[self.id] if self.id else self._stem(cells)

    def errors(self, cells: Mapping[str, str]) -> list[str]:
        """All that is wrong with a row.

        That is an empty id, patient or image, an id that can't be printed, labels that are not 0, 1 or empty, and boxes
        that are none.
        """
        found = [
            f"column {column!r} is empty. Every row needs an id, a patient and an image."
            for column in filter(None, (self.id, self.patient_id, self.image))
            if not cells[column]
        ]
        id_ = self.id_in(cells)
        if id_ and not is_printable(id_):
            found.append(f"the id is {id_!r}. Allowed are characters that can be printed, and not dots alone.")
        found += [
            f"column {column!r} has the label {cells[column]!r}. Allowed are 0, 1, and nothing where it was not read; "
            "decide uncertain labels first, or set columns.labels to the columns that are labels."
            for column in (self.labels or {}).values()
            if cells[column] and cells[column] not in LABELS
        ]
        for column in (self.boxes or {}).values():
            try:
                boxes_in(cells[column])
            except ValueError as error:
                found.append(f"column {column!r} has {cells[column]!r}: {error}")
        return found

    def own_boxes(self, cells: Mapping[str, str]) -> dict[str, list[Box]]:
        """Boxes by name, for those that the row has."""
        return {name: boxes_in(cells[column]) for name, column in (self.boxes or {}).items() if cells[column]}

    def mask_files(self, cells: Mapping[str, str]) -> dict[str, str]:
        """Mask → file as written in the row, for the masks that the row has."""
        files = {name: cells[column] for name, column in (self.masks or {}).items() if cells[column]}
        if self.mask_list:
            for name in filter(None, words(cells[self.mask_list])):
                files[name] = self.mask_path.format(name=name, stem=self._stem(cells))
        return files

    def _stem(self, cells: Mapping[str, str]) -> str:
        return PurePosixPath(cells[self.image].replace("\\", "/")).stem

    def _labels(self, cells: Mapping[str, str]) -> dict[str, int]:
        labels = {}
        if self.label_list and cells[self.label_list]:
            listed = words(cells[self.label_list])
            for finding, word in (self.label_words or {word: word for word in listed}).items():
                if word in listed:
                    labels[finding] = 1
                elif self.unlisted_is_0:
                    labels[finding] = 0
        for finding, column in (self.labels or {}).items():
            if cells[column]:
                labels[finding] = LABELS[cells[column]]
        return labels


def boxes_in(cell: str) -> list[Box]:
    """Boxes of a cell, `x y width height`, several parted by `;`.

    Raises:
        ValueError: If one is not four finite numbers, or has no area.
    """
    return [a_box(text.split()) for text in cell.split(";") if text.strip()]


def a_box(texts: Sequence[str]) -> Box:
    """A box of four texts: left, top, width, height.

    Raises:
        ValueError: If they are not four finite numbers, or it has no area.
    """
    try:
        box = Box(*map(float, texts))
    except (TypeError, ValueError):
        box = Box(math.nan, math.nan, math.nan, math.nan)
    if not all(map(math.isfinite, box)) or box.width <= 0 or box.height <= 0:
        raise ValueError(
            f"box {', '.join(texts)}. Allowed are four numbers of px: left, top, and a width and height above 0."
        )
    return box


def words(cell: str) -> list[str]:
    """The words of a list such as `A|B` or `A; B`; of an empty cell, one empty word."""
    return [word.strip() for word in re.split(r"[|;]", cell)]


def manifest_cells(row: Mapping[str, Any]) -> dict[str, str]:
    """The cells in our own format of a row that has its column names as keys; other keys are left out.

    Raises:
        ValueError: If the id or patient is no text or empty, a label is not 0, 1 or None, or another value is not
            text, a number, a truth value or None.
    """
    cells = {}
    for key, value in row.items():
        if key not in NAMED and not key.startswith(PREFIXES):
            continue
        value = int(value) if isinstance(value, bool) else value
        if not isinstance(value, str | int | float | None):
            raise ValueError(f"{key} is {value!r} ({type(value).__name__}). Allowed are text, numbers and None.")
        cells[key] = "" if value is None else str(value)
        if key.startswith("label_") and cells[key] not in {"", *LABELS}:
            raise ValueError(f"{key} is {value!r}. Allowed are 0, 1 and None.")
    for key in ("id", "patient_id"):
        value = row.get(key)
        if not isinstance(value, str) or not value or value != value.strip():
            raise ValueError(f"{key} is {value!r}. Allowed is text without blanks around it.")
    return cells


def record_row(record: Record) -> dict[str, str | int]:
    """What is known of a record, under the column names of our own format."""
    return {
        "id": record.id,
        "patient_id": record.patient_id,
        "report": record.report,
        **{f"label_{finding}": value for finding, value in record.labels.items()},
        **{f"attr_{name}": value for name, value in record.attributes.items()},
    }


def manifest_columns(rows: Iterable[Mapping[str, str]]) -> list[str]:
    """The columns that `rows` have between them, in the order in which our own format is written."""
    present = {name for row in rows for name in row}
    prefixed = [sorted(name for name in present if name.startswith(prefix)) for prefix in PREFIXES]
    return [name for name in NAMED if name in present] + [name for group in prefixed for name in group]
