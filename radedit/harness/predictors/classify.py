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

from radedit.data.datasets.manifest.manifest import ManifestDataset
from radedit.data.image.transforms import preprocess
from radedit.data.io.checksums import read_sealed, write_sealed
from radedit.data.io.fingerprint import content_hash
from radedit.data.io.progress import Progress
from radedit.harness.predictors.operating_point import OperatingPoint
from radedit.models.predictors import load_predictor
from radedit.types import Dataset

logger = logging.getLogger(__name__)


class Classifies(Protocol):
    """What a predictor must do: predict how probable the finding is."""

    def predict(self, images: Tensor) -> object:
        """`.probability` (B,) for images (B, 1, H, W) in [0, 1]."""
        ...


@dataclass(frozen=True)
class TestedModel:
    """A predictor under test.

    Attributes:
        key: Short name, as in files.
        name: As in tables.
        role: Of the pair, e.g. `confounded`.
        predictor: The network.
        own_test: The in-distribution test set, before any shift.
        trained_on: In words.
        hash: Names its weights.
        parameters: How many it has; None where that is not known.
        kind: `classifier` or `segmenter`.
        folder: Of its weights.
        seed: Of its training; None where it is not known.
        threshold: Probability at which its validation images were separated best; 0.5 where that is not known.
        operating_point: By which the threshold is chosen that it is tested at; 0.5 where None.
    """

    key: str
    name: str
    role: str
    predictor: Classifies
    own_test: Dataset
    trained_on: str
    hash: str
    parameters: int | None
    kind: str
    folder: str = ""
    seed: int | None = None
    threshold: float = 0.5
    operating_point: OperatingPoint | None = None


@dataclass(frozen=True)
class Scores:
    """A predictor's probabilities on a set of images.

    Attributes:
        ids, patients: Record and patient of each image.
        labels: 0 or 1, the right prediction.
        probabilities: 0…1.
    """

    ids: list[str]
    patients: list[str]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    @property
    def positive(self) -> NDArray[np.float64]:
        """1 where the finding was called present, at a threshold of 0.5."""
        return (self.probabilities >= 0.5).astype(np.float64)

    @property
    def correct(self) -> NDArray[np.float64]:
        """1 where the prediction was right."""
        return (self.positive == self.labels).astype(np.float64)

    def only(self, ids: Sequence[str]) -> Scores:
        """The images of these records, in their order."""
        position = {id_: i for i, id_ in enumerate(self.ids)}
        index = [position[id_] for id_ in ids]
        return Scores(
            [self.ids[i] for i in index],
            [self.patients[i] for i in index],
            self.labels[index],
            self.probabilities[index],
        )


def predict(
    predictor: Classifies, dataset: Dataset, finding: str, size: int, *, cache: Path, batch: int = 32
) -> Scores:
    """Run a predictor over a data set, or read its earlier predictions.

    Args:
        predictor: The network.
        dataset: The images; every record has the label `finding`.
        finding: Label that is predicted.
        size: Side the images are preprocessed to, px.
        cache: CSV file that the predictions are kept in; name it after predictor and data set. One that is damaged, or
            that is of other records, is made again.
        batch: Images at a time.

    Raises:
        ValueError: If an image lacks the label, or the predictor returns anything but a probability.
    """
    records = {record.id: record for record in dataset.records}
    if missing := [id_ for id_, record in records.items() if finding not in record.labels]:
        raise ValueError(
            f"{len(missing)} records have no label {finding!r}, e.g. {missing[0]!r}; they can't be tested on."
        )
    predictions = _read_predictions(cache, list(records))
    if predictions is None:
        predictions = dict.fromkeys(records)
        with Progress(len(records), f"Predicting {cache.stem}", "images") as progress:
            for chunk in _chunks(dataset, size, batch):
                predictions |= _predictions(predictor, chunk)
                progress.add(len(chunk))
        cache.parent.mkdir(parents=True, exist_ok=True)
        _write_predictions(cache, predictions)
    found = [(records[id_], p) for id_, p in predictions.items() if p is not None]
    labels = np.array([record.labels[finding] for record, _ in found], dtype=np.int64)
    probabilities = np.array([p for _, p in found], dtype=np.float64)
    return Scores([record.id for record, _ in found], [record.patient_id for record, _ in found], labels, probabilities)


Predictions = dict[str, float | None]  # record → probability, None where the image could not be read


def _write_predictions(cache: Path, predictions: Predictions) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(["id", "probability"])
    writer.writerows([id_, "" if p is None else p] for id_, p in predictions.items())
    write_sealed(cache, text.getvalue().encode())


def _read_predictions(cache: Path, ids: Sequence[str]) -> Predictions | None:
    """What `_write_predictions` wrote for these records; None if it did not, or if the file is damaged."""
    if (content := read_sealed(cache)) is None:
        if cache.exists():
            logger.warning("%s is damaged or was changed: the predictor predicts these images again.", cache)
        return None
    text = content.decode("utf-8", "replace")
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        predictions: Predictions = {
            row["id"]: float(row["probability"]) if row["probability"] else None for row in rows
        }
    except (csv.Error, KeyError, TypeError, ValueError):
        return None
    probable = all(p is None or 0 <= p <= 1 for p in predictions.values())
    return predictions if list(predictions) == list(ids) and probable else None


def _chunks(dataset: Dataset, size: int, batch: int) -> Iterator[list[tuple[str, Tensor]]]:
    def images() -> Iterator[tuple[str, Tensor]]:
        for record in dataset.records:
            try:
                yield record.id, preprocess(dataset.load(record), size).image
            except (ValueError, OSError) as error:
                logger.warning("Skipped record %s: %s", record.id, error)

    iterator = images()
    while chunk := list(islice(iterator, batch)):
        yield chunk


def _predictions(predictor: Classifies, chunk: list[tuple[str, Tensor]]) -> dict[str, float]:
    names = [id_ for id_, _ in chunk]
    probability = probabilities(predictor, torch.stack([image for _, image in chunk]), names)
    return {id_: float(p) for id_, p in zip(names, probability, strict=True)}


def probabilities(predictor: Classifies, images: Tensor, names: Sequence[str] = ()) -> Tensor:
    """How probable the finding is on each image, shape (B,), for images (B, 1, H, W).

    Args:
        predictor: The network.
        images: Grey levels in [0, 1].
        names: Of the images, for messages.

    Raises:
        ValueError: If the predictor returns anything but one probability for each.
    """
    found = getattr(predictor.predict(images), "probability", None)
    if found is None:
        raise ValueError(f"{type(predictor).__name__} returns no probability: it does not classify images.")
    probability = torch.as_tensor(found)
    if probability.shape != (len(images),):
        raise ValueError(
            f"{type(predictor).__name__} returned shape {tuple(probability.shape)} for {len(images)} images; "
            "expected one probability for each image."
        )
    if wrong := (~((probability >= 0) & (probability <= 1))).nonzero().flatten().tolist():
        name = f"image {names[wrong[0]]!r}" if names else "an image"
        raise ValueError(
            f"{type(predictor).__name__} predicted {float(probability[wrong[0]]):.3g} for {name}, and {len(wrong)} of "
            f"{len(images)} like that; expected one probability in [0, 1] each. Its weights may be damaged, or its "
            "numbers no probabilities: say predictor.output.kind=logit."
        )
    return probability


def predictions_file(folder: Path, tested_model: TestedModel, name: str, *asked: object) -> Path:
    """Where a predictor's predictions are kept, so that every run that asks the same finds them.

    Args:
        folder: Of all predictions.
        tested_model: The predictor.
        name: Of the images, in words.
        asked: What determines the predictions beside the predictor, JSON-like: the images and what is asked about them.
    """
    return folder / f"{tested_model.key}-{tested_model.hash[:12]}" / f"{name}-{content_hash([name, *asked])[:12]}"


def kind_dataset(stress_set: Path, kind: str) -> ManifestDataset:
    """The images of one kind of a stress set, read back as any data set."""
    return ManifestDataset(stress_set / "manifest.csv", where={"attr_kind": kind})


def kinds(stress_set: Path) -> list[str]:
    """Kinds of images in a stress set."""
    with (stress_set / "manifest.csv").open(newline="") as file:
        return sorted({row["attr_kind"] for row in csv.DictReader(file)})


def load_model(
    *,
    key: str,
    name: str,
    role: str,
    folder: str | Path,
    own_test: Dataset,
    trained_on: str,
    experiment: str | None = None,
) -> TestedModel:
    """A trained predictor from its folder.

    Args:
        key: Short name, as in files.
        name: As in tables.
        role: Of the pair, e.g. `confounded`.
        folder: What `save_pretrained` wrote, with the `card.json` of its training if there is one.
        own_test: Its in-distribution test set.
        trained_on: In words.
        experiment: File of `conf/experiment` that trains it, used to find or make `folder`.
    """
    folder = Path(folder)
    predictor = load_predictor(folder)
    card = json.loads((folder / "card.json").read_text()) if (folder / "card.json").is_file() else {}
    if "hash" in card and card["hash"] != predictor.hash:
        raise ValueError(
            f"The weights in {folder / 'model.safetensors'} are not those of {folder / 'card.json'}: their hash is "
            f"{predictor.hash[:12]}, that of the card {str(card['hash'])[:12]}. Fetch or train the predictor again."
        )
    return TestedModel(
        key, name, role, predictor, own_test, trained_on, predictor.hash,
        parameters=sum(p.numel() for p in predictor.parameters()),
        kind="segmenter" if predictor.masks else "classifier",
        folder=str(folder.resolve()),
        seed=card.get("seed"),
        threshold=card.get("val", {}).get("threshold", 0.5),
    )  # fmt: skip
