"""Evidence of scenarios that add an abnormality (Section 5.4), for segmenters.

Dice against the unchanged mask falls along the source's own chain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from radedit.data.batches.cache import fingerprint
from radedit.data.image.transforms import preprocess
from radedit.data.stress_set import read_rows
from radedit.data.views.cached import MemoryBudget
from radedit.harness.evidence.checks import Check, reasons
from radedit.harness.evidence.edits import Edits, edit_quality
from radedit.harness.evidence.evidence import Evidence, entry_of, figures, probabilities_of, worst_first
from radedit.harness.evidence.results import PredictorEntry
from radedit.harness.evidence.verdict import Rules
from radedit.harness.evidence.yardstick import Line, Step, Yardstick
from radedit.harness.predictors.answers import AnswersModel
from radedit.harness.predictors.classify import TestedModel, kind_dataset, kinds, predictions_file
from radedit.harness.predictors.predictions import Measured, Predictions
from radedit.harness.predictors.segment import Overlaps, drawn, segment
from radedit.harness.stress.scenario import Addition, StressData
from radedit.harness.subgroups.groups import Groups
from radedit.types import Dataset

YARDSTICK = Yardstick(
    measure="dice",
    chained="dice",
    measures=("dice", "missed"),
    worse=-1,
    terms=(
        Step("VAE", "source", "vae", "what encoding and decoding alone does to the image"),
        Step("inversion", "vae", "replay", "what inversion adds with an empty prompt"),
        Step("artefact", "replay", "sham", "what the same edit adds with a prompt that adds nothing"),
        Step("shift", "sham", "edit", "what remains: the abnormality that the prompt names"),
    ),
    split=(
        Step(
            "edit against truth", "counterfactual", "edit", "the edit against the same image with the true abnormality"
        ),
        Step("true shift", "source", "counterfactual", "the true abnormality against the image as it is"),
    ),
    tabled=("dice_all", "hd95", "asd", "area"),
)
OUTLINED = ("source", "edit", "sham", "counterfactual")  # kinds of images that the gallery shows with outlines


def rows(scenario: Addition, counterfactual_is: str) -> list[Line]:
    """Lines of the table; the controls follow the keep decision of their edit."""
    with_it, without = f"with {scenario.added}", "as they are"
    return [
        Line("in-distribution test set", without, "in_distribution", "own", "in_distribution"),
        Line("synthetic (kept)", with_it, "edit", "kept", "synthetic"),
        Line("synthetic (all)", with_it, "edit", "every"),
        Line(counterfactual_is, with_it, "counterfactual"),
        Line("source", without, "source"),
        Line("replay", without, "replay"),
        Line("sham", without, "sham"),
    ]


def require(tested_models: Sequence[TestedModel], scenario: Addition, size: int) -> None:
    """See before any long work that predictors draw what is measured, by asking each about one grey image.

    Raises:
        ValueError: If one does not draw a structure, or returns anything but probabilities, or has an operating point.
    """
    for tested_model in tested_models:
        if tested_model.operating_point is not None:
            raise ValueError(
                f"{tested_model.key} draws; predictor.operating_point is for models that classify. Leave it out."
            )
        if isinstance(tested_model.predictor, AnswersModel):  # which has no answer to a grey image
            continue
        drawn(tested_model.predictor, torch.full((1, 1, size, size), 0.5), scenario.structures)  # type: ignore[arg-type]


def measure(
    tested_model: TestedModel,
    scenario: Addition,
    images: Mapping[str, Dataset],
    memory_budget: MemoryBudget,
    size: int,
    folder: Path,
) -> Measured:
    """Run one predictor over the stress set and over its in-distribution test set."""

    def overlaps(dataset: Dataset, name: str) -> Overlaps:
        structures, edited = scenario.structures, scenario.edited
        cache = predictions_file(folder, tested_model, name, fingerprint(dataset), structures, edited, size)
        return segment(tested_model.predictor, memory_budget.of(dataset), structures, edited, size, cache=cache)  # type: ignore[arg-type]

    sets = {}
    for kind, dataset in images.items():
        found = Predictions.of_overlaps(overlaps(dataset, kind))
        sets[kind] = Predictions([id_.rsplit("/", 1)[0] for id_ in found.ids], found.patients, found.values)
    sets["in_distribution"] = Predictions.of_overlaps(overlaps(tested_model.own_test, "in_distribution"))
    return Measured(tested_model.key, tested_model.role, sets, (tested_model.seed,), tested_model.kind)


def gather(
    tested_models: Sequence[TestedModel],
    scenario: Addition,
    data: StressData,
    stress_set: Path,
    *,
    size: int,
    predictions: Path,
    n_gallery: int,
    rules: Rules,
    checks: Sequence[Check] = (),
    groups: Groups | None = None,
) -> Evidence:
    """Test segmenters on a finished stress set and put the evidence together; arguments as for `removal.gather`."""
    edits = Edits.of(stress_set, data, rules.min_n)
    images, memory_budget = {kind: kind_dataset(stress_set, kind) for kind in kinds(stress_set)}, MemoryBudget()
    measured = [
        measure(tested_model, scenario, images, memory_budget, size, predictions) for tested_model in tested_models
    ]
    kept, every = edits.kept, edits.every
    gallery = worst_first(measured, every, "dice", -1)[:n_gallery]
    notes = [
        *data.notes,
        *edits.notes,
        "Source, replay, sham and edit of one image share their masks, their noise and their inversion.",
        "Every measure is taken against the mask that was drawn on the image before it was edited: what is added does "
        "not move the lung’s border.",
        *_missed(tested_models, measured),
        *_composition(data, every),
    ]
    if not kept:
        notes.append("No edit was kept, so attribution and agreement are over all edits.")
    outlines, truths = _outlines(tested_models, scenario, stress_set, gallery, size)
    return Evidence(
        scenario=scenario,
        rules=rules,
        tested_models=list(tested_models),
        measured=measured,
        kept=kept,
        predictors=[PredictorEntry(**entry_of(tested_model)) for tested_model in tested_models],
        figures=figures(
            measured,
            rows(scenario, data.counterfactual_is),
            YARDSTICK,
            scenario,
            rules,
            kept,
            edits.score.cosines,
            checks=reasons(checks),
            groups=groups,
        ),
        score=edits.score,
        counts=edits.counts,
        skipped=edits.skipped,
        quality=edit_quality(stress_set),
        gallery=gallery,
        probabilities=probabilities_of(measured, gallery, kinds(stress_set), "dice"),
        cells={},
        notes=notes,
        checks=list(checks),
        groups=groups or {},
        predictions=outlines,
        truths=truths,
    )


def _missed(tested_models: Sequence[TestedModel], measured: Sequence[Measured]) -> list[str]:
    """A sentence for each predictor that drew nothing, with the images."""
    notes = []
    for tested_model, one in zip(tested_models, measured, strict=True):
        lost = {
            kind: [id_ for id_, gone in zip(found.ids, found.values["missed"][0], strict=True) if gone]
            for kind, found in one.sets.items()
        }
        said = "; ".join(f"{kind}: {', '.join(ids)}" for kind, ids in lost.items() if ids)
        if said:
            notes.append(
                f"{tested_model.name} drew nothing where there is a lung. These count as the worst case ({said})."
            )
    return notes


def _composition(data: StressData, edited: Sequence[str]) -> list[str]:
    """Which views and sources were edited, and what the data set left out."""
    records = [record for record in data.source.records if record.id in set(edited)]
    notes = []
    for name in ("view", "source"):
        count = Counter(record.attributes[name] for record in records if record.attributes.get(name))
        if count:
            notes.append(f"Edited images by {name}: {', '.join(f'{key} {n}' for key, n in count.most_common())}.")
    excluded = getattr(data.source, "excluded", {})
    notes += [f"The data set left out {n} images of all its parts: {reason}." for reason, n in excluded.items()]
    return notes


def _outlines(
    tested_models: Sequence[TestedModel], scenario: Addition, stress_set: Path, gallery: Sequence[str], size: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the predictors drew on the gallery's images, all structures together, and what they should have."""
    predictions: dict[str, dict[str, dict[str, Any]]] = {record: {} for record in gallery}
    truths = {}
    present = {row["attr_kind"] for row in read_rows(stress_set)}
    for kind in OUTLINED:
        if kind not in present:
            continue
        dataset = kind_dataset(stress_set, kind)
        for record in dataset.records:
            if (id_ := record.id.rsplit("/", 1)[0]) not in predictions:
                continue
            sample = preprocess(dataset.load(record), size)  # what `measure` shows them
            predictions[id_][kind] = {
                tested_model.key: drawn(tested_model.predictor, sample.image[None], scenario.structures)[0].any(0)  # type: ignore[arg-type]
                for tested_model in tested_models
            }
            truths[id_] = torch.cat([sample.masks[name] for name in scenario.structures]).any(0)
    return predictions, truths
