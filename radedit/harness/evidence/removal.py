"""Evidence of scenarios that remove a finding (Sections 5.2 and 5.3): all of it as false-positive rates.

The edit has not got the finding, so a model that calls it present is wrong. The rate changes along the chain of a
reference image, which is negative and lacks the shortcut, to the edit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from radedit.data.batches.cache import fingerprint
from radedit.data.views.cached import MemoryBudget
from radedit.harness.evidence.checks import Check, failed_edits, reasons
from radedit.harness.evidence.edits import Edits, edit_quality, reference_notes
from radedit.harness.evidence.evidence import Evidence, entry_of, figures, probabilities_of, worst_first
from radedit.harness.evidence.results import Cell, PredictorEntry, Qualification, Ranking
from radedit.harness.evidence.unseen import unseen
from radedit.harness.evidence.verdict import Rules
from radedit.harness.evidence.yardstick import Line, Step, Yardstick
from radedit.harness.performance.at_operating_point import threshold_of
from radedit.harness.predictors.answers import AnswersModel
from radedit.harness.predictors.classify import (
    Scores,
    TestedModel,
    kind_dataset,
    kinds,
    predict,
    predictions_file,
    probabilities,
)
from radedit.harness.predictors.predictions import Measured, Predictions
from radedit.harness.statistics.means import crossed_mean
from radedit.harness.statistics.proportions import mcnemar
from radedit.harness.statistics.ranks import crossed_auroc
from radedit.harness.stress.scenario import Removal, StressData
from radedit.harness.subgroups.groups import Groups
from radedit.types import Dataset

YARDSTICK = Yardstick(
    measure="correct",
    chained="positive",
    measures=("label", "probability", "positive", "correct"),
    worse=1,
    terms=(
        Step("VAE", "reference", "reference_vae", "what encoding and decoding alone does to a negative image"),
        Step("inversion", "reference_vae", "reference_replay", "what inversion adds with an empty prompt"),
        Step(
            "artefact", "reference_replay", "sham",
            "what the same edit adds where there is nothing to remove and no shortcut",
        ),
        Step("shift", "sham", "edit", "what remains: the finding is gone, the shortcut has stayed"),
    ),
    split=(
        Step(
            "residual finding", "counterfactual", "edit",
            "the edit against the true counterfactual: what the editor left or added",
        ),
        Step(
            "true shift", "reference", "counterfactual",
            "the true counterfactual against the negative image: the shortcut itself",
        ),
    ),
    control=Step("control", "source", "replay", "what editing alone hides of a finding that is there"),
)  # fmt: skip
OURS = (
    "source",
    "vae",
    "replay",
    "keep_sham",
    "reference",
    "reference_vae",
    "reference_replay",
    "sham",
    "counterfactual",
)


def rows(scenario: Removal, counterfactual_is: str) -> list[Line]:
    """Lines of the table."""
    finding, shortcut = (scenario.words[name] for name in ("finding", "shortcut"))
    gone = f"no {finding}, with {shortcut}"
    return [
        Line("in-distribution test set", f"{finding} or not", "in_distribution", "own", "in_distribution"),
        Line("synthetic (kept)", gone, "edit", "kept", "synthetic"),
        Line("synthetic (all)", gone, "edit", "every"),
        Line(counterfactual_is, gone, "counterfactual"),
        Line("truly shifted, other patients", gone, "shifted", "own"),
        Line("replay", f"{finding}, as in the source", "replay"),
        Line("sham", f"no {finding}, no {shortcut}", "sham"),
    ]


def require(tested_models: Sequence[TestedModel], scenario: Removal, size: int) -> None:
    """See before any long work that predictors detect what is removed, by asking each about one grey image.

    Raises:
        ValueError: If one detects something else, or returns anything but a probability.
    """
    for tested_model in tested_models:
        label = getattr(tested_model.predictor, "label", scenario.finding)
        if label != scenario.finding:
            raise ValueError(
                f"{tested_model.key} detects {label or 'nothing'}; scenario {scenario.name} removes "
                f"{scenario.finding}, so "
                f"it needs predictors with the label {scenario.finding!r}."
            )
        if not isinstance(tested_model.predictor, AnswersModel):  # which has no answer to a grey image
            probabilities(tested_model.predictor, torch.full((1, 1, size, size), 0.5))


def measure(
    tested_model: TestedModel, scenario: Removal, data: StressData, images: Mapping[str, Dataset],
    memory_budget: MemoryBudget, size: int, folder: Path,
) -> Measured:  # fmt: skip
    """Run one predictor over its own test set, the stress set, the truly shifted patients and the four cells.

    Where the predictor has an operating point, the first of these chooses the threshold for all of them.
    """

    def scores(dataset: Dataset, name: str) -> Scores:
        cache = predictions_file(folder, tested_model, name, fingerprint(dataset), scenario.finding, size)
        held = memory_budget.of(dataset)
        return predict(tested_model.predictor, held, scenario.finding, size, cache=cache)

    def predictions(dataset: Dataset, name: str) -> Predictions:
        return Predictions.of_scores(scores(dataset, name), threshold)

    own, rule = scores(tested_model.own_test, "in_distribution"), tested_model.operating_point
    threshold = None if rule is None else rule.threshold(own.labels, own.probabilities)
    sets: dict[str, Predictions] = {}
    for kind, dataset in images.items():
        found = predictions(dataset, kind)
        sets[kind] = Predictions([id_.rsplit("/", 1)[0] for id_ in found.ids], found.patients, found.values)
    sets["in_distribution"] = Predictions.of_scores(own, threshold)
    if data.shifted is not None:
        sets["shifted"] = predictions(data.shifted, "shifted")
    sets |= {f"cell-{cell}": predictions(dataset, f"cell-{cell}") for cell, dataset in data.cells.items()}
    return Measured(tested_model.key, tested_model.role, sets, (tested_model.seed,), tested_model.kind)


def qualification(one: Measured, scenario: Removal, every: Sequence[str], rules: Rules) -> Qualification:
    """Whether a predictor may be tested, why, and its four cells (accuracy on true images, with and without each).

    Args:
        one: Its predictions.
        scenario: What was asked.
        every: Records that were edited: a predictor that does not see the finding on them does not qualify.
        rules: By which that is judged.
    """
    cells, short = [], [reason.rstrip(".") for reason in unseen(one, every, YARDSTICK.measure, rules)]
    finding_name, shortcut_name = (scenario.words[name] for name in ("finding", "shortcut"))
    for name, found in one.sets.items():
        if not name.startswith("cell-"):
            continue
        cell = name.removeprefix("cell-")
        finding, shortcut = (int(part) for part in cell.split("-"))
        accuracy = found.mean("correct")
        picture = f"pictures/cell-{cell}.png"
        cells.append(Cell(finding=finding, shortcut=shortcut, n=accuracy.n, accuracy=accuracy, picture=picture))
        low, high = scenario.qualifies.get(one.role, {}).get(cell, (None, None))
        where = f"{finding_name} {'+' if finding else '−'}, {shortcut_name} {'+' if shortcut else '−'}"
        if low is not None and accuracy.value < low:
            short.append(f"{100 * accuracy.value:.0f} % right where {where}; at least {100 * low:.0f} % expected")
        if high is not None and accuracy.value > high:
            short.append(
                f"{100 * accuracy.value:.0f} % right where {where}; at most {100 * high:.0f} % expected of one that "
                "takes the shortcut"
            )
    why = ". ".join(short) or "all cells are as its training makes one expect"
    asked = bool(cells or short)
    return Qualification(qualified=not short if asked else None, why=why if asked else "", cells=cells)


def ranking(
    measured: Sequence[Measured], thresholds: Mapping[str, Sequence[float]], records: Sequence[str]
) -> list[Ranking]:
    """What classifiers' probabilities say beside their predictions at 0.5.

    AUROC only where both classes exist: on the in-distribution test set, and with keep-shams as positives and edits as
    negatives; how often a source scores above its own edit; accuracy on edits at the threshold that was chosen on
    validation images; McNemar's test of the edit against its own sham. Over several seeds all are means, but for the
    test, which is that of the seed with the largest p.

    Args:
        measured: Predictions.
        thresholds: Predictor → threshold of each seed.
        records: Whose edits are taken.
    """
    result = []
    for one in measured:
        in_distribution = one.sets["in_distribution"]
        label, probability = in_distribution.values["label"][0].astype(bool), in_distribution.values["probability"]
        whose = np.asarray(in_distribution.patients, dtype=object)
        entry: dict[str, Any] = {
            "auroc_in_distribution": crossed_auroc(
                probability[:, label], probability[:, ~label], list(whose[label]), list(whose[~label])
            )
        }
        found = {kind: one.of(kind, records) for kind in ("source", "keep_sham", "edit", "sham")}
        edit, source, kept, sham = found["edit"], found["source"], found["keep_sham"], found["sham"]
        if records and edit is not None:
            p_edit = edit.values["probability"]
            if kept is not None:
                entry["auroc_edits"] = crossed_auroc(kept.values["probability"], p_edit, kept.patients, edit.patients)
            if source is not None:
                p = source.values["probability"]
                entry["precedence"] = crossed_mean((p > p_edit) + (p == p_edit) / 2, edit.patients)
            if sham is not None:
                pairs = zip(edit.values["correct"], sham.values["correct"], strict=True)
                entry["mcnemar"] = max((mcnemar(*pair) for pair in pairs), key=lambda test: test.p)
            chosen = np.asarray(thresholds.get(one.key, [0.5] * len(p_edit)), dtype=np.float64)
            entry["threshold"] = float(chosen.mean())
            entry["at_threshold"] = crossed_mean(p_edit < chosen[:, None], edit.patients)
        result.append(Ranking(predictor=one.key, n=len(records), **entry))
    return result


def gather(
    tested_models: Sequence[TestedModel],
    scenario: Removal,
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
    """Test predictors on a finished stress set and put the evidence together.

    Args:
        tested_models: Predictors.
        scenario: What was asked.
        data: Datasets that the set was made from.
        stress_set: Folder of the set.
        size: Side of the images, px.
        predictions: Folder in which predictors' predictions are kept, of this run and of all others.
        n_gallery: How many records to show.
        rules: What is a failure, fixed beforehand.
        checks: Whether the edits happened; with one that does not hold, nothing is judged.
        groups: Of the records, where there are some.
    """
    edits = Edits.of(stress_set, data, rules.min_n)
    images, memory_budget = {kind: kind_dataset(stress_set, kind) for kind in kinds(stress_set)}, MemoryBudget()
    measured = [
        measure(tested_model, scenario, data, images, memory_budget, size, predictions)
        for tested_model in tested_models
    ]
    kept, every, failed = edits.kept, edits.every, failed_edits(stress_set)
    predictors = [
        PredictorEntry(
            **entry_of(tested_model) | {"threshold": threshold_of(one)},
            **dict(qualification(one, scenario, every, rules)),
        )
        for tested_model, one in zip(tested_models, measured, strict=True)
    ]
    present = list(dict.fromkeys(kind for one in measured for kind in one.sets if one.of(kind, every[:1])))
    others = [kind for kind in present if kind not in (*OURS, "edit")]
    first = {record for record in every if all(one.of(k, [record]) is not None for one in measured for k in others)}
    ranked = worst_first(measured, every, "probability", 1)
    gallery = sorted(ranked, key=lambda record: record not in first)[:n_gallery]  # those that every editor edited first
    notes = [
        *data.notes,
        *edits.notes,
        *reference_notes(stress_set),
        "Replay, sham and edit of one image share their noise and their inversion.",
    ]
    if not kept:
        notes.append("No edit was kept, so the attribution is over all edits.")
    return Evidence(
        scenario=scenario,
        rules=rules,
        tested_models=list(tested_models),
        measured=measured,
        kept=kept,
        predictors=predictors,
        figures=figures(
            measured,
            rows(scenario, data.counterfactual_is),
            YARDSTICK,
            scenario,
            rules,
            kept,
            edits.score.cosines,
            ranking(
                measured, {tested_model.key: [tested_model.threshold] for tested_model in tested_models}, kept or every
            ),
            checks=reasons(checks),
            failed=failed,
            groups=groups,
        ),  # fmt: skip
        score=edits.score,
        counts=edits.counts,
        skipped=edits.skipped,
        quality=edit_quality(stress_set),
        gallery=gallery,
        probabilities=probabilities_of(measured, gallery, [*present], "probability"),
        cells=data.cells,
        notes=notes,
        checks=list(checks),
        groups=groups or {},
        failed=None if failed is None else [record for record, left in failed.items() if left],
    )
