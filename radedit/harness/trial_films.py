"""The films of a finished stress set on which many predictors are tried, held in memory, and what each says of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from radedit.data.atomic import write_atomically
from radedit.data.held import Held
from radedit.data.transforms import preprocess
from radedit.harness.answers import Answers
from radedit.harness.corruption import Corruption, Embed, Match, match
from radedit.harness.edits import Edits
from radedit.harness.evaluate import kind_reader, predict
from radedit.harness.scenario import Addition, Removal, StressData
from radedit.harness.segmentation import Segments, drawn
from radedit.metrics import dice
from radedit.types import Reader, Record


@dataclass(frozen=True)
class TrialFilms:
    """One stress set.

    Attributes:
        name: Of the addition, where several sets are pooled; else empty.
        scenario: What was asked.
        readers: `edit`, `twin` and `corrupted`, of the same records.
        kept, every: Records whose edit was kept, and all that were edited.
        counts: Of records.
        match: How the corruption was made as large as the edits.
    """

    name: str
    scenario: Removal | Addition
    readers: Mapping[str, Reader]
    kept: list[str]
    every: list[str]
    counts: dict[str, int]
    match: Match

    @classmethod
    def of(
        cls, name: str, scenario: Removal | Addition, data: StressData, stress_set: Path, size: int, embed: Embed,
        corruption: Corruption, n_match: int,
    ) -> TrialFilms:  # fmt: skip
        """From a finished stress set.

        What is corrupted is right before: the references of a removal, which are negative and lack the shortcut, as
        nearly all negatives of the ordinary test set do; the sources of an addition.

        Args:
            name: See above.
            scenario: What was asked.
            data: What the set was made from.
            stress_set: Its folder.
            size: Side of the films, px.
            embed: The score's image encoder.
            corruption: To be made as large as the edits.
            n_match: Films by which it is.

        Raises:
            ValueError: If the set has no true twins, or nothing that could be corrupted.
        """
        edits = Edits.of(stress_set, data)
        clean = "reference" if isinstance(scenario, Removal) else "source"
        held = {kind: Held(kind_reader(stress_set, kind)) for kind in {"source", "edit", "twin", clean}}
        few = edits.every[:n_match]
        films = {kind: _films(held[kind], kind, few, size) for kind in ("source", "edit", clean)}
        size_of_edit = match(corruption, films[clean], few, films["source"], films["edit"], embed)

        def corrupt(film: Tensor, record: Record) -> Tensor:
            return corruption(film, record.id.rsplit("/", 1)[0], size_of_edit.strength)

        readers = {"edit": held["edit"], "twin": held["twin"], "corrupted": Held(held[clean].reader, corrupt)}
        return cls(name, scenario, readers, edits.kept, edits.every, edits.counts, size_of_edit)

    def named(self, id_: str) -> str:
        """A record's name where sets are pooled."""
        return f"{self.name}/{id_}" if self.name else id_


def records(sets: Sequence[TrialFilms], *, kept: bool) -> list[str]:
    """Records of all sets together."""
    return [films.named(id_) for films in sets for id_ in (films.kept if kept else films.every)]


def measure_of(sets: Sequence[TrialFilms]) -> str:
    """What is measured: whether an answer is right, or Dice."""
    return "correct" if isinstance(sets[0].scenario, Removal) else "dice"


def ask(predictor: Any, sets: Sequence[TrialFilms], ordinary: Reader, *, size: int, folder: Path) -> dict[str, Answers]:
    """A predictor's answers to the films of the stress sets, pooled, and to its ordinary test set.

    Args:
        predictor: A classifier where the scenario removes, else a segmenter.
        sets: Films; one set, or one of each addition.
        ordinary: Films of other patients, before any shift.
        size: Side of the films, px.
        folder: Where this predictor's answers are kept.
    """
    found: dict[str, list[Answers]] = {name: [] for name in (*sets[0].readers, "ordinary")}
    for films in sets:
        for name, reader in [*films.readers.items(), ("ordinary", ordinary)]:
            file = folder / (f"{films.name}-{name}" if films.name else name)
            answers = (
                Answers.of_scores(
                    predict(predictor, reader, films.scenario.finding, size, cache=file.with_suffix(".csv"))
                )
                if isinstance(films.scenario, Removal)
                else overlaps(predictor, reader, films.scenario, size, cache=file.with_suffix(".json"))
            )
            ids = [films.named(id_ if name == "ordinary" else id_.rsplit("/", 1)[0]) for id_ in answers.ids]
            found[name].append(Answers(ids, answers.subjects, answers.values))
    return {name: pool(parts) for name, parts in found.items()}


def pool(parts: Sequence[Answers]) -> Answers:
    """Answers to several sets as answers to one; ids differ between them, patients may be the same."""
    ids = [id_ for part in parts for id_ in part.ids]
    subjects = [subject for part in parts for subject in part.subjects]
    values = {name: np.concatenate([part.values[name] for part in parts], axis=1) for name in parts[0].values}
    return Answers(ids, subjects, values)


def overlaps(
    predictor: Segments, reader: Reader, scenario: Addition, size: int, *, cache: Path, batch: int = 32
) -> Answers:
    """Dice of the edited structures, as one, or what was measured before.

    It is `radedit.harness.segmentation.segment` without the distances, which take most of its time.

    Args:
        predictor: Draws the scenario's structures.
        reader: Films with their masks.
        scenario: Says which structures are edited.
        size: Side of the films, px.
        cache: JSON file that the measures are kept in; one of other records, or damaged, is made again.
        batch: Films at a time.
    """
    whose = {record.id: record.subject_id for record in reader.records}
    asked = {"records": list(whose), "edited": list(scenario.edited)}
    values = _read(cache, asked)
    if values is None:
        index = [list(scenario.structures).index(name) for name in scenario.edited]
        values = []
        todo = list(reader.records)
        for first in range(0, len(todo), batch):
            chunk = [preprocess(reader.load(record), size) for record in todo[first : first + batch]]
            predicted = drawn(predictor, torch.stack([sample.image for sample in chunk]), scenario.structures)
            truth = torch.stack([torch.cat([sample.masks[name] for name in scenario.edited]) for sample in chunk])
            both = (predicted[:, index].any(1, keepdim=True), truth.any(1, keepdim=True))
            values += [round(float(value), 6) for value in dice(*both)[:, 0]]
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cache, json.dumps({"of": asked, "dice": values}).encode())
    return Answers(list(whose), list(whose.values()), {"dice": np.array(values, dtype=np.float64)[None]})


def _read(cache: Path, asked: Mapping[str, Any]) -> list[float] | None:
    if not cache.exists():
        return None
    try:
        kept = json.loads(cache.read_text(encoding="utf-8"))
        return list(kept["dice"]) if kept["of"] == asked else None
    except (ValueError, KeyError, TypeError):
        return None


def _films(reader: Reader, kind: str, ids: Sequence[str], size: int) -> Tensor:
    by_id = {record.id: record for record in reader.records}
    return torch.stack([preprocess(reader.load(by_id[f"{id_}/{kind}"]), size).image for id_ in ids])


def constant_masks(films: np.ndarray[Any, np.dtype[np.uint8]], names: Sequence[str]) -> dict[str, Tensor]:
    """The mean shape of every mask: where half of the films or more have it.

    Args:
        films: Films with their masks, 0 or 255, shape (N, 1 + K, H, W).
        names: Of the K masks.
    """
    share = (films[:, 1:] > 127).mean(axis=0)
    return {name: torch.from_numpy(mask >= 0.5) for name, mask in zip(names, share, strict=True)}
