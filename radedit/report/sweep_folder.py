"""The folder of a sweep: a page for every variant, `sweep.json`, the table, the verdict, and the page of it all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from radedit.data.atomic import write_atomically
from radedit.data.fingerprint import content_hash
from radedit.harness.pooled import Pooled, concatenate, pool, pooled_figures
from radedit.harness.scenario import Addition, question
from radedit.harness.verdict import Rules, Verdict, exit_code, overall
from radedit.report.figure5 import ORDER
from radedit.report.finished_run import FinishedRun
from radedit.report.gallery import NAMES
from radedit.report.gate import write_gate
from radedit.report.page import write_report
from radedit.report.pooled_results import pooled_results, write_pooled
from radedit.report.sweep_certificate import write_certificates
from radedit.report.sweep_markdown import FILE as TABLES
from radedit.report.sweep_markdown import write_sweep_markdown
from radedit.report.sweep_page import write_sweep_page
from radedit.report.sweep_results import FILE, Member, Variant, load_sweep
from radedit.report.sweep_table import write_sweep_csv


@dataclass(frozen=True)
class Finished:
    """A sweep that was written.

    Attributes:
        folder: Of the sweep.
        verdicts: Of every predictor on every variant.
        rules: Fixed beforehand.
    """

    folder: Path
    verdicts: list[Verdict]
    rules: Rules


@dataclass(frozen=True)
class _Part:
    """One stress set of the sweep."""

    key: str
    name: str
    group: str
    runs: list[FinishedRun]
    pooled: Pooled
    results: dict[str, Any]
    verdicts: list[Verdict]


def write_sweep(runs: Sequence[FinishedRun], out: Path, additions: Mapping[str, tuple[str, str]]) -> Finished:
    """Put runs together and write their folder, `<out>/<scenario>-<hash>`; the same runs give the same folder.

    Args:
        runs: Of one scenario, in any order: several predictor seeds, additions, editors. A run given twice counts once.
        out: Folder of all sweeps.
        additions: Editing prompt → name of an addition, and of its group in Figure 5.

    Raises:
        ValueError: If there are no runs, or they do not belong together.
    """
    runs = sorted({run.hash: run for run in runs}.values(), key=lambda run: run.order)
    check_belong_together(runs)
    first = runs[0]
    hash_ = content_hash(sorted(run.hash for run in runs))
    folder = out / f"{first.scenario.name}-{hash_[:12]}"
    parts = _parts(runs, additions)
    verdicts = [
        replace(verdict, predictor=verdict.predictor if len(parts) == 1 else f"{part.key}/{verdict.predictor}")
        for part in parts
        for verdict in part.verdicts
    ]
    command = _command(runs)
    for part in parts:
        write_pooled(folder / part.key, part.results, part.runs[0].folder)
        write_report(folder / part.key)
        write_certificates(folder / part.key, part.results, part.verdicts, first.rules, command)
    members = [
        Member(
            run.folder.name, run.hash, part.key, run.stress_set, run.results.get("predictor_seed"),
            run.results.get("created", ""), run.results.get("commit", ""), run.results.get("command", ""),
        )
        for part in parts
        for run in part.runs
    ]  # fmt: skip
    variants = [_variant(part.key, part.name, part.group, part.results) for part in parts]
    sweep = {
        **{name: first.results.get(name, "") for name in ("name", "setting", "section")},
        "title": question([part.runs[0].scenario for part in parts]),
        "measure": first.results.get("measure", "accuracy"),
        "hash": hash_,
        "created": max(run.results.get("created", "") for run in runs),
        "command": command,
        "rules": asdict(first.rules),
        "outcome": overall(verdicts) if verdicts else "undecided",
        "exit_code": exit_code(verdicts, first.rules),
        "runs": [asdict(member) for member in members],
        "variants": variants,
        "groups": _groups(parts),
        "verdicts": [verdict.dict() for verdict in verdicts],
    }
    write_atomically(folder / FILE, (json.dumps(sweep, indent=1, ensure_ascii=False) + "\n").encode())
    loaded = load_sweep(folder)
    write_sweep_csv(loaded, folder / "table.csv")
    write_sweep_markdown(loaded, folder / TABLES)
    if verdicts:
        about = {
            "setting": loaded.setting,
            "command": command,
            "hashes": {
                "sweep": hash_,
                "runs": {member.folder: member.run for member in members},
                "stress_sets": {part.key: part.runs[0].stress_set for part in parts},
            },
        }
        write_gate(folder, first.scenario.name, verdicts, first.rules, about)
    write_sweep_page(folder)
    return Finished(folder, verdicts, first.rules)


def check_belong_together(runs: Sequence[FinishedRun]) -> None:
    """Runs are put together where they ask one question in one setting, by the same rules.

    Raises:
        ValueError: If there are none, or one of them does not; it names two that differ.
    """
    if not runs:
        raise ValueError("There are no runs to put together; give the folders of at least one.")
    first = runs[0]
    for run in runs[1:]:
        for what, one, two in (
            ("scenario", first.scenario.name, run.scenario.name),
            ("setting", first.results["setting"], run.results["setting"]),
            ("rules", _rules(first.rules), _rules(run.rules)),
        ):
            if one != two:
                raise ValueError(
                    f"{first.folder} and {run.folder} do not belong together: the {what} is {one} in one and {two} in "
                    f"the other. A sweep has one {what}; put them together apart from each other."
                )


def kind_of(run: FinishedRun) -> tuple[str, str, str]:
    """Runs that have this alike belong together."""
    return run.scenario.name, str(run.results["setting"]), _rules(run.rules)


def _rules(rules: Rules) -> str:
    return ", ".join(f"{name} {value}" for name, value in asdict(rules).items())


def _parts(runs: Sequence[FinishedRun], additions: Mapping[str, tuple[str, str]]) -> list[_Part]:
    """Runs by their stress set, in the paper's order, each with a name that tells it from the others."""
    sets: dict[str, list[FinishedRun]] = {}
    for run in runs:
        sets.setdefault(run.stress_set, []).append(run)
    editors = {run.editor for run in runs}
    named = []
    for stress_set, of_set in sets.items():
        scenario = of_set[0].scenario
        key = group = scenario.name
        name = scenario.title
        if isinstance(scenario, Addition):
            key, group = additions.get(scenario.prompt, (_slug(scenario.added),) * 2)
            bare = scenario.added.removeprefix("a ").removeprefix("an ")
            name = bare[0].upper() + bare[1:]
        if len(editors) > 1:
            editor = of_set[0].editor
            key, group, name = f"{key}-{editor}", f"{group}-{editor}", f"{name} ({NAMES.get(editor, editor)})"
        named.append((key, group, name, stress_set, of_set))
    keys = [key for key, *_ in named]
    parts = []
    for key, group, name, stress_set, of_set in named:
        if keys.count(key) > 1:  # e.g. two strengths of an edit
            key, group, name = (f"{word}-{stress_set[:6]}" for word in (key, group, name))
        pooled = pool([run.answered for run in of_set])
        first = of_set[0]
        figures = pooled_figures(pooled, first.scenario, first.rules, first.cosines, twin_is=first.twin_is)
        results = pooled_results([run.results for run in of_set], pooled, figures)
        parts.append(_Part(key, name, group, of_set, pooled, results, figures["verdicts"]))

    def paper_order(part: _Part) -> tuple[int, str]:
        finding = part.group.partition("-")[0]
        return ORDER.index(finding) if finding in ORDER else len(ORDER), part.key

    return sorted(parts, key=paper_order)


def _groups(parts: Sequence[_Part]) -> list[dict[str, Any]]:
    """Figure 5's three: variants of one group are put together film by film."""
    groups: dict[str, list[_Part]] = {}
    for part in parts:
        groups.setdefault(part.group, []).append(part)
    result = []
    for group, members in groups.items():
        first = members[0]
        if len(members) == 1:
            result.append(_variant(first.key, first.name, group, first.results))
            continue
        pooled = concatenate({part.key: part.pooled for part in members})
        scenario = first.runs[0].scenario
        assert isinstance(scenario, Addition)  # only additions are named alike
        finding = group.replace("-", ", ")
        together = replace(scenario, added=finding, title=scenario.title.replace(scenario.added, finding))
        cosines = {f"{part.key}/{id_}": c for part in members for id_, c in part.runs[0].cosines.items()}
        figures = pooled_figures(pooled, together, first.runs[0].rules, cosines, twin_is=first.runs[0].twin_is)
        # Each part is judged by itself; together they would be judged twice.
        told = first.runs[0].results
        base = first.results | {
            "added": finding, "title": together.title, "structure": "edited lung", "skipped": [],
            "hashes": told["hashes"], "predictor_seed": told.get("predictor_seed"),
        }  # fmt: skip
        counts = {name: sum(part.results["counts"][name] for part in members) for name in first.results["counts"]}
        results = pooled_results([base], pooled, figures) | {
            "verdicts": [], "counts": counts, "notes": [], "score": {}, "hashes": {},
        }  # fmt: skip
        name = finding[0].upper() + finding[1:]
        result.append(_variant(group, name, group, results, [part.key for part in members]))
    return result


def _variant(
    key: str, name: str, group: str, results: Mapping[str, Any], members: Sequence[str] = ()
) -> dict[str, Any]:
    shown = {k: v for k, v in results.items() if k != "gallery"}
    return asdict(Variant(key, name, group, None, list(members))) | {"results": shown}  # type: ignore[arg-type]


def _slug(words: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in words.lower()).split())


def _command(runs: Sequence[FinishedRun]) -> str:
    """The sweep that made all of the runs, or what puts the runs of several commands together."""
    commands = {run.results.get("command", "") for run in runs}
    if len(commands) == 1 and len(runs) > 1 and (command := commands.pop()):
        return str(command)
    return f"python -m radedit.sweep runs=[{','.join(sorted(_relative(run.folder) for run in runs))}]"


def _relative(folder: Path) -> str:
    relative = os.path.relpath(folder)
    return str(folder) if relative.startswith("..") else relative
