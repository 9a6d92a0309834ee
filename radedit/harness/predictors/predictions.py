"""What predictors made of every image, of one training seed or of several: the rows that all evidence is made from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radedit.data.io.atomic import write_atomically
from radedit.data.io.table import escaped, unescaped
from radedit.harness.predictors.classify import Scores
from radedit.harness.predictors.segment import Overlaps
from radedit.harness.statistics.estimate import Estimate
from radedit.harness.statistics.intervals import Mean, mean_of
from radedit.harness.statistics.means import crossed_mean

FILE = "predictions.csv"
ABOUT = ("predictor", "role", "kind", "seed", "data", "record", "patient", "kept")
GROUP = "group_"  # begins the columns of a record's groups, such as group_sex


@dataclass(frozen=True)
class Predictions:
    """Measures of one predictor on one set of images, for every seed of its training.

    Attributes:
        ids, patients: Record and patient of each of N images.
        values: Measure → numbers, shape (S, N), a row for each of S seeds.
    """

    ids: list[str]
    patients: list[str]
    values: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of_scores(cls, scores: Scores, threshold: float | None = None) -> Predictions:
        """Of a classifier: its probability, the label, whether it said yes, and whether it was right.

        Args:
            scores: Its probabilities.
            threshold: From which on an answer is positive; written with the predictions. 0.5 where None.
        """
        positive = scores.positive if threshold is None else scores.probabilities >= threshold
        values = {
            "label": scores.labels, "probability": scores.probabilities, "positive": positive,
            "correct": positive == scores.labels,
        }  # fmt: skip
        if threshold is not None:
            values["threshold"] = np.full(len(scores.ids), threshold)
        return cls(scores.ids, scores.patients, {k: np.asarray(v, dtype=np.float64)[None] for k, v in values.items()})

    @classmethod
    def of_overlaps(cls, overlaps: Overlaps) -> Predictions:
        """Of a segmenter."""
        return cls(overlaps.ids, overlaps.patients, {name: value[None] for name, value in overlaps.values.items()})

    @classmethod
    def stack(cls, seeds: Sequence[Predictions]) -> Predictions:
        """Several seeds on the same images; an image that one of them could not measure is left out."""
        common = set(seeds[0].ids).intersection(*(one.ids for one in seeds[1:]))
        ids = [id_ for id_ in seeds[0].ids if id_ in common]
        aligned = [one.only(ids) for one in seeds]
        values = {name: np.concatenate([one.values[name] for one in aligned]) for name in aligned[0].values}
        return cls(ids, aligned[0].patients, values)

    def only(self, ids: Sequence[str]) -> Predictions:
        """The images of these records, in their order."""
        position = {id_: i for i, id_ in enumerate(self.ids)}
        index = [position[id_] for id_ in ids]
        values = {name: value[:, index] for name, value in self.values.items()}
        return Predictions([self.ids[i] for i in index], [self.patients[i] for i in index], values)

    def mean(self, measure: str) -> Estimate:
        """Mean over seeds and images, with an interval over patients and, where there are several, seeds."""
        return crossed_mean(self.values[measure], self.patients)

    def per_seed(self, measure: str) -> list[float]:
        """Mean over images for every seed."""
        return [float(row.mean()) for row in self.values[measure]]


def paired_difference(
    after: Predictions, before: Predictions, measure: str, edited: Sequence[str], sign: int = 1
) -> Mean:
    """Mean over seeds and records of a measure after a step less that before it.

    Records are clustered by the patients whom the two images show. Where both show a reference's patient, who may serve
    several sources, that patient comes first and the edited one second.

    Args:
        after: Predictions after the step.
        before: Those before it, of the same records in the same order.
        measure: Of both.
        edited: Whose source each record's edit was made from.
        sign: −1 where less of the measure is worse.
    """
    values = sign * (after.values[measure] - before.values[measure])
    if before.patients != after.patients:
        return mean_of(values, after.patients, before.patients, paired=True)
    return mean_of(values, after.patients, edited, paired=True, losers=after.patients)


@dataclass(frozen=True)
class Measured:
    """All predictions of one predictor.

    Attributes:
        key: Of the predictor.
        role: Of the pair.
        sets: Name of a set of images → predictions. Kinds of images of the stress set go by their names; beside them
            are `in_distribution`, and where they were asked for, `shifted` and `cell-<finding>-<shortcut>`.
        seeds: Of its training, in the order of the rows.
        kind: `classifier` or `segmenter`; empty where it is not known.
    """

    key: str
    role: str
    sets: Mapping[str, Predictions]
    seeds: tuple[int | None, ...] = (None,)
    kind: str = ""

    def of(self, data: str, ids: Sequence[str]) -> Predictions | None:
        """Predictions on the images of these records, if the set has all of them."""
        found = self.sets.get(data)
        return found.only(ids) if found is not None and {*ids} <= {*found.ids} else None

    @classmethod
    def stack(cls, seeds: Sequence[Measured]) -> Measured:
        """The same predictor, trained with several seeds; sets that not all of them have are left out."""
        first = seeds[0]
        shared = [name for name in first.sets if all(name in one.sets for one in seeds)]
        sets = {name: Predictions.stack([one.sets[name] for one in seeds]) for name in shared}
        return cls(first.key, first.role, sets, tuple(seed for one in seeds for seed in one.seeds), first.kind)


def write_predictions(
    path: Path,
    measured: Sequence[Measured],
    kept: Sequence[str],
    groups: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """One row for each predictor, seed, set and image.

    Args:
        path: CSV file.
        measured: Predictions.
        kept: Records whose edit was kept.
        groups: Record → attribute → group, of those that are edited.
    """
    groups = groups or {}
    attributes = list(dict.fromkeys(attribute for of_one in groups.values() for attribute in of_one))
    names = list(dict.fromkeys(name for one in measured for found in one.sets.values() for name in found.values))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*ABOUT, *(f"{GROUP}{attribute}" for attribute in attributes), *names])
    entered = set(kept)
    for one in measured:
        for data, found in one.sets.items():
            for s, seed in enumerate(one.seeds):
                rows = {name: value[s] for name, value in found.values.items()}
                for i, (id_, patient) in enumerate(zip(found.ids, found.patients, strict=True)):
                    numbers = [f"{rows[name][i]:.6g}" if name in rows else "" for name in names]
                    about = [one.key, one.role, one.kind, "" if seed is None else seed, data, id_, patient]
                    about = [*(escaped(str(cell)) for cell in about), int(id_ in entered)]
                    about += [escaped(groups.get(id_, {}).get(attribute, "")) for attribute in attributes]
                    writer.writerow([*about, *numbers])
    write_atomically(path, text.getvalue().encode())


def read_predictions(path: Path) -> tuple[list[Measured], list[str], dict[str, dict[str, str]]]:
    """What `write_predictions` wrote.

    Returns:
        Predictions; the records whose edit was kept, in the order of the stress set; and record → attribute → group,
        empty where there are none.

    Raises:
        ValueError: If the file lacks a column, or has a value that is not allowed; the message names the line.
    """
    frame = _text(path)
    names = [name for name in frame.columns if name not in ABOUT and not name.startswith(GROUP)]
    frame[names] = frame[names].apply(pd.to_numeric, errors="coerce")
    for name in {"probability", "positive", "correct", "label", "dice", "dice_all"} & set(names):
        if wrong := [*frame.index[(frame[name] < 0) | (frame[name] > 1)]]:
            raise ValueError(f"{path}, line {wrong[0] + 2}: {name} is {frame[name][wrong[0]]:g}; allowed is 0…1.")
    if wrong := [*frame.index[~frame.seed.str.fullmatch(r"-?[0-9]{1,18}|")]]:
        raise ValueError(f"{path}, line {wrong[0] + 2}: seed is {frame.seed[wrong[0]]!r:.80}; allowed is a number.")
    edits = frame[frame.data == "edit"]
    kept = list(dict.fromkeys(edits[edits.kept == "1"].record))
    return list(_measured(frame, names)), kept, _groups(frame)


def _groups(frame: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Record → attribute → group."""
    columns = [name for name in frame.columns if name.startswith(GROUP)]
    edits = frame[frame.data == "edit"].drop_duplicates("record")
    return {
        str(record): {name.removeprefix(GROUP): unescaped(group) for name, group in of_one.items() if group}
        for record, of_one in zip(edits.record, edits[columns].to_dict("records"), strict=True)
        if columns
    }


def _text(path: Path) -> pd.DataFrame:
    """The file as text, but for numbers.

    Raises:
        ValueError: If it is no table, or lacks a column.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            head = next(rows, [])
            for row in rows:
                if len(row) != len(head):  # pandas would shift its cells
                    raise ValueError(f"line {rows.line_num} has {len(row)} cells, the header {len(head)}.")
        text = [name for name in head if name in ABOUT or name.startswith(GROUP)]
        frame = pd.read_csv(path, dtype=dict.fromkeys(text, str), keep_default_na=False, na_values={})
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path} can't be read as predictions: {error}") from None
    if lacking := [name for name in ABOUT if name not in frame.columns]:
        raise ValueError(f"{path} has no column {lacking[0]!r}; it has {', '.join(frame.columns)}.")
    for name in ABOUT:
        frame[name] = frame[name].map(unescaped)
    return frame


def _measured(frame: pd.DataFrame, names: Sequence[str]) -> Iterator[Measured]:
    for (key, role, kind), of_one in frame.groupby(["predictor", "role", "kind"], sort=False):
        seeds = []
        for seed, of_seed in of_one.groupby("seed", sort=False):
            sets = {
                str(data): Predictions(
                    list(images.record),
                    list(images.patient),
                    {name: images[name].to_numpy(np.float64)[None] for name in names if images[name].notna().all()},
                )
                for data, images in of_seed.groupby("data", sort=False)
            }
            seeds.append(Measured(str(key), str(role), sets, (int(str(seed)) if seed else None,), str(kind)))
        yield Measured.stack(seeds) if len(seeds) > 1 else seeds[0]
