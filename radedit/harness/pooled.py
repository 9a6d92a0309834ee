"""Several runs on one stress set put together: the same edits, answered by predictors of several training seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from radedit.harness import addition, removal
from radedit.harness.answers import Answers, Measured
from radedit.harness.changes import changes
from radedit.harness.evidence import Row, Yardstick, figures
from radedit.harness.kept_curve import kept_curve
from radedit.harness.scenario import TRUTH, Addition, Removal
from radedit.harness.verdict import Rules


@dataclass(frozen=True)
class Answered:
    """What one run has of its predictors.

    Attributes:
        measured: Their answers.
        kept: Records whose edit was kept.
        who: Predictor → hash of its weights. The same hash in two runs is the same training, and counts once.
        thresholds: Predictor → threshold that was chosen on validation films, where there is one.
    """

    measured: list[Measured]
    kept: list[str]
    who: Mapping[str, str]
    thresholds: Mapping[str, float]


@dataclass(frozen=True)
class Pooled:
    """Answers of several runs, stacked.

    Attributes:
        measured: Of each predictor, of all its seeds.
        kept, every: Records whose edit was kept, and all edited ones, but for those in `lost`.
        lost: Edited records that some seed could not measure; they count nowhere.
        thresholds: Predictor → threshold of each seed, in the order of the rows.
    """

    measured: list[Measured]
    kept: list[str]
    every: list[str]
    lost: list[str]
    thresholds: Mapping[str, list[float]]


def pool(runs: Sequence[Answered]) -> Pooled:
    """Stack the answers of runs on one stress set.

    Args:
        runs: In the order that seeds should have.

    Raises:
        ValueError: If there are no runs, or the seeds of a predictor have not a single film of a set in common.
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
        for name, answers in stacked.sets.items():
            if not answers.ids:
                raise ValueError(
                    f"The {len(trained)} seeds of {key!r} have no film of the set {name!r} in common; "
                    "seeds are put together where they were tested on the same films."
                )
            if name not in ("ordinary", "shifted") and not name.startswith("cell-"):
                all_seeds = {id_ for one in trained for id_ in one.sets[name].ids}
                lost |= dict.fromkeys(sorted(all_seeds - set(answers.ids)))
        measured.append(stacked)
    edited = [set(one.sets["edit"].ids) for one in measured]
    every = [id_ for id_ in measured[0].sets["edit"].ids if all(id_ in ids for ids in edited) and id_ not in lost]
    return Pooled(
        measured,
        [record for record in runs[0].kept if record in set(every)],
        every,
        list(lost),
        {key: [threshold for _, threshold in by_hash.values()] for key, by_hash in seeds.items()},
    )


def concatenate(parts: Mapping[str, Pooled]) -> Pooled:
    """The films of several stress sets as one, e.g. consolidation of the left lung and of the right (Figure 5).

    A record is named by its part, as a film may have been edited in each. Patients keep their names, so that one who is
    in both is drawn with all of his films.

    Args:
        parts: Name → answers. Predictors and seeds that not all of them have are left out.
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
            answers = [(part, one.sets[name]) for part, one in found]
            shared = [m for m in answers[0][1].values if all(m in each.values for _, each in answers)]
            sets[name] = Answers(
                [id_ for part, each in answers for id_ in named(part, each.ids)],
                [subject for _, each in answers for subject in each.subjects],
                {m: np.concatenate([each.values[m][rows[part]] for part, each in answers], axis=1) for m in shared},
            )
        measured.append(Measured(key, found[0][1].role, sets, tuple(seeds)))
    return Pooled(
        measured,
        [id_ for part, pooled in parts.items() for id_ in named(part, pooled.kept)],
        [id_ for part, pooled in parts.items() for id_ in named(part, pooled.every)],
        [id_ for part, pooled in parts.items() for id_ in named(part, pooled.lost)],
        {},
    )


def pooled_figures(
    pooled: Pooled,
    scenario: Removal | Addition,
    rules: Rules,
    cosines: Mapping[str, float | None],
    *,
    twin_is: str = TRUTH,
) -> dict[str, Any]:
    """What a run's report says of its answers, of all seeds: the figures of `radedit.harness.evidence`, and more.

    Args:
        pooled: Answers.
        scenario: What was asked.
        rules: Fixed beforehand.
        cosines: Record → editing score.
        twin_is: What a table calls the twins.

    Returns:
        `figures`, and `changes`, `kept_curve`, `ranking` and `qualified` (predictor → its cells), as JSON has them but
        for the verdicts.
    """
    rows, yardstick = reading(scenario, twin_is)
    records = pooled.kept or pooled.every
    found = figures(pooled.measured, rows, yardstick, scenario, rules, pooled.kept, pooled.every)
    known = {record: cosines.get(record) for record in pooled.every}
    ranking: list[dict[str, Any]] = []
    qualified: dict[str, Any] = {}
    if isinstance(scenario, Removal):
        ranking = removal.ranking(pooled.measured, pooled.thresholds, records)
        qualified = {one.key: removal.qualification(one, scenario) for one in pooled.measured}
    return found | {
        "changes": changes(pooled.measured, yardstick, records),
        "kept_curve": kept_curve(pooled.measured, yardstick.measure, known),
        "ranking": ranking,
        "qualified": qualified,
    }


def reading(scenario: Removal | Addition, twin_is: str = TRUTH) -> tuple[list[Row], Yardstick]:
    """Lines of a scenario's table, and how it measures."""
    if isinstance(scenario, Removal):
        return removal.rows(scenario, twin_is), removal.YARDSTICK
    return addition.rows(scenario, twin_is), addition.YARDSTICK
