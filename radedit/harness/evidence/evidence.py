"""From predictions to evidence, whatever the scenario: table, attribution, agreement, verdicts.

A scenario says by a `Yardstick` what is measured and along which chain of images; the terms telescope exactly:

    edit − first = VAE + inversion + artefact + shift
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from radedit.harness.evidence.changes import changes
from radedit.harness.evidence.checks import Check
from radedit.harness.evidence.kept_curve import kept_curve
from radedit.harness.evidence.power import detectable
from radedit.harness.evidence.results import (
    ROLE_PAIRS,
    Agreement,
    Attribution,
    Contrast,
    Figures,
    KeepSham,
    PredictorEntry,
    Ranking,
    Row,
    Score,
    Skipped,
    Term,
)
from radedit.harness.evidence.unseen import unseen
from radedit.harness.evidence.verdict import Measures, Rules, Verdict, holm, judge
from radedit.harness.evidence.yardstick import Line, Step, Yardstick
from radedit.harness.performance.at_operating_point import at_operating_point
from radedit.harness.predictors.classify import TestedModel
from radedit.harness.predictors.predictions import Measured, Predictions, paired_difference
from radedit.harness.statistics.estimate import Estimate
from radedit.harness.statistics.intervals import Mean, mean_of
from radedit.harness.statistics.means import crossed_difference, crossed_mean
from radedit.harness.stress.scenario import Addition, Removal
from radedit.harness.subgroups.groups import Groups
from radedit.harness.subgroups.shift_effects import Subgroups, subgroups
from radedit.types import Dataset

PATH = ("VAE", "inversion", "artefact")


def table(
    measured: Sequence[Measured],
    lines: Sequence[Line],
    yardstick: Yardstick,
    paper: Mapping[str, Mapping[str, Sequence[float]]],
    kept: Sequence[str],
    every: Sequence[str],
) -> list[Row]:
    """Each predictor's measure on each set of images, in the paper's form, with the paper's number beside it.

    Controls follow the keep decision of their edit. Where nothing was kept, they are over all edits.
    """
    result: list[Row] = []
    for one in measured:
        for line in lines:
            if line.images == "kept" and line.set == "edit" and not kept:
                continue
            found = one.sets.get(line.set)
            if found is not None and line.images != "own":
                found = one.of(line.set, every if line.images == "every" else kept or every)
            if found is None:
                continue
            said = paper.get(f"{one.role} {one.kind}", paper.get(one.role, {})).get(line.paper)
            per_seed = found.per_seed(yardstick.measure)
            names = (yardstick.measure, *yardstick.tabled)
            segmented = bool(yardstick.tabled)
            result.append(
                Row(
                    predictor=one.key,
                    data=line.data,
                    label=line.label,
                    n=len(found.ids),
                    accuracy=None if segmented else found.mean(yardstick.measure),
                    scores={name: found.mean(name) for name in names} if segmented else {},
                    paper=None if said is None else float(said[0]),
                    paper_std=None if said is None else float(said[1]),
                    seeds=len(per_seed),
                    std=float(np.std(per_seed, ddof=1)) if len(per_seed) > 1 else None,
                    per_seed={name: found.per_seed(name) for name in names},
                    missed=int(found.values["missed"].sum()) if segmented else 0,
                )
            )
    return result


def attribution(measured: Sequence[Measured], yardstick: Yardstick, records: Sequence[str]) -> list[Attribution]:
    """What was measured on the edit as a sum of terms along its chain; empty for a predictor without all of it."""
    result = []
    for one in measured:
        chain = _chain(one, yardstick, records)
        if chain is None:
            continue

        def change(step: Step, chain: Mapping[str, Predictions] = chain) -> Estimate | None:
            if not {step.before, step.after} <= set(chain):
                return None
            return _difference(chain, step.after, step.before, yardstick).at()

        def terms(steps: Sequence[Step], change: Callable[[Step], Estimate | None] = change) -> list[Term]:
            found = [(step, change(step)) for step in steps]
            return [Term(name=step.name, meaning=step.meaning, value=value) for step, value in found if value]

        found = _measures(chain, yardstick)
        sides = {kind: chain[kind].mean(yardstick.chained) for kind in ("source", "keep_sham") if kind in chain}
        result.append(
            Attribution(
                predictor=one.key,
                n=len(records),
                reference=chain[yardstick.first].mean(yardstick.chained),
                terms=terms(yardstick.terms),
                edit=chain["edit"].mean(yardstick.chained),
                split=terms(yardstick.split),
                artefact=found.artefact.at(),
                shift_effect=found.shift_effect.at(),
                control=None if found.control is None else found.control.at(),
                keep_sham=KeepSham(**sides) if len(sides) == 2 else None,
            )
        )
    return result


def measures(
    one: Measured, yardstick: Yardstick, records: Sequence[str], failed: Mapping[str, bool] | None = None
) -> Measures | None:
    """What a verdict on one predictor rests on; None without all images of the chain, or without records.

    Args:
        one: Its predictions.
        yardstick: How the scenario measures.
        records: Edits that count.
        failed: Record → whether its edit did not do what was asked; None where there is no judge.
    """
    chain = _chain(one, yardstick, records)
    if chain is None:
        return None
    found = _measures(chain, yardstick)
    if failed is None:
        return found
    wrong = np.array([failed[record] for record in records])
    edit, measure = chain["edit"], yardstick.chained
    as_right = np.where(wrong, 0.0 if yardstick.worse > 0 else 1.0, edit.values[measure])
    net = {**chain, "edit": replace(edit, values={**edit.values, measure: as_right})}
    return replace(
        found,
        residual=mean_of(wrong[None].astype(float), edit.patients),
        net_effect=_measures(net, yardstick).shift_effect,
    )


def _measures(chain: Mapping[str, Predictions], yardstick: Yardstick) -> Measures:
    last = {step.name: step for step in yardstick.terms}[PATH[-1]].after
    lost = None
    if (control := yardstick.control) is not None and {control.before, control.after} <= set(chain):
        lost = _difference(chain, control.before, control.after, yardstick, worse=True)
    return Measures(
        _difference(chain, "edit", last, yardstick, worse=True),
        _difference(chain, last, yardstick.first, yardstick, worse=True),
        lost,
    )


def _difference(
    chain: Mapping[str, Predictions], after: str, before: str, yardstick: Yardstick, *, worse: bool = False
) -> Mean:
    """Chained measure after less before, image by image, or by how much it is worse."""
    sign = yardstick.worse if worse else 1
    return paired_difference(chain[after], chain[before], yardstick.chained, chain["edit"].patients, sign)


def _chain(one: Measured, yardstick: Yardstick, records: Sequence[str]) -> dict[str, Predictions] | None:
    """Predictions on every kind of image of these records, if all kinds of the chain are there."""
    found = {kind: predictions for kind in one.sets if (predictions := one.of(kind, records)) is not None}
    needed = {yardstick.first, *(step.after for step in yardstick.terms)}
    if not records or not needed <= set(found):
        return None
    return found


def contrast(worse: Measured, better: Measured, yardstick: Yardstick, records: Sequence[str]) -> Contrast | None:
    """The paper's signature: by how much more the shift costs one predictor than the other, on the same images."""
    chains = [_chain(one, yardstick, records) for one in (worse, better)]
    if chains[0] is None or chains[1] is None:
        return None
    last = yardstick.terms[-1].before
    shift = [
        yardstick.worse * (chain["edit"].values[yardstick.chained] - chain[last].values[yardstick.chained])
        for chain in (chains[0], chains[1])
    ]
    difference = crossed_difference(shift[0], shift[1], chains[0]["edit"].patients)
    if difference.low == difference.high:  # nothing varies, so that a bootstrap can't say what might
        difference = replace(difference, low=None, high=None)
    return Contrast(worse=worse.key, better=better.key, n=len(records), difference=difference)


def agreement(
    measured: Sequence[Measured],
    yardstick: Yardstick,
    records: Sequence[str],
    edits: Literal["kept", "all"] = "kept",
) -> list[Agreement]:
    """The measure on edits and on true counterfactuals of the same patients, with the paired difference."""
    result = []
    for one in measured:
        synthetic, truth = (one.of(kind, records) for kind in ("edit", "counterfactual"))
        if synthetic is None or truth is None or not records:
            continue
        name = yardstick.measure
        result.append(
            Agreement(
                predictor=one.key,
                edits=edits,
                n=len(records),
                synthetic=synthetic.mean(name),
                truth=truth.mean(name),
                difference=crossed_mean(synthetic.values[name] - truth.values[name], synthetic.patients, paired=True),
            )
        )
    return result


def verdicts(
    measured: Sequence[Measured],
    yardstick: Yardstick,
    kept: Sequence[str],
    every: Sequence[str],
    rules: Rules,
    checks: Sequence[str] = (),
    failed: Mapping[str, bool] | None = None,
) -> list[Verdict]:
    """One for each predictor: is what the shift costs it, beyond the sham, above the limit that was set beforehand?

    Args:
        measured: Predictions; a predictor without all images of the chain has no verdict.
        yardstick: How the scenario measures.
        kept: Records that are judged: those whose edit was kept.
        every: All that were edited.
        rules: Fixed beforehand.
        checks: What forbids any verdict, as sentences: checks of the edits that do not hold.
        failed: Record → whether a judge says that its edit did not do what was asked; None where there is no judge.
    """
    judged = [one for one in measured if _chain(one, yardstick, every) is not None]
    found = []
    for one in judged:
        of_kept = measures(one, yardstick, kept, failed)
        blind = unseen(one, every, yardstick.measure, rules)
        least = None if of_kept is None else detectable(of_kept, rules, len(judged))
        found.append(replace(judge(one.key, of_kept, rules, [*blind, *checks]), detectable=least))
    return holm(found)


def by_group(
    measured: Sequence[Measured],
    yardstick: Yardstick,
    kept: Sequence[str],
    every: Sequence[str],
    rules: Rules,
    groups: Groups,
    checks: Sequence[str] = (),
    failed: Mapping[str, bool] | None = None,
) -> list[Subgroups]:
    """For whom each predictor fails; empty without groups or kept edits.

    Args:
        measured: Predictions; a predictor without all images of the chain is left out.
        yardstick: How the scenario measures.
        kept: Records that are compared: those whose edit was kept.
        every: All that were edited.
        rules: Fixed beforehand.
        groups: Of the records.
        checks: What forbids any conclusion, as sentences.
        failed: Record → whether its edit did not do what was asked; None where there is no judge.
    """
    found = []
    for one in measured:
        chain = _chain(one, yardstick, kept)
        if chain is None or not groups:
            continue
        edit, sham = chain["edit"], chain[yardstick.terms[-1].before]
        added = yardstick.worse * (edit.values[yardstick.chained] - sham.values[yardstick.chained])
        doubts = [*unseen(one, every, yardstick.measure, rules), *checks]
        found.append(subgroups(one.key, edit, sham, added, groups, rules.min_n, failed=failed, reasons=doubts))
    return found


@dataclass(frozen=True)
class Evidence:
    """All that a report of a scenario tells, but for provenance and pictures.

    Attributes:
        scenario: What was asked.
        rules: Fixed beforehand.
        tested_models: Who was tested.
        measured: Their predictions.
        kept: Records whose edit was kept.
        predictors: Each with its four cells and whether it qualifies.
        figures: What follows from the predictions.
        score: Editing score of every edit, and whether it was kept.
        counts: Of records.
        skipped: Records that could not be edited.
        quality: See `radedit.harness.evidence.edits.edit_quality`.
        gallery: Records to be shown, the worst first.
        probabilities: Record → predictor → kind of image → probability, or Dice.
        cells: Cell → dataset of its images, for pictures.
        notes: Sentences for the reader of the report.
        checks: Whether the edits happened.
        failed: Kept records whose edit left the finding or lost the shortcut, by a judge; None without one.
        predictions: Record → kind of image → predictor → mask that it drew, (1, H, W), for pictures.
        truths: Record → what they should have drawn.
        groups: Record → attribute → group.
    """

    scenario: Removal | Addition
    rules: Rules
    tested_models: list[TestedModel]
    measured: list[Measured]
    kept: list[str]
    predictors: list[PredictorEntry]
    figures: Figures
    score: Score
    counts: dict[str, int]
    skipped: list[Skipped]
    quality: dict[str, Estimate | float]
    gallery: list[str]
    probabilities: dict[str, dict[str, dict[str, float]]]
    cells: Mapping[str, Dataset]
    notes: list[str]
    checks: list[Check] = field(default_factory=list)
    failed: list[str] | None = None
    predictions: dict[str, dict[str, dict[str, Tensor]]] = field(default_factory=dict)
    truths: dict[str, Tensor] = field(default_factory=dict)
    groups: Groups = field(default_factory=dict)


def entry_of(model: TestedModel) -> dict[str, Any]:
    """What results say of a predictor before it is tested."""
    about = {name: getattr(model, name) for name in ("key", "name", "role", "kind", "trained_on", "parameters")}
    chosen = "" if model.operating_point is None else str(model.operating_point)
    return about | {"folder": str(model.folder), "seeds": [model.seed], "operating_point": chosen}


def figures(
    measured: Sequence[Measured],
    lines: Sequence[Line],
    yardstick: Yardstick,
    scenario: Removal | Addition,
    rules: Rules,
    kept: Sequence[str],
    cosines: Mapping[str, float | None],
    ranking: Sequence[Ranking] = (),
    checks: Sequence[str] = (),
    failed: Mapping[str, bool] | None = None,
    groups: Groups | None = None,
) -> Figures:
    """Everything that follows from the predictions of one run, or of several seeds that were stacked.

    Args:
        measured: Predictions.
        lines: Of the table.
        yardstick: How the scenario measures.
        scenario: What was asked.
        rules: Fixed beforehand.
        kept: Records whose edit was kept.
        cosines: Every edited record → its editing score; None where it is undefined.
        ranking: What else is known, of classifiers.
        checks: As of `verdicts`.
        failed: As of `verdicts`. Where no edit was kept, attribution and contrasts are over all edits, to see why; no
            verdict is.
        groups: Of the records, where there are some.
    """
    every = list(cosines)
    records = kept or every
    attributed = attribution(measured, yardstick, records)
    agreed = agreement(measured, yardstick, kept) if kept else []
    contrasts = [contrast(worse, better, yardstick, records) for worse, better in pairs(measured)]
    return Figures(
        table=table(measured, lines, yardstick, scenario.paper, kept, every),
        attribution=attributed,
        agreement=[*agreed, *agreement(measured, yardstick, every, "all")],
        verdicts=verdicts(measured, yardstick, kept, every, rules, checks, failed),
        contrasts=[found for found in contrasts if found is not None],
        ranking=list(ranking),
        changes=changes(measured, yardstick, records),
        kept_curve=kept_curve(measured, yardstick.measure, cosines),
        performance=[at_operating_point(one, kept or every, every) for one in measured if _classifies(one)],
        subgroups=by_group(measured, yardstick, kept, every, rules, groups or {}, checks, failed),
    )


def _classifies(one: Measured) -> bool:
    own = one.sets.get("in_distribution")
    return own is not None and {"label", "probability", "positive"} <= {*own.values}


def pairs(measured: Sequence[Measured]) -> list[tuple[Measured, Measured]]:
    """Every predictor that should fall with every one that should hold."""
    return [(one, two) for one in measured for two in measured if ROLE_PAIRS.get(one.role) == two.role]


def probabilities_of(
    measured: Sequence[Measured], records: Sequence[str], kinds: Sequence[str], measure: str
) -> dict[str, dict[str, dict[str, float]]]:
    """Record → predictor → kind of image → measure, for pictures."""

    def values(one: Measured, record: str) -> dict[str, float]:
        found = {kind: one.of(kind, [record]) for kind in kinds}
        return {kind: float(a.values[measure].mean()) for kind, a in found.items() if a is not None}

    return {record: {one.key: values(one, record) for one in measured} for record in records}


def worst_first(measured: Sequence[Measured], records: Sequence[str], measure: str, worse: int) -> list[str]:
    """Records by how badly the predictors do on their edits."""

    def values(predictions: Predictions) -> NDArray[np.float64]:
        return predictions.values[measure].mean(axis=0)

    badness = worse * np.mean([values(one.sets["edit"].only(records)) for one in measured], axis=0)
    return [records[i] for i in np.argsort(-badness, kind="stable")]
