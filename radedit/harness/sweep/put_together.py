"""Several runs put together: pooled by stress set, named, judged, and editors compared on the same images."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path

from radedit.data.io.fingerprint import content_hash
from radedit.data.io.names import capitalized
from radedit.harness.evidence.checks import reasons
from radedit.harness.evidence.results import Hashes, Results, Score
from radedit.harness.evidence.verdict import Rules, exit_code, holm, outcome_of
from radedit.harness.predictors.predictions import Measured
from radedit.harness.statistics.means import crossed_difference, crossed_mean
from radedit.harness.stress.scenario import Addition, question
from radedit.harness.sweep.finished_run import FinishedRun
from radedit.harness.sweep.pooled import Pooled, concatenate, pool, pooled_figures, pooled_results, reading
from radedit.harness.sweep.results import EditorContrast, Member, Sweep, Variant, names_of

ORDER = ("oedema", "pacemaker", "consolidation")  # of Figure 5
EDITORS = {"radedit": "RadEdit", "diffedit": "DiffEdit", "lance": "LANCE", "sdedit": "SDEdit"}


@dataclass(frozen=True)
class _Set:
    """One stress set of the sweep."""

    variant: Variant
    runs: list[FinishedRun]
    pooled: Pooled
    editor: str
    asked: str


def put_together(runs: Sequence[FinishedRun], additions: Mapping[str, tuple[str, str]]) -> Sweep:
    """What a sweep found.

    Args:
        runs: Of one scenario, in any order: several predictor seeds, additions, editors. A run given twice counts once.
        additions: Editing prompt → name of an addition, and of its group in Figure 5.

    Raises:
        ValueError: If there are no runs, or they do not belong together.
    """
    runs = sorted({run.hash: run for run in runs}.values(), key=lambda run: run.order)
    check_belong_together(runs)
    sets = _sets(runs, additions)
    variants = [one.variant for one in sets]
    rules = runs[0].results.rules
    verdicts = holm(
        [
            replace(verdict, predictor=f"{one.key}/{verdict.predictor}") if len(variants) > 1 else verdict
            for one in variants
            for verdict in one.results.verdicts
        ]
    )
    return Sweep(
        title=question([one.results.scenario for one in variants]),
        hash=content_hash(sorted(run.hash for run in runs)),
        created=max(run.results.created for run in runs),
        command=_command(runs),
        rules=rules,
        outcome=outcome_of(verdicts),
        exit_code=exit_code(verdicts, rules),
        runs=[Member.of(run.results, run.folder.name, one.variant.key) for one in sets for run in one.runs],
        variants=variants,
        groups=_groups(sets),
        verdicts=verdicts,
        editors=_editors(sets),
    )


def check_belong_together(runs: Sequence[FinishedRun]) -> None:
    """Runs are put together where they ask one question in one setting, by the same rules.

    Raises:
        ValueError: If there are none, or one of them does not; it names two that differ.
    """
    if not runs:
        raise ValueError("There are no runs to put together; give the folders of at least one.")
    first = runs[0]
    for run in runs[1:]:
        for what, one, two in zip(("scenario", "setting", "rules"), kind_of(first), kind_of(run), strict=True):
            if one != two:
                raise ValueError(
                    f"{first.folder} and {run.folder} do not belong together: the {what} is {one} in one and {two} in "
                    f"the other. A sweep has one {what}; put them together apart from each other."
                )


def kind_of(run: FinishedRun) -> tuple[str, str, str]:
    """Runs that have this alike belong together: scenario, setting and rules."""
    return run.results.name, run.results.setting, _words(run.results.rules)


def name_of_editor(editor: str) -> str:
    """`lance` as `LANCE`."""
    return EDITORS.get(editor, editor)


def _words(rules: Rules) -> str:
    return ", ".join(f"{name} {value}" for name, value in asdict(rules).items())


def _sets(runs: Sequence[FinishedRun], additions: Mapping[str, tuple[str, str]]) -> list[_Set]:
    """Runs by their stress set, in the paper's order, each with a name that tells it from the others."""
    by_hash: dict[str, list[FinishedRun]] = {}
    for run in runs:
        by_hash.setdefault(run.stress_set, []).append(run)
    editors = {run.results.editor for run in runs}
    named = []
    for stress_set, of_set in by_hash.items():
        scenario, editor = of_set[0].results.scenario, of_set[0].results.editor
        key, group, name = names_of(scenario, additions)
        asked = key
        if len(editors) > 1:
            by = name_of_editor(editor)
            name = f"{name}, edited by {by}" if isinstance(scenario, Addition) else f"Edited by {by}"
            key, group = f"{key}-{editor}", f"{group}-{editor}"
        named.append((key, group, name, asked, stress_set, of_set))
    keys = [key for key, *_ in named]
    sets = []
    for key, group, name, asked, stress_set, of_set in named:
        if keys.count(key) > 1:  # e.g. two strengths of an edit
            key, group, name = (f"{word}-{stress_set[:6]}" for word in (key, group, name))
        pooled = pool([run.predictions for run in of_set])
        variant = Variant(key=key, name=name, group=group, results=_results(of_set, pooled))
        sets.append(_Set(variant, of_set, pooled, of_set[0].results.editor, asked))

    def paper_order(one: _Set) -> tuple[int, str]:
        finding = one.variant.group.partition("-")[0]
        return ORDER.index(finding) if finding in ORDER else len(ORDER), one.variant.key

    return sorted(sets, key=paper_order)


def _results(runs: Sequence[FinishedRun], pooled: Pooled) -> Results:
    """Of all seeds on one stress set; those of a single run are what it found itself."""
    first = runs[0].results
    if len(runs) == 1:
        return first
    figures = pooled_figures(
        pooled, first.scenario, first.rules, first.score.cosines, counterfactual_is=runs[0].counterfactual_is,
        checks=reasons(first.checks), failed=first.failed,
    )  # fmt: skip
    return pooled_results([run.results for run in runs], pooled, figures)


def _groups(sets: Sequence[_Set]) -> list[Variant]:
    """Figure 5's three: variants of one group are put together image by image."""
    groups: dict[str, list[_Set]] = {}
    for one in sets:
        groups.setdefault(one.variant.group, []).append(one)
    return [of_one[0].variant if len(of_one) == 1 else _group(group, of_one) for group, of_one in groups.items()]


def _group(group: str, sets: Sequence[_Set]) -> Variant:
    pooled = concatenate({one.variant.key: one.pooled for one in sets})
    first = sets[0].variant.results
    scenario = first.scenario
    assert isinstance(scenario, Addition)  # only additions are named alike
    finding = group.replace("-", ", ")
    edited = [one.variant.results.scenario.edited for one in sets]  # type: ignore[union-attr]
    together = replace(
        scenario,
        added=finding,
        title=scenario.title.replace(scenario.added, finding),
        edited=list(dict.fromkeys(structure for of_one in edited for structure in of_one)),
    )
    cosines = {f"{one.variant.key}/{id_}": c for one in sets for id_, c in one.variant.results.score.cosines.items()}
    figures = pooled_figures(
        pooled, together, first.rules, cosines, counterfactual_is=sets[0].runs[0].counterfactual_is
    )
    alone = Results(**dict(first) | {"scenario": together, "skipped": [], "hashes": sets[0].runs[0].results.hashes})
    # Each part is judged by itself; together they would be judged twice.
    results = pooled_results([alone], pooled, figures).model_copy(
        update={
            "verdicts": [],
            "counts": {name: sum(one.variant.results.counts[name] for one in sets) for name in first.counts},
            "notes": [],
            "score": Score(),
            "hashes": Hashes(),
        }
    )
    members = [one.variant.key for one in sets]
    return Variant(key=group, name=capitalized(finding), group=group, results=results, members=members)


def _editors(sets: Sequence[_Set]) -> list[EditorContrast]:
    """Each predictor's measure on the edits of one editor less that on another's, on records that both have."""
    found = []
    for one, other in combinations(sets, 2):
        if one.asked != other.asked or one.editor == other.editor:
            continue
        _, yardstick = reading(one.variant.results.scenario)
        in_other = set(other.pooled.kept or other.pooled.every)
        records = [record for record in one.pooled.kept or one.pooled.every if record in in_other]
        of_other = {measured.key: measured for measured in other.pooled.measured}
        pairs = [(m, of_other[m.key]) for m in one.pooled.measured if m.key in of_other]
        found += [
            contrast
            for first, second in pairs
            if (contrast := _editor_contrast(one, other, first, second, records, yardstick.measure)) is not None
        ]
    return found


def _editor_contrast(
    one: _Set, other: _Set, first: Measured, second: Measured, records: Sequence[str], measure: str
) -> EditorContrast | None:
    a, b = first.of("edit", records), second.of("edit", records)
    if not records or a is None or b is None:
        return None
    x, y = a.values[measure], b.values[measure]
    same = first.seeds == second.seeds  # the same trainings, so that they are paired, too
    difference = crossed_mean(x - y, a.patients) if same else crossed_difference(x, y, a.patients)
    return EditorContrast(
        predictor=first.key,
        group=one.asked,
        one=one.editor,
        other=other.editor,
        n=len(records),
        of_one=a.mean(measure),
        of_other=b.mean(measure),
        difference=difference,
    )


def _command(runs: Sequence[FinishedRun]) -> str:
    """The command that made all of the runs, or what puts the runs of several commands together."""
    commands = {run.results.command for run in runs}
    if len(commands) == 1 and (command := next(iter(commands))):
        return command
    return f"python -m radedit.sweep runs=[{','.join(sorted(_relative(run.folder) for run in runs))}]"


def _relative(folder: Path) -> str:
    relative = os.path.relpath(folder)
    return str(folder) if relative.startswith("..") else relative
