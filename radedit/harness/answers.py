"""What predictors made of every film, of one training seed or of several: the rows that all evidence is made from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radedit.data.atomic import write_atomically
from radedit.harness.evaluate import Scores
from radedit.harness.segmentation import Overlaps
from radedit.harness.statistics import Estimate, crossed_mean

FILE = "films.csv"
ABOUT = ("predictor", "role", "seed", "data", "record", "subject", "kept")


@dataclass(frozen=True)
class Answers:
    """Measures of one predictor on one set of films, for every seed of its training.

    Attributes:
        ids, subjects: Record and patient of each of N films.
        values: Measure → numbers, shape (S, N), a row for each of S seeds.
    """

    ids: list[str]
    subjects: list[str]
    values: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of_scores(cls, scores: Scores) -> Answers:
        """Of a classifier: its probability, the label, whether it said yes (at 0.5), and whether it was right."""
        values = {
            "label": scores.labels, "probability": scores.probabilities, "positive": scores.positive,
            "correct": scores.correct,
        }  # fmt: skip
        return cls(scores.ids, scores.subjects, {k: np.asarray(v, dtype=np.float64)[None] for k, v in values.items()})

    @classmethod
    def of_overlaps(cls, overlaps: Overlaps) -> Answers:
        """Of a segmenter."""
        return cls(overlaps.ids, overlaps.subjects, {name: value[None] for name, value in overlaps.values.items()})

    @classmethod
    def stack(cls, seeds: Sequence[Answers]) -> Answers:
        """Several seeds on the same films; a film that one of them could not measure is left out."""
        common = set(seeds[0].ids).intersection(*(one.ids for one in seeds[1:]))
        ids = [id_ for id_ in seeds[0].ids if id_ in common]
        aligned = [one.only(ids) for one in seeds]
        values = {name: np.concatenate([one.values[name] for one in aligned]) for name in aligned[0].values}
        return cls(ids, aligned[0].subjects, values)

    def only(self, ids: Sequence[str]) -> Answers:
        """The films of these records, in their order."""
        position = {id_: i for i, id_ in enumerate(self.ids)}
        index = [position[id_] for id_ in ids]
        values = {name: value[:, index] for name, value in self.values.items()}
        return Answers([self.ids[i] for i in index], [self.subjects[i] for i in index], values)

    def mean(self, measure: str) -> Estimate:
        """Mean over seeds and films, with an interval over patients and, where there are several, seeds."""
        return crossed_mean(self.values[measure], self.subjects)

    def per_seed(self, measure: str) -> list[float]:
        """Mean over films for every seed."""
        return [float(row.mean()) for row in self.values[measure]]


@dataclass(frozen=True)
class Measured:
    """All answers of one predictor.

    Attributes:
        key: Of the predictor.
        role: Of the pair.
        sets: Name of a set of films → answers. Kinds of images of the stress set go by their names; beside them are
            `ordinary`, and where they were asked for, `shifted` and `cell-<finding>-<shortcut>`.
        seeds: Of its training, in the order of the rows.
    """

    key: str
    role: str
    sets: Mapping[str, Answers]
    seeds: tuple[int | None, ...] = (None,)

    def of(self, data: str, ids: Sequence[str]) -> Answers | None:
        """Answers on the films of these records, if the set has all of them."""
        found = self.sets.get(data)
        return found.only(ids) if found is not None and {*ids} <= {*found.ids} else None

    @classmethod
    def stack(cls, seeds: Sequence[Measured]) -> Measured:
        """The same predictor, trained with several seeds; sets that not all of them have are left out."""
        first = seeds[0]
        shared = [name for name in first.sets if all(name in one.sets for one in seeds)]
        sets = {name: Answers.stack([one.sets[name] for one in seeds]) for name in shared}
        return cls(first.key, first.role, sets, tuple(seed for one in seeds for seed in one.seeds))


def write_films(path: Path, measured: Sequence[Measured], kept: Sequence[str]) -> None:
    """One row for each predictor, seed, set and film.

    Args:
        path: CSV file.
        measured: Answers.
        kept: Records whose edit was kept.
    """
    names = list(dict.fromkeys(name for one in measured for found in one.sets.values() for name in found.values))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*ABOUT, *names])
    entered = set(kept)
    for one in measured:
        for data, found in one.sets.items():
            for s, seed in enumerate(one.seeds):
                rows = {name: value[s] for name, value in found.values.items()}
                for i, (id_, subject) in enumerate(zip(found.ids, found.subjects, strict=True)):
                    numbers = [f"{rows[name][i]:.6g}" if name in rows else "" for name in names]
                    about = [one.key, one.role, "" if seed is None else seed, data, id_, subject, int(id_ in entered)]
                    writer.writerow([*about, *numbers])
    write_atomically(path, text.getvalue().encode())


def read_films(path: Path) -> tuple[list[Measured], list[str]]:
    """What `write_films` wrote: answers, and the records whose edit was kept, in the order of the stress set.

    Raises:
        ValueError: If the file lacks a column.
    """
    frame = pd.read_csv(path, dtype={name: str for name in ABOUT}, keep_default_na=False, na_values={})
    if lacking := [name for name in ABOUT if name not in frame.columns]:
        raise ValueError(f"{path} has no column {lacking[0]!r}; it has {', '.join(frame.columns)}.")
    names = [name for name in frame.columns if name not in ABOUT]
    frame[names] = frame[names].apply(pd.to_numeric, errors="coerce")
    edits = frame[frame.data == "edit"]
    kept = list(dict.fromkeys(edits[edits.kept == "1"].record))
    return list(_measured(frame, names)), kept


def _measured(frame: pd.DataFrame, names: Sequence[str]) -> Iterator[Measured]:
    for (key, role), of_one in frame.groupby(["predictor", "role"], sort=False):
        seeds = []
        for seed, of_seed in of_one.groupby("seed", sort=False):
            sets = {
                str(data): Answers(
                    list(films.record),
                    list(films.subject),
                    {name: films[name].to_numpy(np.float64)[None] for name in names if films[name].notna().all()},
                )
                for data, films in of_seed.groupby("data", sort=False)
            }
            seeds.append(Measured(str(key), str(role), sets, (int(str(seed)) if seed else None,)))
        yield Measured.stack(seeds) if len(seeds) > 1 else seeds[0]
