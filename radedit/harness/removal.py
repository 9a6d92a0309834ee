"""Evidence of scenarios that remove a finding (Sections 5.2 and 5.3): all of it as false-positive rates.

The edit has not got the finding, so whoever calls it present is wrong. The rate changes along the chain of a reference
film, which is negative and lacks the shortcut, to the edit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from radedit.data.cache import fingerprint
from radedit.data.held import Shelf
from radedit.harness.answers import Answers, Measured
from radedit.harness.edits import Edits, edit_quality
from radedit.harness.evaluate import Subject, answers_file, kind_reader, kinds, predict, probabilities
from radedit.harness.evidence import (
    Evidence,
    Row,
    Term,
    Yardstick,
    figures,
    probabilities_of,
    worst_first,
)
from radedit.harness.proportions import mcnemar
from radedit.harness.ranks import crossed_auroc
from radedit.harness.scenario import Removal, StressData
from radedit.harness.statistics import crossed_mean
from radedit.harness.verdict import Rules
from radedit.types import Reader

YARDSTICK = Yardstick(
    measure="correct",
    chained="positive",
    worse=1,
    terms=(
        Term("VAE", "reference", "reference_vae", "what encoding and decoding alone does to a negative image"),
        Term("inversion", "reference_vae", "reference_replay", "what the editor's path adds with an empty prompt"),
        Term(
            "artefact", "reference_replay", "sham",
            "what the same edit adds where there is nothing to remove and no shortcut",
        ),
        Term("shift", "sham", "edit", "what remains: the finding is gone, the shortcut has stayed"),
    ),
    split=(
        Term(
            "residual finding", "twin", "edit",
            "the edit against the true counterfactual: what the editor left or added",
        ),
        Term(
            "true shift", "reference", "twin",
            "the true counterfactual against the negative image: the shortcut itself",
        ),
    ),
    control=Term("control", "source", "replay", "what the editor's path hides of a finding that is there"),
)  # fmt: skip
OURS = ("source", "vae", "replay", "keep_sham", "reference", "reference_vae", "reference_replay", "sham", "twin")


def rows(scenario: Removal, twin_is: str) -> list[Row]:
    """Lines of the table."""
    finding, shortcut = (scenario.words[name] for name in ("finding", "shortcut"))
    gone = f"no {finding}, with {shortcut}"
    return [
        Row("ordinary test set", f"{finding} or not", "ordinary", "own", "ordinary"),
        Row("synthetic (kept)", gone, "edit", "kept", "synthetic"),
        Row("synthetic (all)", gone, "edit", "every"),
        Row(twin_is, gone, "twin"),
        Row("truly shifted, other patients", gone, "shifted", "own"),
        Row("replay", f"{finding}, as in the source", "replay"),
        Row("sham", f"no {finding}, no {shortcut}", "sham"),
    ]


def require(subjects: Sequence[Subject], scenario: Removal, size: int) -> None:
    """See before any long work that predictors detect what is removed, by asking each about one grey film.

    Raises:
        ValueError: If one detects something else, or answers with anything but a probability.
    """
    for subject in subjects:
        label = getattr(subject.predictor, "label", scenario.finding)
        if label != scenario.finding:
            raise ValueError(
                f"{subject.key} detects {label or 'nothing'}; scenario {scenario.name} removes {scenario.finding}, so "
                f"it needs predictors with the label {scenario.finding!r}."
            )
        probabilities(subject.predictor, torch.full((1, 1, size, size), 0.5))


def measure(
    subject: Subject, scenario: Removal, data: StressData, images: Mapping[str, Reader], shelf: Shelf, size: int,
    folder: Path,
) -> Measured:  # fmt: skip
    """Run one predictor over the stress set, its ordinary test set, the truly shifted patients and the four cells."""

    def answers(reader: Reader, name: str) -> Answers:
        cache = answers_file(folder, subject, name, fingerprint(reader), scenario.finding, size)
        held = shelf.of(reader)
        return Answers.of_scores(predict(subject.predictor, held, scenario.finding, size, cache=cache))

    sets: dict[str, Answers] = {}
    for kind, reader in images.items():
        found = answers(reader, kind)
        sets[kind] = Answers([id_.rsplit("/", 1)[0] for id_ in found.ids], found.subjects, found.values)
    sets["ordinary"] = answers(subject.own_test, "ordinary")
    if data.shifted is not None:
        sets["shifted"] = answers(data.shifted, "shifted")
    sets |= {f"cell-{cell}": answers(reader, f"cell-{cell}") for cell, reader in data.cells.items()}
    return Measured(subject.key, subject.role, sets, (subject.seed,))


def qualification(one: Measured, scenario: Removal) -> dict[str, Any]:
    """Whether a predictor may be tested, why, and its four cells (accuracy on true images, with and without each)."""
    cells, short = [], []
    finding_name, shortcut_name = (scenario.words[name] for name in ("finding", "shortcut"))
    for name, found in one.sets.items():
        if not name.startswith("cell-"):
            continue
        cell = name.removeprefix("cell-")
        finding, shortcut = (int(part) for part in cell.split("-"))
        accuracy = found.mean("correct")
        about = {"finding": finding, "shortcut": shortcut, "n": accuracy.n, "accuracy": accuracy.dict()}
        cells.append({**about, "picture": f"pictures/cell-{cell}.png"})
        low, high = scenario.qualifies.get(one.role, {}).get(cell, (None, None))
        where = f"{finding_name} {'+' if finding else '−'}, {shortcut_name} {'+' if shortcut else '−'}"
        if low is not None and accuracy.value < low:
            short.append(f"{accuracy.value:.0%} right where {where}; at least {low:.0%} expected")
        if high is not None and accuracy.value > high:
            short.append(
                f"{accuracy.value:.0%} right where {where}; at most {high:.0%} expected of one that takes the shortcut"
            )
    why = "; ".join(short) or "all cells are as its training makes one expect"
    return {"qualified": not short if cells else None, "why": why if cells else "", "cells": cells}


def ranking(
    measured: Sequence[Measured], thresholds: Mapping[str, Sequence[float]], records: Sequence[str]
) -> list[dict[str, Any]]:
    """What classifiers' probabilities say beside their answers at 0.5.

    AUROC only where both classes exist: on the ordinary test set, and with keep-shams as positives and edits as
    negatives; how often a source scores above its own edit; accuracy on edits at the threshold that was chosen on
    validation films; McNemar's test of the edit against its own sham. Over several seeds all are means, but for the
    test, which is that of the seed with the largest p.

    Args:
        measured: Answers.
        thresholds: Predictor → threshold of each seed.
        records: Whose edits are taken.
    """
    result = []
    for one in measured:
        ordinary = one.sets["ordinary"]
        label, probability = ordinary.values["label"][0].astype(bool), ordinary.values["probability"]
        whose = np.asarray(ordinary.subjects, dtype=object)
        entry: dict[str, Any] = {"predictor": one.key, "n": len(records)}
        area = crossed_auroc(probability[:, label], probability[:, ~label], list(whose[label]), list(whose[~label]))
        entry["auroc_ordinary"] = area.dict() if area else None
        found = {kind: one.of(kind, records) for kind in ("source", "keep_sham", "edit", "sham")}
        edit, source, kept, sham = found["edit"], found["source"], found["keep_sham"], found["sham"]
        if records and edit is not None:
            p_edit = edit.values["probability"]
            if kept is not None:
                area = crossed_auroc(kept.values["probability"], p_edit, kept.subjects, edit.subjects)
                entry["auroc_edits"] = area.dict() if area else None
            if source is not None:
                p = source.values["probability"]
                entry["precedence"] = crossed_mean((p > p_edit) + (p == p_edit) / 2, edit.subjects).dict()
            if sham is not None:
                pairs = zip(edit.values["correct"], sham.values["correct"], strict=True)
                entry["mcnemar"] = asdict(max((mcnemar(*pair) for pair in pairs), key=lambda test: test.p))
            chosen = np.asarray(thresholds.get(one.key, [0.5] * len(p_edit)), dtype=np.float64)
            entry["threshold"] = float(chosen.mean())
            entry["at_threshold"] = crossed_mean(p_edit < chosen[:, None], edit.subjects).dict()
        result.append(entry)
    return result


def gather(
    subjects: Sequence[Subject],
    scenario: Removal,
    data: StressData,
    stress_set: Path,
    *,
    size: int,
    answers: Path,
    n_gallery: int,
    rules: Rules,
) -> Evidence:
    """Test predictors on a finished stress set and put the evidence together.

    Args:
        subjects: Predictors.
        scenario: What was asked.
        data: Readers that the set was made from.
        stress_set: Folder of the set.
        size: Side of the films, px.
        answers: Folder in which predictors' answers are kept, of this run and of all others.
        n_gallery: How many records to show.
        rules: What is a failure, fixed beforehand.
    """
    edits = Edits.of(stress_set, data)
    images, shelf = {kind: kind_reader(stress_set, kind) for kind in kinds(stress_set)}, Shelf()
    measured = [measure(subject, scenario, data, images, shelf, size, answers) for subject in subjects]
    kept, every = edits.kept, edits.every
    shown = ("key", "name", "role", "kind", "trained_on", "parameters", "folder", "seed")
    predictors = [
        {name: getattr(subject, name) for name in shown} | qualification(one, scenario)
        for subject, one in zip(subjects, measured, strict=True)
    ]
    present = list(dict.fromkeys(kind for one in measured for kind in one.sets if one.of(kind, every[:1])))
    others = [kind for kind in present if kind not in (*OURS, "edit")]
    first = {record for record in every if all(one.of(k, [record]) is not None for one in measured for k in others)}
    ranked = worst_first(measured, every, "probability", 1)
    gallery = sorted(ranked, key=lambda record: record not in first)[:n_gallery]  # those that every editor edited first
    notes = [*data.notes, *edits.notes, "Replay, sham and edit of one film share their noise and their inversion."]
    if not kept:
        notes.append("No edit was kept, so the attribution is over all edits.")
    return Evidence(
        scenario=scenario,
        subjects=list(subjects),
        measured=measured,
        kept=kept,
        predictors=predictors,
        **figures(measured, rows(scenario, data.twin_is), YARDSTICK, scenario, rules, kept, every),
        ranking=ranking(measured, {subject.key: [subject.threshold] for subject in subjects}, kept or every),
        score=edits.score,
        counts=edits.counts,
        skipped=edits.skipped,
        quality=edit_quality(stress_set),
        gallery=gallery,
        probabilities=probabilities_of(measured, gallery, [*present], "probability"),
        cells=data.cells,
        notes=notes,
    )
