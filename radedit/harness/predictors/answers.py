"""The answers of a product that can't be loaded, to images that were given away blinded, as a predictor under test."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from radedit.data.blinded.dicom_write import WHITE
from radedit.data.blinded.key import DIGITS, EXPORT, Item, Key, digest_of, levels_of, read_key
from radedit.data.image.files import read_image
from radedit.data.io.fingerprint import content_hash
from radedit.data.io.table import Table, read_table
from radedit.data.mask_formats.source import MaskSource
from radedit.harness.predictors.classify import TestedModel
from radedit.harness.predictors.own_model import KEY
from radedit.models.adapters.declared import Output
from radedit.models.predictors import Prediction
from radedit.types import Dataset

UIDS = {"sop_instance_uid", "study_instance_uid"}
NAMES = ("id", "sop_instance_uid", "study_instance_uid", "file")  # columns that may name the image
GREY_LEVEL = WHITE / 255
ALLOWED = {"probability": "a number from 0 to 1", "label": "0 or 1"}


@dataclass(frozen=True)
class Answers:
    """A table of answers as read, and the key that it is to; what they mean is known later.

    Attributes:
        table: One row an image.
        rows: Id of an item → its cells.
        key: Of the export.
        folder: That was given away, or what is left of it; for images that another machine preprocesses.
    """

    table: Table
    rows: Mapping[str, Mapping[str, str]]
    key: Key
    folder: Path

    def image(self, item: Item) -> Path:
        """Its file, where it was when it was given away."""
        return next(iter(self.folder.glob(f"*/{item.file}")), self.folder / item.file)

    def refused(self, what: str) -> ValueError:
        """An error that names the table."""
        return ValueError(f"{self.table.path}: {what}")


def read_answers(path: str | Path, key: str | Path) -> Answers:
    """Read a table of answers, and see that it has one for each image of the key.

    An image is named by its id, file, SOP Instance UID or Study Instance UID, in a column `id`, `sop_instance_uid`,
    `study_instance_uid` or `file`. Where there are several, those that are known must name the same one, and UIDs
    must be known; an `id` or `file` of the product's own is passed over then.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If it is no table, is of another export, names an image that is not in the key, names one twice, or
            leaves one out.
    """
    key_file = Path(key).expanduser()
    blinded, table = read_key(key_file), read_table(Path(path).expanduser())
    names = {name: item.id for item in blinded.items for name in item.names}
    columns = [column for column in NAMES if column in table.columns]
    rows: dict[str, Mapping[str, str]] = {}
    found = Answers(table, rows, blinded, key_file.parent)
    if not columns:
        raise found.refused(f"no column names the images. Expected {' or '.join(NAMES)}; it has {_all(table.columns)}.")
    lines: dict[str, int] = {}
    for row in table.rows:
        said = {column: row.cells[column] for column in columns if row.cells[column]}
        unknown = [column for column, name in said.items() if name not in names]
        if unknown and (
            len(unknown) == len(said) or set(unknown) & UIDS
        ):  # a product may have ids and paths of its own
            column = next((column for column in unknown if column in UIDS), unknown[0])
            raise found.refused(
                f"{table.unit} {row.line} answers for {column} {said[column]!r}, which was not exported. Known are "
                f"{blinded.items[0].id} to {blinded.items[-1].id}, and their files and UIDs."
            )
        meant = {names[name] for name in said.values() if name in names}
        if len(meant) != 1:
            all_of = ", ".join(f"{column} {name}" for column, name in said.items()) or "no image"
            raise found.refused(f"{table.unit} {row.line} must name one image, but names {all_of}.")
        if (of := row.cells.get(EXPORT)) and of != blinded.hash[:DIGITS]:
            raise found.refused(f"{table.unit} {row.line} is of export {of}, but the key of {blinded.hash[:DIGITS]}.")
        (id_,) = meant
        if id_ in rows:
            raise found.refused(f"{id_} is answered twice, in {table.unit}s {lines[id_]} and {row.line}.")
        rows[id_], lines[id_] = row.cells, row.line
    if missing := [item.id for item in blinded.items if item.id not in rows]:
        raise found.refused(f"{len(missing)} of {len(blinded.items)} images have no answer, e.g. {missing[0]}.")
    return found


class AnswersModel:
    """A product, known by its answers. It knows an image by its pixels, and so never learns whether it was edited.

    Args:
        answers: From `read_answers`.
        label: The finding that it detects, by columns `probability` (0…1) or `label` (0 or 1), or both, which must
            agree; None if it draws masks.
        masks: What it draws: of each a column `mask_<name>` with what a manifest may name as a mask, such as a PNG or a
            DICOM segmentation, relative to the table; see `radedit.data.mask_formats.source`.
        threshold: Probability from which on it calls the finding present.

    Raises:
        ValueError: If a column is missing, or a value is not allowed.
        FileNotFoundError: If a mask is not there.
    """

    def __init__(
        self, answers: Answers, *, label: str | None, masks: Sequence[str] = (), threshold: float = 0.5
    ) -> None:
        self.answers, self.key, self.label, self.masks = answers, answers.key, label, tuple(masks)
        self.output = Output(kind="probability", threshold=threshold)
        self._probabilities = {} if self.masks else self._numbers()
        if self.masks:
            answers.table.require([f"mask_{name}" for name in self.masks], "predictor.masks")
            for item in self.key.items:  # all of them now, before long work
                self._drawn(item)
        self._items = {item.digest: item for item in self.key.items}

    @cached_property
    def hash(self) -> str:
        """Names the answers, and the images that they are to."""
        given: Mapping[str, object] = self._probabilities or {i.id: _sha(self._drawn(i)) for i in self.key.items}
        return content_hash([self.key.hash, given, self.label, self.masks, self.output.threshold])

    def predict(self, images: Tensor) -> Prediction:
        """Its answers, with the threshold at 0.5.

        Args:
            images: Grey levels in [0, 1], shape (B, 1, H, W), each of which was exported.

        Raises:
            ValueError: If one was not.
        """
        items = [self._item(image) for image in images]
        if self.masks:
            return Prediction(None, torch.stack([self._drawn(item) for item in items]).float())
        numbers = torch.tensor([self._probabilities[item.id] for item in items], dtype=torch.float64)
        return Prediction(self.output.centred(numbers).float(), None)

    def _item(self, image: Tensor) -> Item:
        item = self._items.get(digest_of(image))
        if item is None and self._exported is not None and self._exported.shape[1:] == image.shape[1:]:
            # Another machine rounds otherwise when it resizes: the nearest that is nowhere off by a grey level.
            off = np.abs(self._exported - levels_of(image).astype(np.int32))
            near = np.flatnonzero(off.max((1, 2)) <= GREY_LEVEL)
            if len(near):
                item = self.key.items[near[off[near].mean((1, 2)).argmin()]]
        if item is None:
            raise ValueError(
                f"An image of this stress test is none of the {len(self.key.items)} that were exported. Say the same "
                "words as for radedit export, or export again."
            )
        return item

    @cached_property
    def _exported(self) -> np.ndarray[Any, np.dtype[np.int32]] | None:
        """The images that were given away, where they are still beside the key, shape (N, H, W)."""
        files = [self.answers.image(item) for item in self.key.items]
        if not all(file.is_file() for file in files):
            return None
        return np.stack([levels_of(read_image(file).pixels).astype(np.int32) for file in files])

    def _numbers(self) -> dict[str, float]:
        """Probability of every item."""
        table, found = self.answers.table, {}
        if not {"probability", "label"} & set(table.columns):
            raise self.answers.refused(f"it has no column probability or label; it has {_all(table.columns)}.")
        both: dict[str, tuple[float, bool]] = {}  # probability and label of the images that have both
        for id_, cells in self.answers.rows.items():
            given = [column for column in ("probability", "label") if cells.get(column)]
            if not given:
                column = "probability" if "probability" in table.columns else "label"
                raise self.answers.refused(f"{id_} has no {column}; expected {ALLOWED[column]}.")
            numbers = [self._number(id_, column, cells[column]) for column in given]
            found[id_] = numbers[0]
            if len(numbers) == 2:
                both[id_] = (numbers[0], bool(numbers[1]))
        self._require_agreement(both)
        return found

    def _number(self, id_: str, column: str, text: str) -> float:
        try:
            number = math.nan if "_" in text else float(text)  # Python reads 0_1 as 1
        except ValueError:
            number = math.nan
        if not 0 <= number <= 1 or (column == "label" and number not in (0, 1)):
            raise self.answers.refused(f"the {column} of {id_} is {text!r}; expected {ALLOWED[column]}.")
        return number

    def _require_agreement(self, both: Mapping[str, tuple[float, bool]]) -> None:
        """See that labels, where there are probabilities, too, are those of the declared threshold."""
        threshold = self.output.threshold
        wrong = [id_ for id_, (probability, label) in both.items() if (probability >= threshold) is not label]
        if not wrong:
            return
        highest_no = max((probability for probability, label in both.values() if not label), default=0.0)
        lowest_yes = min((probability for probability, label in both.values() if label), default=1.0)
        probability, label = both[wrong[0]]
        remedy = (
            f"The labels are those of a threshold above {highest_no:g} and up to {lowest_yes:g}: say it, such as "
            f"predictor.threshold={lowest_yes:g}."
            if highest_no < lowest_yes
            else "No threshold gives these labels: leave one of the two columns out."
        )
        raise self.answers.refused(
            f"{len(wrong)} of {len(both)} labels contradict their probabilities at predictor.threshold={threshold:g}, "
            f"e.g. {wrong[0]} with probability {probability:g} and label {label:d}. {remedy}"
        )

    def _drawn(self, item: Item) -> Tensor:
        """Its masks of an image, bool, shape (K, H, W)."""
        cells, folder = self.answers.rows[item.id], self.answers.table.path.parent
        drawn = []
        image = self.answers.image(item)
        for name in self.masks:
            if not (cell := cells[f"mask_{name}"]):
                raise self.answers.refused(f"{item.id} has no mask_{name}; expected a file, also of an empty mask.")
            source = MaskSource.of(cell, folder, name, image.name)
            drawn.append(source.read(image, (self.key.size, self.key.size)))
        return torch.cat(drawn)


def answered_model(
    *, name: str, trained_on: str, answers: Answers, label: str | None, masks: Sequence[str], threshold: float,
    own_test: Dataset,
) -> TestedModel:  # fmt: skip
    """A product under test.

    Args:
        name: As in tables.
        trained_on: In words.
        answers: From `read_answers`.
        label: See `AnswersModel`.
        masks: Likewise.
        threshold: Likewise.
        own_test: The in-distribution test set.
    """
    model = AnswersModel(answers, label=None if masks else label, masks=masks, threshold=threshold)
    kind = "segmenter" if masks else "classifier"
    return TestedModel(KEY, name, "", model, own_test, trained_on, model.hash, parameters=None, kind=kind)


def require_same_set(model: AnswersModel, stress_set: str, scenario: str) -> None:
    """See that answers are to the images of this stress test.

    Raises:
        ValueError: If they are to another one's.
    """
    if model.key.stress_set != stress_set:
        raise ValueError(
            f"The key is of scenario {model.key.scenario} on stress set {model.key.stress_set[:12]}, but this test "
            f"is of {scenario} on {stress_set[:12]}. Say the same words as for radedit export."
        )


def _all(columns: Sequence[str]) -> str:
    return ", ".join(columns)


def _sha(masks: Tensor) -> str:
    return hashlib.sha256(np.packbits(masks.numpy()).tobytes()).hexdigest()
