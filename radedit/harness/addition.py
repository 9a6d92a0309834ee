"""Evidence of scenarios that add an abnormality (Section 5.4), for segmenters.

Dice against the unchanged mask falls along the source's own chain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from radedit.data.cache import fingerprint
from radedit.data.held import Shelf
from radedit.data.stress_set import read_rows
from radedit.data.transforms import preprocess
from radedit.harness.answers import Answers, Measured
from radedit.harness.edits import Edits, edit_quality
from radedit.harness.evaluate import Subject, answers_file, kind_reader, kinds
from radedit.harness.evidence import Evidence, Row, Term, Yardstick, figures, probabilities_of, worst_first
from radedit.harness.scenario import Addition, StressData
from radedit.harness.segmentation import Overlaps, drawn, segment
from radedit.harness.verdict import Rules
from radedit.types import Reader

YARDSTICK = Yardstick(
    measure="dice",
    chained="dice",
    worse=-1,
    terms=(
        Term("VAE", "source", "vae", "what encoding and decoding alone does to the film"),
        Term("inversion", "vae", "replay", "what the editor’s path adds with an empty prompt"),
        Term("artefact", "replay", "sham", "what the same edit adds with a prompt that adds nothing"),
        Term("shift", "sham", "edit", "what remains: the abnormality that the prompt names"),
    ),
    split=(
        Term("edit against truth", "twin", "edit", "the edit against the same film with the true abnormality"),
        Term("true shift", "source", "twin", "the true abnormality against the film as it is"),
    ),
    tabled=("dice_all", "hd95", "asd", "area"),
)
OUTLINED = ("source", "edit", "sham", "twin")  # kinds of images that the gallery shows with outlines


def rows(scenario: Addition, twin_is: str) -> list[Row]:
    """Lines of the table; the controls follow the keep decision of their edit."""
    with_it, without = f"with {scenario.added}", "as they are"
    return [
        Row("ordinary test set", without, "ordinary", "own", "ordinary"),
        Row("synthetic (kept)", with_it, "edit", "kept", "synthetic"),
        Row("synthetic (all)", with_it, "edit", "every"),
        Row(twin_is, with_it, "twin"),
        Row("source", without, "source"),
        Row("replay", without, "replay"),
        Row("sham", without, "sham"),
    ]


def require(subjects: Sequence[Subject], scenario: Addition, size: int) -> None:
    """See before any long work that predictors draw what is measured, by asking each about one grey film.

    Raises:
        ValueError: If one does not draw a structure, or answers with anything but probabilities.
    """
    for subject in subjects:
        drawn(subject.predictor, torch.full((1, 1, size, size), 0.5), scenario.structures)  # type: ignore[arg-type]


def measure(
    subject: Subject, scenario: Addition, images: Mapping[str, Reader], shelf: Shelf, size: int, folder: Path
) -> Measured:
    """Run one predictor over the stress set and over its ordinary test set."""

    def overlaps(reader: Reader, name: str) -> Overlaps:
        structures, edited = scenario.structures, scenario.edited
        cache = answers_file(folder, subject, name, fingerprint(reader), structures, edited, size)
        return segment(subject.predictor, shelf.of(reader), structures, edited, size, cache=cache)  # type: ignore[arg-type]

    sets = {}
    for kind, reader in images.items():
        found = Answers.of_overlaps(overlaps(reader, kind))
        sets[kind] = Answers([id_.rsplit("/", 1)[0] for id_ in found.ids], found.subjects, found.values)
    sets["ordinary"] = Answers.of_overlaps(overlaps(subject.own_test, "ordinary"))
    return Measured(subject.key, subject.role, sets, (subject.seed,))


def gather(
    subjects: Sequence[Subject],
    scenario: Addition,
    data: StressData,
    stress_set: Path,
    *,
    size: int,
    answers: Path,
    n_gallery: int,
    rules: Rules,
) -> Evidence:
    """Test segmenters on a finished stress set and put the evidence together; arguments as for `removal.gather`."""
    edits = Edits.of(stress_set, data)
    images, shelf = {kind: kind_reader(stress_set, kind) for kind in kinds(stress_set)}, Shelf()
    measured = [measure(subject, scenario, images, shelf, size, answers) for subject in subjects]
    kept, every = edits.kept, edits.every
    gallery = worst_first(measured, every, "dice", -1)[:n_gallery]
    notes = [
        *data.notes,
        *edits.notes,
        "Source, replay, sham and edit of one film share their masks, their noise and their inversion.",
        "Every measure is taken against the mask that was drawn on the film before it was edited: what is added does "
        "not move the lung’s border.",
        *_missed(subjects, measured),
        *_composition(data, every),
    ]
    if not kept:
        notes.append("No edit was kept, so attribution and agreement are over all edits.")
    outlines, truths = _outlines(subjects, scenario, stress_set, gallery, size)
    shown = ("key", "name", "role", "kind", "trained_on", "parameters", "folder", "seed")
    return Evidence(
        scenario=scenario,
        subjects=list(subjects),
        measured=measured,
        kept=kept,
        predictors=[{name: getattr(subject, name) for name in shown} for subject in subjects],
        **figures(measured, rows(scenario, data.twin_is), YARDSTICK, scenario, rules, kept, every),
        score=edits.score,
        counts=edits.counts,
        skipped=edits.skipped,
        quality=edit_quality(stress_set),
        gallery=gallery,
        probabilities=probabilities_of(measured, gallery, kinds(stress_set), "dice"),
        cells={},
        notes=notes,
        answers=outlines,
        truths=truths,
    )


def _missed(subjects: Sequence[Subject], measured: Sequence[Measured]) -> list[str]:
    """A sentence for each predictor that drew nothing, with the films."""
    notes = []
    for subject, one in zip(subjects, measured, strict=True):
        lost = {
            kind: [id_ for id_, gone in zip(found.ids, found.values["missed"][0], strict=True) if gone]
            for kind, found in one.sets.items()
        }
        said = "; ".join(f"{kind}: {', '.join(ids)}" for kind, ids in lost.items() if ids)
        if said:
            notes.append(f"{subject.name} drew nothing where there is a lung. These count as the worst case ({said}).")
    return notes


def _composition(data: StressData, edited: Sequence[str]) -> list[str]:
    """Which views and sources were edited, and what the data set left out."""
    records = [record for record in data.source.records if record.id in set(edited)]
    notes = []
    for name in ("view", "source"):
        count = Counter(record.attributes[name] for record in records if record.attributes.get(name))
        if count:
            notes.append(f"Edited films by {name}: {', '.join(f'{key} {n}' for key, n in count.most_common())}.")
    excluded = getattr(data.source, "excluded", {})
    notes += [f"The data set left out {n} films of all its parts: {reason}." for reason, n in excluded.items()]
    return notes


def _outlines(
    subjects: Sequence[Subject], scenario: Addition, stress_set: Path, gallery: Sequence[str], size: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the predictors drew on the gallery's films, all structures together, and what they should have."""
    answers: dict[str, dict[str, dict[str, Any]]] = {record: {} for record in gallery}
    truths = {}
    present = {row["attr_kind"] for row in read_rows(stress_set)}
    for kind in OUTLINED:
        if kind not in present:
            continue
        reader = kind_reader(stress_set, kind)
        for record in reader.records:
            if (id_ := record.id.rsplit("/", 1)[0]) not in answers:
                continue
            sample = preprocess(reader.load(record), size)  # what `measure` shows them
            answers[id_][kind] = {
                subject.key: drawn(subject.predictor, sample.image[None], scenario.structures)[0].any(0)  # type: ignore[arg-type]
                for subject in subjects
            }
            truths[id_] = torch.cat([sample.masks[name] for name in scenario.structures]).any(0)
    return answers, truths
