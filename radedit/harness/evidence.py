"""From predictions to evidence: table, attribution, agreement (for scenarios that remove a finding).

False-positive rates along the reference's own chain and the edit telescope exactly:

    edit − reference = VAE + inversion + artefact + shift
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from radedit.data.stress_set import read_rows, read_skipped
from radedit.harness.evaluate import Scores, Subject, kind_reader, kinds, predict
from radedit.harness.scenario import Addition, Scenario, StressData
from radedit.harness.statistics import Estimate, clustered_mean
from radedit.types import Reader

TERMS = (
    ("VAE", "reference", "reference_vae", "what encoding and decoding alone does to a negative image"),
    ("inversion", "reference_vae", "reference_replay", "what the editor's path adds with an empty prompt"),
    (
        "artefact",
        "reference_replay",
        "sham",
        "what the same edit adds where there is nothing to remove and no shortcut",
    ),
    ("shift", "sham", "edit", "what remains: the finding is gone, the shortcut has stayed"),
)
SPLIT = (
    ("residual finding", "twin", "edit", "the edit against the true counterfactual: what the editor left or added"),
    ("true shift", "reference", "twin", "the true counterfactual against the negative image: the shortcut itself"),
)
QUALIFIED: Mapping[str, Mapping[str, tuple[float | None, float | None]]] = {
    "confounded": {"1-0": (0.70, None), "0-0": (0.90, None), "0-1": (None, 0.40)},
    "unconfounded": {cell: (0.85, None) for cell in ("1-1", "1-0", "0-1", "0-0")},
}


@dataclass
class Measured:
    """Scores of one predictor on everything.

    Attributes:
        subject: The predictor.
        kinds: Kind of image of the stress set → scores, all of the same records.
        own: On its own test set.
        shifted: On other patients, where the shift really happened.
        cells: Cell → scores.
    """

    subject: Subject
    kinds: dict[str, Scores]
    own: Scores
    shifted: Scores | None
    cells: dict[str, Scores]


def measure(
    subject: Subject, scenario: Scenario, data: StressData, stress_set: Path, size: int, folder: Path
) -> Measured:
    """Run one predictor over the stress set, its own test set, the truly shifted patients and the four cells."""

    def scores(reader: Reader, name: str) -> Scores:
        return predict(subject.predictor, reader, scenario.finding, size, cache=folder / subject.key / f"{name}.csv")

    by_kind = {}
    for kind in kinds(stress_set):
        found = scores(kind_reader(stress_set, kind), kind)
        ids = [id_.rsplit("/", 1)[0] for id_ in found.ids]
        by_kind[kind] = Scores(ids, found.subjects, found.labels, found.probabilities)
    return Measured(
        subject,
        by_kind,
        scores(subject.own_test, "own"),
        scores(data.shifted, "shifted") if data.shifted is not None else None,
        {cell: scores(reader, f"cell-{cell}") for cell, reader in data.cells.items()},
    )


def kept_records(stress_set: Path) -> tuple[list[str], list[str]]:
    """Records whose edit was kept, and all records."""
    edits = [row for row in read_rows(stress_set) if row["attr_kind"] == "edit"]
    return [row["attr_record"] for row in edits if row["kept"]], [row["attr_record"] for row in edits]


def accuracy(scores: Scores) -> Estimate:
    """Share of right answers."""
    return clustered_mean(scores.correct, scores.subjects)


def table(
    measured: Sequence[Measured], scenario: Scenario, kept: Sequence[str], every: Sequence[str]
) -> list[dict[str, Any]]:
    """Accuracy of each predictor on each set, in the form of Table 2, with the paper's number beside it."""
    rows: list[dict[str, Any]] = []
    gone = f"no {scenario.finding}, with {scenario.shortcut}"
    for one in measured:
        paper = scenario.paper.get(one.subject.role, {})
        entries: list[tuple[str, str, Scores, float | None]] = [
            ("own test set", f"{scenario.finding} or not", one.own, paper.get("own"))
        ]
        if kept:
            entries.append(("synthetic (kept)", gone, one.kinds["edit"].only(kept), paper.get("synthetic")))
        entries.append(("synthetic (all)", gone, one.kinds["edit"].only(every), None))
        if "twin" in one.kinds:
            entries.append(("truly shifted, same patients", gone, one.kinds["twin"].only(kept or every), None))
        if one.shifted is not None:
            entries.append(("truly shifted, other patients", gone, one.shifted, None))
        entries.append(
            ("replay", f"{scenario.finding}, as in the source", one.kinds["replay"].only(kept or every), None)
        )
        if "sham" in one.kinds:
            label = f"no {scenario.finding}, no {scenario.shortcut}"
            entries.append(("sham", label, one.kinds["sham"].only(kept or every), None))
        rows += [
            {
                "predictor": one.subject.key,
                "data": name,
                "label": label,
                "n": len(s.ids),
                "accuracy": accuracy(s).dict(),
                "paper": p,
            }
            for name, label, s, p in entries
        ]
    return rows


def attribution(measured: Sequence[Measured], records: Sequence[str]) -> list[dict[str, Any]]:
    """False-positive rate of the edit as a sum of terms along the reference's chain; shams follow their edit's keep."""
    result = []
    for one in measured:
        if "sham" not in one.kinds or not records:
            continue
        positive = {
            kind: scores.only(records).positive for kind, scores in one.kinds.items() if {*records} <= {*scores.ids}
        }
        subjects = one.kinds["edit"].only(records).subjects

        def rate(values: Any, subjects: Sequence[str] = subjects) -> dict[str, Any]:
            return clustered_mean(values, subjects).dict()

        def terms(
            which: Sequence[tuple[str, str, str, str]], positive: Mapping[str, Any] = positive, rate: Any = rate
        ) -> list[dict[str, Any]]:
            return [
                {"name": name, "meaning": meaning, "value": rate(positive[after] - positive[before])}
                for name, before, after, meaning in which
                if before in positive and after in positive
            ]

        result.append(
            {
                "predictor": one.subject.key,
                "n": len(records),
                "reference": rate(positive["reference"]),
                "terms": terms(TERMS),
                "edit": rate(positive["edit"]),
                "split": terms(SPLIT),
                "keep_sham": {"source": rate(positive["source"]), "keep_sham": rate(positive["keep_sham"])},
            }
        )
    return result


def agreement(measured: Sequence[Measured], records: Sequence[str], edits: str = "kept") -> list[dict[str, Any]]:
    """Synthetic against truly shifted accuracy of the same patients, with the paired difference; `edits` says which."""
    result = []
    for one in measured:
        if "twin" not in one.kinds or not records:
            continue
        synthetic, truth = one.kinds["edit"].only(records), one.kinds["twin"].only(records)
        result.append(
            {
                "predictor": one.subject.key,
                "edits": edits,
                "n": len(records),
                "synthetic": accuracy(synthetic).dict(),
                "truth": accuracy(truth).dict(),
                "difference": clustered_mean(synthetic.correct - truth.correct, synthetic.subjects).dict(),
            }
        )
    return result


def qualification(one: Measured, scenario: Scenario) -> tuple[bool, str, list[dict[str, Any]]]:
    """Whether a predictor may be tested, why, and its four cells (accuracy on true images, with and without each)."""
    cells, short = [], []
    for cell, scores in one.cells.items():
        finding, shortcut = (int(part) for part in cell.split("-"))
        found = accuracy(scores)
        cells.append(
            {
                "finding": finding,
                "shortcut": shortcut,
                "n": found.n,
                "accuracy": found.dict(),
                "picture": f"pictures/cell-{cell}.png",
            }
        )
        low, high = QUALIFIED.get(one.subject.role, {}).get(cell, (None, None))
        where = f"{scenario.finding} {'+' if finding else '−'}, {scenario.shortcut} {'+' if shortcut else '−'}"
        if low is not None and found.value < low:
            short.append(f"{found.value:.0%} right where {where}; at least {low:.0%} expected")
        if high is not None and found.value > high:
            short.append(
                f"{found.value:.0%} right where {where}; at most {high:.0%} expected of one that takes the shortcut"
            )
    return not short, "; ".join(short) or "all four cells are as its training makes one expect", cells


def edit_quality(stress_set: Path) -> dict[str, Any] | None:
    """Pixel change inside m_keep against the autoencoder's round trip, in grey levels of 255."""
    rows = [row for row in read_rows(stress_set) if row["attr_kind"] == "edit" and row["keep_change_mean"] is not None]
    if not rows:
        return None
    mean = clustered_mean([row["keep_change_mean"] for row in rows], [row["subject_id"] for row in rows])
    return {"keep_change_mean": mean.dict(), "keep_change_max": max(float(row["keep_change_max"]) for row in rows)}


def flips(one: Measured, record: str) -> bool:
    """Whether the predictor's answer changes between source and edit."""
    source, edit = (one.kinds[kind].only([record]).positive[0] for kind in ("source", "edit"))
    return bool(source != edit)


def worst_first(measured: Sequence[Measured], records: Sequence[str]) -> list[str]:
    """Records by how surely the predictors still see a finding that has been removed."""
    certainty = np.mean([one.kinds["edit"].only(records).probabilities for one in measured], axis=0)
    return [records[i] for i in np.argsort(-certainty, kind="stable")]


@dataclass(frozen=True)
class Evidence:
    """All that a report of a scenario tells, as JSON has it, but for provenance and pictures.

    Attributes:
        scenario: What was asked.
        subjects: Who was tested.
        predictors: Each with its four cells and whether it qualifies.
        table, attribution, agreement: See the functions of these names.
        score: Editing score of every edit, and whether it was kept.
        counts: Of records.
        skipped: Records that could not be edited.
        quality: See `edit_quality`.
        gallery: Records to be shown, the worst first.
        probabilities: Record → predictor → kind of image → probability.
        cells: Cell → reader of its films, for pictures.
        notes: Sentences for the reader.
        answers: Record → kind of image → predictor → mask that it drew, (1, H, W), for pictures.
        truths: Record → what they should have drawn.
    """

    scenario: Scenario | Addition
    subjects: list[Subject]
    predictors: list[dict[str, Any]]
    table: list[dict[str, Any]]
    attribution: list[dict[str, Any]]
    agreement: list[dict[str, Any]]
    score: dict[str, list[Any]]
    counts: dict[str, int]
    skipped: list[dict[str, str]]
    quality: dict[str, Any] | None
    gallery: list[str]
    probabilities: dict[str, dict[str, dict[str, float]]]
    cells: Mapping[str, Reader]
    notes: list[str]
    answers: dict[str, dict[str, dict[str, Tensor]]] = field(default_factory=dict)
    truths: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Edits:
    """What the stress set itself says of its edits.

    Attributes:
        kept, every: Records whose edit was kept, and all that were edited.
        score, counts, skipped: As in `Evidence`.
        note: How many were kept, as a sentence.
    """

    kept: list[str]
    every: list[str]
    score: dict[str, list[Any]]
    counts: dict[str, int]
    skipped: list[dict[str, str]]
    note: str

    @classmethod
    def of(cls, stress_set: Path, data: StressData) -> Edits:
        """Read a finished stress set."""
        kept, every = kept_records(stress_set)
        edits = {row["attr_record"]: row for row in read_rows(stress_set) if row["attr_kind"] == "edit"}
        skipped = [{"record": entry["id"], "reason": entry["reason"]} for entry in read_skipped(stress_set)]
        share = "Every edit was" if len(kept) == len(every) else f"{len(kept)} of {len(every)} edits were"
        return cls(
            kept,
            every,
            {"cosine": [edits[r]["cosine"] for r in every], "kept": [edits[r]["kept"] for r in every]},
            {
                "sources": len(data.source.records),
                "edited": len(every),
                "skipped": len(skipped),
                "kept": len(kept),
                "rejected": sum(not edits[r]["kept"] and edits[r]["cosine"] is not None for r in every),
                "undefined": sum(edits[r]["cosine"] is None for r in every),
            },
            skipped,
            f"{share} kept by the editing score.",
        )


def gather(
    subjects: Sequence[Subject],
    scenario: Scenario,
    data: StressData,
    stress_set: Path,
    *,
    size: int,
    answers: Path,
    n_gallery: int,
) -> Evidence:
    """Test predictors on a finished stress set and put the evidence together.

    Args:
        subjects: Predictors.
        scenario: What was asked.
        data: Readers that the set was made from.
        stress_set: Folder of the set.
        size: Side of the films, px.
        answers: Folder in which predictors' answers are kept.
        n_gallery: How many records to show.
    """
    measured = [measure(subject, scenario, data, stress_set, size, answers) for subject in subjects]
    edits = Edits.of(stress_set, data)
    kept, every = edits.kept, edits.every
    predictors = []
    for one in measured:
        qualified, why, cells = qualification(one, scenario)
        subject = one.subject
        predictors.append(
            {
                **{k: getattr(subject, k) for k in ("key", "name", "role", "kind", "trained_on", "parameters")},
                "qualified": qualified,
                "why": why,
                "cells": cells,
            }
        )
    others = {kind for one in measured for kind in one.kinds} - {"edit"}
    first = [
        record for record in every if all(record in one.kinds[k].ids for one in measured for k in _editors(others))
    ]
    ranked = worst_first(measured, every)
    gallery = sorted(ranked, key=lambda record: record not in first)[:n_gallery]  # those that every editor edited first
    notes = [
        edits.note,
        "Replay, sham and edit of one film share their noise and their inversion.",
    ]
    if not kept:
        notes.append("No edit was kept, so the attribution is over all edits.")
    return Evidence(
        scenario,
        list(subjects),
        predictors,
        table(measured, scenario, kept, every),
        attribution(measured, kept or every),
        [*agreement(measured, kept), *agreement(measured, every, "all")],
        edits.score,
        edits.counts,
        edits.skipped,
        edit_quality(stress_set),
        gallery,
        {
            record: {
                one.subject.key: {
                    k: float(s.only([record]).probabilities[0]) for k, s in one.kinds.items() if record in s.ids
                }
                for one in measured
            }
            for record in gallery
        },
        data.cells,
        notes,
    )


def _editors(kinds_: set[str]) -> set[str]:
    """Kinds of images that another editor made."""
    ours = {"source", "vae", "replay", "keep_sham", "reference", "reference_vae", "reference_replay", "sham", "twin"}
    return kinds_ - ours
