"""Predictors on a stress set: from images to one row for each predictor and image."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radedit.data.atomic import write_atomically
from radedit.data.fingerprint import content_hash
from radedit.data.readers.manifest import ManifestReader
from radedit.data.transforms import preprocess
from radedit.models.predictors import load_predictor
from radedit.types import Reader

logger = logging.getLogger(__name__)


class Classifies(Protocol):
    """What a predictor must do: say how probable the finding is."""

    def predict(self, images: Tensor) -> object:
        """`.probability` (B,) for images (B, 1, H, W) in [0, 1]."""
        ...


@dataclass(frozen=True)
class Subject:
    """A predictor under test.

    Attributes:
        key: Short name, as in files.
        name: As in tables.
        role: Of the pair, e.g. `confounded`.
        predictor: The network.
        own_test: The ordinary test set, before any shift.
        trained_on: In words.
        hash: Names its weights.
        parameters: How many it has; None where that is not known.
        kind: `classifier` or `segmenter`.
        folder: Of its weights.
        seed: Of its training; None where it is not known.
        threshold: Probability at which its validation films were told apart best; 0.5 where that is not known.
    """

    key: str
    name: str
    role: str
    predictor: Classifies
    own_test: Reader
    trained_on: str
    hash: str
    parameters: int | None
    kind: str
    folder: str = ""
    seed: int | None = None
    threshold: float = 0.5


@dataclass(frozen=True)
class Scores:
    """A predictor's probabilities on a set of films.

    Attributes:
        ids, subjects: Record and patient of each film.
        labels: 0 or 1, the right answer.
        probabilities: 0…1.
    """

    ids: list[str]
    subjects: list[str]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    @property
    def positive(self) -> NDArray[np.float64]:
        """1 where the finding was called present, at a threshold of 0.5."""
        return (self.probabilities >= 0.5).astype(np.float64)

    @property
    def correct(self) -> NDArray[np.float64]:
        """1 where the answer was right."""
        return (self.positive == self.labels).astype(np.float64)

    def only(self, ids: Sequence[str]) -> Scores:
        """The films of these records, in their order."""
        position = {id_: i for i, id_ in enumerate(self.ids)}
        index = [position[id_] for id_ in ids]
        return Scores(
            [self.ids[i] for i in index],
            [self.subjects[i] for i in index],
            self.labels[index],
            self.probabilities[index],
        )


def predict(predictor: Classifies, reader: Reader, finding: str, size: int, *, cache: Path, batch: int = 32) -> Scores:
    """Run a predictor over a data set, or read what it said before.

    Args:
        predictor: The network.
        reader: The films; every record has the label `finding`.
        finding: Label that is predicted.
        size: Side the films are preprocessed to, px.
        cache: CSV file that the answers are kept in; name it after predictor and data set. One that is damaged, or that
            is of other records, is made again.
        batch: Films at a time.

    Raises:
        ValueError: If a film lacks the label, or the predictor answers with anything but a probability.
    """
    records = {record.id: record for record in reader.records}
    if missing := [id_ for id_, record in records.items() if finding not in record.labels]:
        raise ValueError(
            f"{len(missing)} records have no label {finding!r}, e.g. {missing[0]!r}; they can't be tested on."
        )
    answers = _read_answers(cache, list(records))
    if answers is None:
        answers = dict.fromkeys(records)
        for chunk in _chunks(reader, size, batch):
            answers |= _answers(predictor, chunk)
        cache.parent.mkdir(parents=True, exist_ok=True)
        _write_answers(cache, answers)
    found = [(records[id_], p) for id_, p in answers.items() if p is not None]
    labels = np.array([record.labels[finding] for record, _ in found], dtype=np.int64)
    probabilities = np.array([p for _, p in found], dtype=np.float64)
    return Scores([record.id for record, _ in found], [record.subject_id for record, _ in found], labels, probabilities)


Answers = dict[str, float | None]  # record → probability, None where the film could not be read


def _write_answers(cache: Path, answers: Answers) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(["id", "probability"])
    writer.writerows([id_, "" if p is None else p] for id_, p in answers.items())
    write_atomically(cache, text.getvalue().encode())


def _read_answers(cache: Path, ids: Sequence[str]) -> Answers | None:
    """What `_write_answers` wrote for these records; None if it did not, or if the file is damaged."""
    if not cache.exists():
        return None
    text = cache.read_text(encoding="utf-8", errors="replace")
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        answers: Answers = {row["id"]: float(row["probability"]) if row["probability"] else None for row in rows}
    except (csv.Error, KeyError, TypeError, ValueError):
        return None
    return answers if text.endswith("\n") and list(answers) == list(ids) else None


def _chunks(reader: Reader, size: int, batch: int) -> Iterator[list[tuple[str, Tensor]]]:
    def films() -> Iterator[tuple[str, Tensor]]:
        for record in reader.records:
            try:
                yield record.id, preprocess(reader.load(record), size).image
            except (ValueError, OSError) as error:
                logger.warning("Skipped record %s: %s", record.id, error)

    iterator = films()
    while chunk := list(islice(iterator, batch)):
        yield chunk


def _answers(predictor: Classifies, chunk: list[tuple[str, Tensor]]) -> dict[str, float]:
    probability = probabilities(predictor, torch.stack([film for _, film in chunk]))
    return {id_: float(p) for (id_, _), p in zip(chunk, probability, strict=True)}


def probabilities(predictor: Classifies, films: Tensor) -> Tensor:
    """How probable the finding is on each film, shape (B,), for films (B, 1, H, W).

    Raises:
        ValueError: If the predictor answers with anything but one probability for each.
    """
    found = getattr(predictor.predict(films), "probability", None)
    if found is None:
        raise ValueError(f"{type(predictor).__name__} answers with no probability: it does not classify films.")
    probability = torch.as_tensor(found)
    if probability.shape != (len(films),) or not bool(((probability >= 0) & (probability <= 1)).all()):
        raise ValueError(
            f"{type(predictor).__name__} answered {len(films)} films with shape {tuple(probability.shape)}, range "
            f"{probability.min():.3g}…{probability.max():.3g}; expected one probability in [0, 1] for each film."
        )
    return probability


def answers_file(folder: Path, subject: Subject, name: str, *asked: object) -> Path:
    """Where a predictor's answers are kept, so that every run that asks the same finds them.

    Args:
        folder: Of all answers.
        subject: The predictor.
        name: Of the films, in words.
        asked: What determines the answers beside the predictor, JSON-like: the films and what is asked about them.
    """
    return folder / f"{subject.key}-{subject.hash[:12]}" / f"{name}-{content_hash([name, *asked])[:12]}"


def kind_reader(stress_set: Path, kind: str) -> ManifestReader:
    """The images of one kind of a stress set, read back as any data set."""
    return ManifestReader(stress_set / "manifest.csv", where={"attr_kind": kind})


def kinds(stress_set: Path) -> list[str]:
    """Kinds of images in a stress set."""
    with (stress_set / "manifest.csv").open(newline="") as file:
        return sorted({row["attr_kind"] for row in csv.DictReader(file)})


def load_subject(
    *,
    key: str,
    name: str,
    role: str,
    folder: str | Path,
    own_test: Reader,
    trained_on: str,
    experiment: str | None = None,
) -> Subject:
    """A trained predictor from its folder.

    Args:
        key: Short name, as in files.
        name: As in tables.
        role: Of the pair, e.g. `confounded`.
        folder: What `save_pretrained` wrote, with the `card.json` of its training if there is one.
        own_test: Its ordinary test set.
        trained_on: In words.
        experiment: File of `conf/experiment` that trains it, for whoever fills in `folder`.
    """
    folder = Path(folder)
    predictor = load_predictor(folder)
    card = json.loads((folder / "card.json").read_text()) if (folder / "card.json").is_file() else {}
    return Subject(
        key, name, role, predictor, own_test, trained_on, predictor.hash,
        parameters=sum(p.numel() for p in predictor.parameters()),
        kind="segmenter" if predictor.masks else "classifier",
        folder=str(folder.resolve()),
        seed=card.get("seed"),
        threshold=card.get("val", {}).get("threshold", 0.5),
    )  # fmt: skip
