"""Several runs on one stress set put together: the same edits, predicted by predictors of several training seeds.

Their predictions are stacked, and what follows from these has the form of one run's results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from radedit.harness.evidence import addition, removal
from radedit.harness.evidence.evidence import figures
from radedit.harness.evidence.results import Figures, Hashes, PredictorEntry, Qualification, Ranking, Results
from radedit.harness.evidence.verdict import Rules
from radedit.harness.evidence.yardstick import Line, Yardstick
from radedit.harness.predictors.predictions import Measured, Predictions
from radedit.harness.statistics.means import CROSSED_INTERVAL, INTERVAL
from radedit.harness.stress.scenario import TRUTH, Addition, Removal
from radedit.harness.subgroups.groups import Groups


@dataclass(frozen=True)
class RunPredictions:
    """What one run has of its predictors.

    Attributes:
        measured: Their predictions.
        kept: Records whose edit was kept.
        who: Predictor → hash of its weights. The same hash in two runs is the same training, and counts once.
        thresholds: Predictor → threshold that was chosen on validation images, where there is one.
        groups: Record → attribute → group.
    """

    measured: list[Measured]
    kept: list[str]
    who: Mapping[str, str]
    thresholds: Mapping[str, float]
    groups: Groups = field(default_factory=dict)


@dataclass(frozen=True)
class Pooled:
    """Predictions of several runs, stacked.

    Attributes:
        measured: Of each predictor, of all its seeds.
        kept, every: Records whose edit was kept, and all edited ones, but for those in `lost`.
        lost: Edited records that some seed could not measure; they count nowhere.
        thresholds: Predictor → threshold of each seed, in the order of the rows.
        groups: Record → attribute → group.
    """

    measured: list[Measured]
    kept: list[str]
    every: list[str]
    lost: list[str]
    thresholds: Mapping[str, list[float]]
    groups: Groups = field(default_factory=dict)


def pool(runs: Sequence[RunPredictions]) -> Pooled:
    """Stack the predictions of runs on one stress set.

    Args:
        runs: In the order that seeds should have.

    Raises:
        ValueError: If there are no runs, or the seeds of a predictor have not a single image of a set in common.
    """
    if not runs:
        raise ValueError("There are no runs to put together.")
    seeds: dict[str, dict[str, tuple[Measured, float]]] = {}  # predictor → hash → the first that has it
    for number, run in enumerate(runs):
        for one in run.measured:
            hash_ = run.who.get(one.key) or f"run {number}"
            seeds.setdefault(one.key, {}).setdefault(hash_, (one, run.thresholds.get(one.key, 0.5)))
    measured, lost = [], dict[str, None]()
    for key, by_hash in seeds.items():
        trained = [one for one, _ in by_hash.values()]
        stacked = Measured.stack(trained)
        for name, predictions in stacked.sets.items():
            if not predictions.ids:
                raise ValueError(
                    f"The {len(trained)} seeds of {key!r} have no image of the set {name!r} in common; "
                    "seeds are put together where they were tested on the same images."
                )
            if name not in ("in_distribution", "shifted") and not name.startswith("cell-"):
                all_seeds = {id_ for one in trained for id_ in one.sets[name].ids}
                lost |= dict.fromkeys(sorted(all_seeds - set(predictions.ids)))
        measured.append(stacked)
    edited = [set(one.sets["edit"].ids) for one in measured]
    every = [id_ for id_ in measured[0].sets["edit"].ids if all(id_ in ids for ids in edited) and id_ not in lost]
    return Pooled(
        measured,
        [record for record in runs[0].kept if record in set(every)],
        every,
        list(lost),
        {key: [threshold for _, threshold in by_hash.values()] for key, by_hash in seeds.items()},
        runs[0].groups,
    )


def concatenate(parts: Mapping[str, Pooled]) -> Pooled:
    """The images of several stress sets as one, e.g. consolidation of the left lung and of the right (Figure 5).

    A record is named by its part, as an image may have been edited in each. Patients keep their names, so that one who
    is in both is drawn with all of his images.

    Args:
        parts: Name → predictions. Predictors and seeds that not all of them have are left out.
    """

    def named(part: str, ids: Sequence[str]) -> list[str]:
        return [f"{part}/{id_}" for id_ in ids]

    per_key: dict[str, list[tuple[str, Measured]]] = {}
    for part, pooled in parts.items():
        for one in pooled.measured:
            per_key.setdefault(one.key, []).append((part, one))
    measured = []
    for key, found in per_key.items():
        seeds = [seed for seed in found[0][1].seeds if all(seed in one.seeds for _, one in found)]
        if len(found) < len(parts) or not seeds:
            continue
        rows = {part: [one.seeds.index(seed) for seed in seeds] for part, one in found}
        sets = {}
        for name in [name for name in found[0][1].sets if all(name in one.sets for _, one in found)]:
            predictions = [(part, one.sets[name]) for part, one in found]
            shared = [m for m in predictions[0][1].values if all(m in each.values for _, each in predictions)]
            sets[name] = Predictions(
                [id_ for part, each in predictions for id_ in named(part, each.ids)],
                [patient for _, each in predictions for patient in each.patients],
                {m: np.concatenate([each.values[m][rows[part]] for part, each in predictions], axis=1) for m in shared},
            )
        measured.append(Measured(key, found[0][1].role, sets, tuple(seeds), found[0][1].kind))
    return Pooled(
        measured,
        [id_ for part, pooled in parts.items() for id_ in named(part, pooled.kept)],
        [id_ for part, pooled in parts.items() for id_ in named(part, pooled.every)],
        [id_ for part, pooled in parts.items() for id_ in named(part, pooled.lost)],
        {},
        {f"{part}/{id_}": groups for part, pooled in parts.items() for id_, groups in pooled.groups.items()},
    )


def pooled_figures(
    pooled: Pooled,
    scenario: Removal | Addition,
    rules: Rules,
    cosines: Mapping[str, float | None],
    *,
    counterfactual_is: str = TRUTH,
    checks: Sequence[str] = (),
    failed: Sequence[str] | None = None,
) -> Figures:
    """What a run's report says of its predictions, of all seeds.

    Args:
        pooled: Predictions.
        scenario: What was asked.
        rules: Fixed beforehand.
        cosines: Record → editing score.
        counterfactual_is: What a table calls the counterfactuals.
        checks: What forbids any verdict, as sentences.
        failed: Records whose edit left the finding behind, by a judge; None without one.
    """
    lines, yardstick = reading(scenario, counterfactual_is)
    ranking: list[Ranking] = []
    if isinstance(scenario, Removal):
        ranking = removal.ranking(pooled.measured, pooled.thresholds, pooled.kept or pooled.every)
    known = {record: cosines.get(record) for record in pooled.every}
    left = None if failed is None else {record: record in set(failed) for record in pooled.kept}
    return figures(
        pooled.measured, lines, yardstick, scenario, rules, pooled.kept, known, ranking, checks=checks, failed=left,
        groups=pooled.groups,
    )  # fmt: skip


def qualifications(pooled: Pooled, scenario: Removal | Addition, rules: Rules) -> dict[str, Qualification]:
    """Predictor → whether it is what its role says, where that is asked."""
    if not isinstance(scenario, Removal):
        return {}
    return {one.key: removal.qualification(one, scenario, pooled.every, rules) for one in pooled.measured}


def reading(scenario: Removal | Addition, counterfactual_is: str = TRUTH) -> tuple[list[Line], Yardstick]:
    """Lines of a scenario's table, and how it measures."""
    if isinstance(scenario, Removal):
        return removal.rows(scenario, counterfactual_is), removal.YARDSTICK
    return addition.rows(scenario, counterfactual_is), addition.YARDSTICK


def pooled_results(runs: Sequence[Results], pooled: Pooled, figures: Figures) -> Results:
    """Results of several predictor seeds.

    Args:
        runs: Results of each run, in the order of the seeds. What has nothing to do with predictors (counts, score,
            generator, pictures) is taken from the first: the stress set is the same.
        pooled: Their predictions.
        figures: Of these, from `pooled_figures`.
    """
    first, names = runs[0], trainings(runs)
    n = max(len(one.seeds) for one in pooled.measured)
    notes = [note for note in first.notes if all(note in run.notes for run in runs)]
    notes += [
        f"{name}: {note}"
        for name, run in zip(names, runs, strict=True)
        for note in run.notes
        if note not in notes and len(runs) > 1
    ]
    if n > 1:
        notes.append(
            f"Numbers are means over {n} trainings of each predictor, on the same edits; ± is the standard deviation "
            f"over these. Pictures and the predictions in the gallery are those of {names[0].lower()}."
        )
    if pooled.lost:
        shown = ", ".join(pooled.lost[:5]) + (", …" if len(pooled.lost) > 5 else "")
        notes.append(
            f"{len(pooled.lost)} edited image{'s' if len(pooled.lost) > 1 else ''} could not be measured by every "
            f"training and count{'' if len(pooled.lost) > 1 else 's'} nowhere: {shown}."
        )
    changed = {
        "created": max(run.created for run in runs),
        "predictor_seed": None if n > 1 else first.predictor_seed,
        "interval": CROSSED_INTERVAL if n > 1 else INTERVAL,
        "predictors": _predictors(runs, pooled),
        "notes": notes,
        "minutes": _minutes(runs),
        "hashes": Hashes(
            generator=first.hashes.generator,
            stress_set=first.hashes.stress_set,
            predictors={
                one.key: {
                    name: only(run.hashes.predictors[one.key])
                    for name, run in zip(names, runs, strict=True)
                    if one.key in run.hashes.predictors
                }
                for one in pooled.measured
            },
            runs={name: only(run.hashes.runs) for name, run in zip(names, runs, strict=True)},
        ),
    }
    return Results(**(dict(first) | dict(figures) | changed))


def trainings(runs: Sequence[Results]) -> list[str]:
    """Names runs by the seed of their predictors' training, where that tells them apart."""
    seeds = [run.predictor_seed for run in runs]
    return [
        training_of(seed if seeds.count(seed) == 1 else None, only(run.hashes.runs))
        for run, seed in zip(runs, seeds, strict=True)
    ]


def training_of(seed: int | None, run_hash: str) -> str:
    """`Seed 0`, or where no seed is known `Run 0123abcd`."""
    return f"Run {run_hash[:8]}" if seed is None else f"Seed {seed}"


def only(hashes: dict[str, str]) -> str:
    """The hash of a single run; empty where it is not known."""
    return next(iter(hashes.values()), "")


def _predictors(runs: Sequence[Results], pooled: Pooled) -> list[PredictorEntry]:
    """Each as the first run that has it says, with all its seeds and the cells of all of them."""
    described = {predictor.key: predictor for run in reversed(runs) for predictor in run.predictors}
    qualified = qualifications(pooled, runs[0].scenario, runs[0].rules)
    return [
        PredictorEntry(
            **dict(described[one.key])
            | (dict(qualified[one.key]) if one.key in qualified else {})
            | {"seeds": list(one.seeds)}
        )
        for one in pooled.measured
    ]


def _minutes(runs: Sequence[Results]) -> dict[str, float]:
    """Minutes of all runs together, step by step."""
    steps = dict.fromkeys(step for run in runs for step in run.minutes)
    return {step: sum(run.minutes.get(step, 0.0) for run in runs) for step in steps}
