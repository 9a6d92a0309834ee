"""From segmentations to evidence, for scenarios that add an abnormality (Section 5.4).

Dice against the unchanged mask falls along the source's own chain, and telescopes exactly:

    edit − source = VAE + inversion + artefact + shift
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from radedit.data.stress_set import read_rows
from radedit.harness.evaluate import Subject, kind_reader, kinds
from radedit.harness.evidence import Edits, Evidence, edit_quality
from radedit.harness.scenario import Addition, StressData
from radedit.harness.segmentation import Overlaps, drawn, segment
from radedit.harness.statistics import Estimate, clustered_mean
from radedit.types import Reader

TERMS = (
    ("VAE", "source", "vae", "what encoding and decoding alone does to the film"),
    ("inversion", "vae", "replay", "what the editor’s path adds with an empty prompt"),
    ("artefact", "replay", "sham", "what the same edit adds with a prompt that adds nothing"),
    ("shift", "sham", "edit", "what remains: the abnormality that the prompt names"),
)
OUTLINED = ("source", "edit", "sham", "twin")  # kinds of images that the gallery shows with outlines


@dataclass(frozen=True)
class Measured:
    """One predictor's overlaps with the truth.

    Attributes:
        subject: The predictor.
        kinds: Kind of image of the stress set → overlaps.
        own: On its own test set.
    """

    subject: Subject
    kinds: dict[str, Overlaps]
    own: Overlaps


def measure(subject: Subject, scenario: Addition, stress_set: Path, size: int, folder: Path) -> Measured:
    """Run one predictor over the stress set and over its own test set."""

    def overlaps(reader: Reader, name: str) -> Overlaps:
        cache = folder / subject.key / f"{name}.json"
        return segment(subject.predictor, reader, scenario.structures, scenario.edited, size, cache=cache)  # type: ignore[arg-type]

    by_kind = {}
    for kind in kinds(stress_set):
        found = overlaps(kind_reader(stress_set, kind), kind)
        by_kind[kind] = Overlaps([id_.rsplit("/", 1)[0] for id_ in found.ids], found.subjects, found.values)
    return Measured(subject, by_kind, overlaps(subject.own_test, "own"))


def mean(overlaps: Overlaps, name: str = "dice") -> Estimate:
    """Mean of a measure over films, with an interval over patients."""
    return clustered_mean(overlaps.values[name], overlaps.subjects)


def table(
    measured: Sequence[Measured], scenario: Addition, kept: Sequence[str], every: Sequence[str]
) -> list[dict[str, Any]]:
    """Measures of each predictor on each set of films; the controls follow the keep decision of their edit."""
    rows = []
    with_it, without = f"with {scenario.added}", "as they are"
    for one in measured:
        entries = [("own test set", without, one.own)]
        if kept:
            entries.append(("synthetic (kept)", with_it, one.kinds["edit"].only(kept)))
        entries.append(("synthetic (all)", with_it, one.kinds["edit"].only(every)))
        if "twin" in one.kinds:
            label = f"{scenario.added}, drawn"
            entries.append(("drawn onto the same films", label, one.kinds["twin"].only(kept or every)))
        entries += [(kind, without, one.kinds[kind].only(kept or every)) for kind in ("replay", "sham")]
        rows += [
            {
                "predictor": one.subject.key,
                "data": data,
                "label": label,
                "n": len(overlaps.ids),
                "scores": {name: mean(overlaps, name).dict() for name in overlaps.values if name != "missed"},
                "missed": int(overlaps.values["missed"].sum()),
                "paper": None,
            }
            for data, label, overlaps in entries
        ]
    return rows


def attribution(measured: Sequence[Measured], records: Sequence[str]) -> list[dict[str, Any]]:
    """Dice of the edit as a sum of terms along the source's chain."""
    result = []
    for one in measured:
        chain = {kind: one.kinds[kind].only(records) for kind in ("source", "vae", "replay", "sham", "edit")}
        subjects = chain["edit"].subjects
        terms = [
            {
                "name": name,
                "meaning": meaning,
                "value": clustered_mean(chain[after].values["dice"] - chain[before].values["dice"], subjects).dict(),
            }
            for name, before, after, meaning in TERMS
        ]
        ends = {"reference": mean(chain["source"]).dict(), "terms": terms, "edit": mean(chain["edit"]).dict()}
        result.append({"predictor": one.subject.key, "n": len(records), **ends})
    return result


def agreement(measured: Sequence[Measured], records: Sequence[str], edits: str) -> list[dict[str, Any]]:
    """Dice on edits and on the same films with the abnormality drawn onto them; arguments as for `evidence`'s."""
    result = []
    for one in measured:
        if "twin" not in one.kinds:
            continue
        synthetic, truth = one.kinds["edit"].only(records), one.kinds["twin"].only(records)
        difference = clustered_mean(synthetic.values["dice"] - truth.values["dice"], synthetic.subjects)
        ends = {"synthetic": mean(synthetic).dict(), "truth": mean(truth).dict(), "difference": difference.dict()}
        result.append({"predictor": one.subject.key, "edits": edits, "n": len(records), **ends})
    return result


def worst_first(measured: Sequence[Measured], records: Sequence[str]) -> list[str]:
    """Records by how much of the edited structure the predictors lose."""
    overlap = np.mean([one.kinds["edit"].only(records).values["dice"] for one in measured], axis=0)
    return [records[i] for i in np.argsort(overlap, kind="stable")]


def gather_addition(
    subjects: Sequence[Subject],
    scenario: Addition,
    data: StressData,
    stress_set: Path,
    *,
    size: int,
    answers: Path,
    n_gallery: int,
) -> Evidence:
    """Test segmenters on a finished stress set and put the evidence together; arguments as for `evidence.gather`."""
    measured = [measure(subject, scenario, stress_set, size, answers) for subject in subjects]
    edits = Edits.of(stress_set, data)
    records = edits.kept or edits.every
    gallery = worst_first(measured, edits.every)[:n_gallery]
    dice_of = {
        record: {
            one.subject.key: {
                kind: float(found.only([record]).values["dice"][0])
                for kind, found in one.kinds.items()
                if record in found.ids
            }
            for one in measured
        }
        for record in gallery
    }
    notes = [
        edits.note,
        "Source, replay, sham and edit of one film share their masks, their noise and their inversion.",
        "Every measure is taken against the mask that was drawn on the film before it was edited: what is added does "
        "not move the lung’s border.",
        *_missed(measured),
        *_composition(data, edits.every),
    ]
    if not edits.kept:
        notes.append("No edit was kept, so attribution and agreement are over all edits.")
    outlines, truths = _outlines(subjects, scenario, stress_set, gallery)
    shown = ("key", "name", "role", "kind", "trained_on", "parameters")
    return Evidence(
        scenario=scenario,
        subjects=list(subjects),
        predictors=[{name: getattr(subject, name) for name in shown} for subject in subjects],
        table=table(measured, scenario, edits.kept, edits.every),
        attribution=attribution(measured, records),
        agreement=agreement(measured, records, "kept" if edits.kept else "all"),
        score=edits.score,
        counts=edits.counts,
        skipped=edits.skipped,
        quality=edit_quality(stress_set),
        gallery=gallery,
        probabilities=dice_of,
        cells={},
        notes=notes,
        answers=outlines,
        truths=truths,
    )


def _missed(measured: Sequence[Measured]) -> list[str]:
    """A sentence for each predictor that drew nothing, with the films."""
    notes = []
    for one in measured:
        lost = {
            kind: [id_ for id_, gone in zip(found.ids, found.values["missed"], strict=True) if gone]
            for kind, found in one.kinds.items()
        }
        said = "; ".join(f"{kind}: {', '.join(ids)}" for kind, ids in lost.items() if ids)
        if said:
            notes.append(
                f"{one.subject.name} drew nothing where there is a lung. These count as the worst case ({said})."
            )
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
    subjects: Sequence[Subject], scenario: Addition, stress_set: Path, gallery: Sequence[str]
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
            sample = reader.load(record)
            answers[id_][kind] = {
                subject.key: drawn(subject.predictor, sample.image[None], scenario.structures)[0].any(0)  # type: ignore[arg-type]
                for subject in subjects
            }
            truths[id_] = torch.cat([sample.masks[name] for name in scenario.structures]).any(0)
    return answers, truths
