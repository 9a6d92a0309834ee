"""The images of a finished stress set on which many predictors are tried, and what each predicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from radedit.data.image.transforms import preprocess
from radedit.data.io.atomic import write_atomically
from radedit.data.views.cached import CachedDataset
from radedit.harness.evidence.edits import Edits
from radedit.harness.predictors.classify import kind_dataset, predict
from radedit.harness.predictors.predictions import Predictions
from radedit.harness.predictors.segment import Segments, drawn
from radedit.harness.stress.scenario import Addition, Removal, StressData
from radedit.metrics import dice
from radedit.studies.shared.corruption import Corruption, Embed, Match, match
from radedit.types import Dataset, Record


@dataclass(frozen=True)
class TrialImages:
    """One stress set.

    Attributes:
        name: Of the addition, where several sets are pooled; else empty.
        scenario: What was asked.
        datasets: `edit`, `counterfactual` and `corrupted`, of the same records.
        kept, every: Records whose edit was kept, and all that were edited.
        counts: Of records.
        match: How the corruption was made as large as the edits.
    """

    name: str
    scenario: Removal | Addition
    datasets: Mapping[str, Dataset]
    kept: list[str]
    every: list[str]
    counts: dict[str, int]
    match: Match

    @classmethod
    def of(
        cls, name: str, scenario: Removal | Addition, data: StressData, stress_set: Path, size: int, embed: Embed,
        corruption: Corruption, n_match: int,
    ) -> TrialImages:  # fmt: skip
        """From a finished stress set.

        What is corrupted is right before: the references of a removal, which are negative and lack the shortcut, as
        nearly all negatives of the in-distribution test set do; the sources of an addition.

        Args:
            name: See above.
            scenario: What was asked.
            data: What the set was made from.
            stress_set: Its folder.
            size: Side of the images, px.
            embed: The score's image encoder.
            corruption: To be made as large as the edits.
            n_match: Images by which it is.

        Raises:
            ValueError: If the set has no true counterfactuals, or nothing that could be corrupted.
        """
        edits = Edits.of(stress_set, data)
        clean = "reference" if isinstance(scenario, Removal) else "source"
        held = {
            kind: CachedDataset(kind_dataset(stress_set, kind)) for kind in {"source", "edit", "counterfactual", clean}
        }
        few = edits.every[:n_match]
        images = {kind: _images(held[kind], kind, few, size) for kind in ("source", "edit", clean)}
        size_of_edit = match(corruption, images[clean], few, images["source"], images["edit"], embed)

        def corrupt(image: Tensor, record: Record) -> Tensor:
            return corruption(image, record.id.rsplit("/", 1)[0], size_of_edit.strength)

        datasets = {
            "edit": held["edit"],
            "counterfactual": held["counterfactual"],
            "corrupted": CachedDataset(held[clean].dataset, corrupt),
        }
        return cls(name, scenario, datasets, edits.kept, edits.every, edits.counts, size_of_edit)

    def named(self, id_: str) -> str:
        """A record's name where sets are pooled."""
        return f"{self.name}/{id_}" if self.name else id_


def records(sets: Sequence[TrialImages], *, kept: bool) -> list[str]:
    """Records of all sets together."""
    return [images.named(id_) for images in sets for id_ in (images.kept if kept else images.every)]


def measure_of(sets: Sequence[TrialImages]) -> str:
    """What is measured: whether a prediction is right, or Dice."""
    return "correct" if isinstance(sets[0].scenario, Removal) else "dice"


def ask(
    predictor: Any, sets: Sequence[TrialImages], in_distribution: Dataset, *, size: int, folder: Path
) -> dict[str, Predictions]:
    """A predictor's predictions on the images of the stress sets, pooled, and on its in-distribution test set.

    Args:
        predictor: A classifier where the scenario removes, else a segmenter.
        sets: Images; one set, or one of each addition.
        in_distribution: Images of other patients, before any shift.
        size: Side of the images, px.
        folder: Where this predictor's predictions are kept.
    """
    found: dict[str, list[Predictions]] = {name: [] for name in (*sets[0].datasets, "in_distribution")}
    for images in sets:
        for name, dataset in [*images.datasets.items(), ("in_distribution", in_distribution)]:
            file = folder / (f"{images.name}-{name}" if images.name else name)
            predictions = (
                Predictions.of_scores(
                    predict(predictor, dataset, images.scenario.finding, size, cache=file.with_suffix(".csv"))
                )
                if isinstance(images.scenario, Removal)
                else overlaps(predictor, dataset, images.scenario, size, cache=file.with_suffix(".json"))
            )
            ids = [images.named(id_ if name == "in_distribution" else id_.rsplit("/", 1)[0]) for id_ in predictions.ids]
            found[name].append(Predictions(ids, predictions.patients, predictions.values))
    return {name: pool(parts) for name, parts in found.items()}


def pool(parts: Sequence[Predictions]) -> Predictions:
    """Predictions on several sets as predictions on one; ids differ between them, patients may be the same."""
    ids = [id_ for part in parts for id_ in part.ids]
    patients = [patient for part in parts for patient in part.patients]
    values = {name: np.concatenate([part.values[name] for part in parts], axis=1) for name in parts[0].values}
    return Predictions(ids, patients, values)


def overlaps(
    predictor: Segments, dataset: Dataset, scenario: Addition, size: int, *, cache: Path, batch: int = 32
) -> Predictions:
    """Dice of the edited structures, as one, or what was measured before.

    It is `radedit.harness.predictors.segment.segment` without the distances, which take most of its time.

    Args:
        predictor: Draws the scenario's structures.
        dataset: Images with their masks.
        scenario: Says which structures are edited.
        size: Side of the images, px.
        cache: JSON file that the measures are kept in; one of other records, or damaged, is made again.
        batch: Images at a time.
    """
    whose = {record.id: record.patient_id for record in dataset.records}
    asked = {"records": list(whose), "edited": list(scenario.edited)}
    values = _read(cache, asked)
    if values is None:
        index = [list(scenario.structures).index(name) for name in scenario.edited]
        values = []
        todo = list(dataset.records)
        for first in range(0, len(todo), batch):
            chunk = [preprocess(dataset.load(record), size) for record in todo[first : first + batch]]
            predicted = drawn(predictor, torch.stack([sample.image for sample in chunk]), scenario.structures)
            truth = torch.stack([torch.cat([sample.masks[name] for name in scenario.edited]) for sample in chunk])
            both = (predicted[:, index].any(1, keepdim=True), truth.any(1, keepdim=True))
            values += [round(float(value), 6) for value in dice(*both)[:, 0]]
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cache, json.dumps({"of": asked, "dice": values}).encode())
    return Predictions(list(whose), list(whose.values()), {"dice": np.array(values, dtype=np.float64)[None]})


def _read(cache: Path, asked: Mapping[str, Any]) -> list[float] | None:
    if not cache.exists():
        return None
    try:
        kept = json.loads(cache.read_text(encoding="utf-8"))
        return list(kept["dice"]) if kept["of"] == asked else None
    except (ValueError, KeyError, TypeError):
        return None


def _images(dataset: Dataset, kind: str, ids: Sequence[str], size: int) -> Tensor:
    by_id = {record.id: record for record in dataset.records}
    return torch.stack([preprocess(dataset.load(by_id[f"{id_}/{kind}"]), size).image for id_ in ids])


def constant_masks(images: np.ndarray[Any, np.dtype[np.uint8]], names: Sequence[str]) -> dict[str, Tensor]:
    """The mean shape of every mask: where half of the images or more have it.

    Args:
        images: Images with their masks, 0 or 255, shape (N, 1 + K, H, W).
        names: Of the K masks.
    """
    share = (images[:, 1:] > 127).mean(axis=0)
    return {name: torch.from_numpy(mask >= 0.5) for name, mask in zip(names, share, strict=True)}
