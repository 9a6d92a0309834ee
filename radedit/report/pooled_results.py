"""The results of several runs on one stress set, as `results.json` has them, and their folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from radedit.data.atomic import write_atomically
from radedit.harness.pooled import Pooled
from radedit.harness.statistics import CROSSED_INTERVAL, INTERVAL
from radedit.report.results import FILE

FIGURES = ("table", "attribution", "agreement", "contrasts", "ranking", "changes", "kept_curve")


def pooled_results(runs: Sequence[Mapping[str, Any]], pooled: Pooled, figures: Mapping[str, Any]) -> dict[str, Any]:
    """Results of several predictor seeds in the form of one run's.

    Args:
        runs: Results of each run, in the order of the seeds. What has nothing to do with predictors (counts, score,
            generator, pictures) is taken from the first: the stress set is the same.
        pooled: Their answers.
        figures: Of these, from `radedit.harness.pooled.pooled_figures`.
    """
    first, names = runs[0], trainings(runs)
    seeds = {one.key: list(one.seeds) for one in pooled.measured}
    several = max(len(of_one) for of_one in seeds.values()) > 1
    notes = [note for note in first["notes"] if all(note in run["notes"] for run in runs)]
    notes += [
        f"{name}: {note}"
        for name, run in zip(names, runs, strict=True)
        for note in run["notes"]
        if note not in notes and len(runs) > 1
    ]
    if several:
        n = max(len(of_one) for of_one in seeds.values())
        notes.append(
            f"Numbers are means over {n} trainings of each predictor, on the same edits; ± is the standard deviation "
            f"over these. Pictures and the answers in the gallery are those of {names[0].lower()}."
        )
    if pooled.lost:
        shown = ", ".join(pooled.lost[:5]) + (", …" if len(pooled.lost) > 5 else "")
        notes.append(
            f"{len(pooled.lost)} edited film{'s' if len(pooled.lost) > 1 else ''} could not be measured by every "
            f"training and count{'' if len(pooled.lost) > 1 else 's'} nowhere: {shown}."
        )
    described = {predictor["key"]: predictor for run in reversed(runs) for predictor in run["predictors"]}
    return {
        **first,
        "created": max(run["created"] for run in runs),
        "predictor_seed": None if several else first.get("predictor_seed"),
        "interval": CROSSED_INTERVAL if several else INTERVAL,
        "predictors": [
            described[one.key]
            | figures["qualified"].get(one.key, {})
            | {"seeds": seeds[one.key], "seed": one.seeds[0] if len(one.seeds) == 1 else None}
            for one in pooled.measured
        ],
        **{name: figures[name] for name in FIGURES},
        "verdicts": [verdict.dict() for verdict in figures["verdicts"]],
        "notes": notes,
        "minutes": _minutes(runs),
        "hashes": {
            **{name: first["hashes"][name] for name in ("generator", "stress_set") if name in first["hashes"]},
            "predictors": {
                key: {
                    name: run["hashes"]["predictors"][key]
                    for name, run in zip(names, runs, strict=True)
                    if key in run["hashes"]["predictors"]
                }
                for key in seeds
            },
            "runs": {name: run["hashes"]["run"] for name, run in zip(names, runs, strict=True)},
        },
    }


def write_pooled(folder: Path, results: Mapping[str, Any], pictures_of: Path) -> None:
    """Write `results.json` and copy the pictures that it names.

    Args:
        folder: To be made.
        results: From `pooled_results`.
        pictures_of: Folder of the run whose gallery it shows.
    """
    named = [path for example in results["gallery"] for path in example["images"].values()]
    named += [cell["picture"] for p in results["predictors"] for cell in p.get("cells", []) if cell.get("picture")]
    folder.mkdir(parents=True, exist_ok=True)
    for path in dict.fromkeys(named):
        target = folder / path
        if not target.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"Picture {path!r} of {pictures_of / FILE} is outside its folder.")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(pictures_of / path, target)
    write_atomically(folder / FILE, (json.dumps(results, indent=1, ensure_ascii=False) + "\n").encode())


def trainings(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names runs by the seed of their predictors' training, where that tells them apart."""
    seeds = [run.get("predictor_seed") for run in runs]
    return [
        f"Seed {seed}" if seed is not None and seeds.count(seed) == 1 else f"Run {run['hashes']['run'][:8]}"
        for run, seed in zip(runs, seeds, strict=True)
    ]


def _minutes(runs: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Minutes of all runs together, step by step."""
    steps = [step for run in runs for step in run.get("minutes", {})]
    return {step: sum(run.get("minutes", {}).get(step) or 0.0 for run in runs) for step in dict.fromkeys(steps)}
