"""Segmenters on a set of images: from images to one row of measures for each image."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radedit.data.image.transforms import preprocess
from radedit.data.io.checksums import read_sealed, write_sealed
from radedit.data.io.progress import Progress
from radedit.metrics import average_surface_distance, dice, hausdorff95, missed
from radedit.types import Dataset, Sample

logger = logging.getLogger(__name__)

THRESHOLD = 0.5


class Segments(Protocol):
    """What a segmenter must do: name its masks, and say how probable each is in every pixel."""

    @property
    def masks(self) -> Sequence[str]: ...

    def predict(self, images: Tensor) -> object:
        """`.masks` (B, K, H, W) for images (B, 1, H, W) in [0, 1]."""
        ...


@dataclass(frozen=True)
class Overlaps:
    """How well a segmenter did on a set of images.

    Attributes:
        ids, patients: Record and patient of each image.
        values: Measure → one number an image. `dice`, `hd95`, `asd` (px), `missed` (0 or 1) and `area` (drawn by true)
            of the edited structures, `dice_all` of all structures together.
    """

    ids: list[str]
    patients: list[str]
    values: dict[str, NDArray[np.float64]]

    def only(self, ids: Sequence[str]) -> Overlaps:
        """The images of these records, in their order."""
        position = {id_: i for i, id_ in enumerate(self.ids)}
        index = [position[id_] for id_ in ids]
        values = {name: measured[index] for name, measured in self.values.items()}
        return Overlaps([self.ids[i] for i in index], [self.patients[i] for i in index], values)


def segment(
    predictor: Segments,
    dataset: Dataset,
    structures: Sequence[str],
    edited: Sequence[str],
    size: int,
    *,
    cache: Path,
    batch: int = 32,
) -> Overlaps:
    """Run a segmenter over a data set and measure its masks, or read what was measured before.

    Args:
        predictor: The network.
        dataset: The images; an image without one of the structures is skipped, and logged.
        structures: Names of the masks that are measured.
        edited: Those of them that most measures are of, taken as one.
        size: Side the images are preprocessed to, px.
        cache: JSON file that the measures are kept in; one of other records, or damaged, is made again.
        batch: Images at a time.

    Raises:
        ValueError: If the predictor does not draw one of the structures, or no image could be measured.
    """
    records = {record.id: record for record in dataset.records}
    asked = {"records": list(records), "structures": list(structures), "edited": list(edited)}
    rows = _read(cache, asked)
    if rows is None:
        rows = []
        with Progress(len(records), f"Segmenting {cache.stem}", "images") as progress:
            for chunk in _chunks(dataset, structures, size, batch):
                rows += _rows(predictor, chunk, asked)
                progress.add(len(chunk))
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_sealed(cache, json.dumps({"of": asked, "rows": rows}).encode() + b"\n")
    if not rows:
        raise ValueError(f"None of {len(records)} images has the masks {', '.join(structures)}.")
    values = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0] if name != "id"}
    ids = [row["id"] for row in rows]
    return Overlaps(ids, [records[id_].patient_id for id_ in ids], values)


def drawn(predictor: Segments, images: Tensor, structures: Sequence[str]) -> Tensor:
    """Masks of the named structures, bool, shape (B, K, H, W), for images (B, 1, H, W).

    Raises:
        ValueError: If the predictor does not draw one of them, or returns anything but probabilities.
    """
    if unknown := [name for name in structures if name not in predictor.masks]:
        raise ValueError(
            f"{type(predictor).__name__} draws {', '.join(predictor.masks) or 'no masks'}, but not {unknown[0]}."
        )
    probability = torch.as_tensor(predictor.predict(images).masks)  # type: ignore[attr-defined]
    expected = (len(images), len(predictor.masks), *images.shape[-2:])
    if probability.shape != expected or not bool(((probability >= 0) & (probability <= 1)).all()):
        raise ValueError(
            f"{type(predictor).__name__} returned masks of shape {tuple(probability.shape)}, range "
            f"{probability.min():.3g}…{probability.max():.3g}; expected probabilities in [0, 1], shape {expected}."
        )
    return probability[:, [predictor.masks.index(name) for name in structures]].cpu() >= THRESHOLD


def _chunks(dataset: Dataset, structures: Sequence[str], size: int, batch: int) -> Iterator[list[Sample]]:
    def samples() -> Iterator[Sample]:
        for record in dataset.records:
            try:
                sample = preprocess(dataset.load(record), size)
            except (ValueError, OSError) as error:
                logger.warning("Skipped record %s: %s", record.id, error)
                continue
            if lacking := [name for name in structures if name not in sample.masks]:
                logger.warning("Skipped record %s: it has no mask %s", record.id, lacking[0])
                continue
            yield sample

    iterator = samples()
    while chunk := list(islice(iterator, batch)):
        yield chunk


def _rows(predictor: Segments, chunk: list[Sample], asked: dict[str, Any]) -> list[dict[str, Any]]:
    structures = asked["structures"]
    predicted = drawn(predictor, torch.stack([sample.image for sample in chunk]), structures)
    truth = torch.stack([torch.cat([sample.masks[name] for name in structures]) for sample in chunk])
    index = [structures.index(name) for name in asked["edited"]]
    found, true = (masks[:, index].any(1, keepdim=True) for masks in (predicted, truth))
    measures = {
        "dice": dice(found, true),
        "dice_all": dice(predicted.any(1, keepdim=True), truth.any(1, keepdim=True)),
        "hd95": hausdorff95(found, true),
        "asd": average_surface_distance(found, true),
        "missed": missed(found, true),
        "area": found.sum((-2, -1)) / true.sum((-2, -1)).clamp(min=1),
    }
    return [
        {"id": sample.record.id} | {name: round(float(values[i, 0]), 6) for name, values in measures.items()}
        for i, sample in enumerate(chunk)
    ]


def _read(cache: Path, asked: dict[str, Any]) -> list[dict[str, Any]] | None:
    if (content := read_sealed(cache)) is None:
        return None
    try:
        kept = json.loads(content)
        return list(kept["rows"]) if kept["of"] == asked else None
    except (ValueError, KeyError, TypeError):
        return None
