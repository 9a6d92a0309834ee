"""Explain one case of a finished stress test: `python -m radedit.explain run=… record=…`, see `conf/explain.yaml`."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf

from radedit.configuration import entry_point
from radedit.data.stress_set import image_path
from radedit.harness.explain import explain, load_tested
from radedit.harness.provenance import git_commit, versions
from radedit.report.explanation import write_explanation
from radedit.report.results import Results, load
from radedit.report.run_folder import find_stress_set

WORST = "worst"


@entry_point("explain")
def main(config: DictConfig) -> None:
    """Find run, stress set and predictors, ask them, and write the page."""
    if config.threads:
        torch.set_num_threads(config.threads)
    run = Path(str(config.run)).expanduser()
    results = load(run)
    stress_set = find_stress_set(run, results.name, str(results.hashes.get("stress_set", "")))
    record = _worst(results, run) if config.record == WORST else str(config.record)
    given = OmegaConf.to_container(config.folders)
    assert isinstance(given, dict)
    known = {predictor.key: predictor.folder for predictor in results.predictors}
    if unknown := [str(key) for key in given if key not in known]:
        raise ValueError(f"folders has {unknown[0]!r}, which {run} did not test. It tested {', '.join(known)}.")
    folders = known | {str(key): str(Path(str(folder)).expanduser()) for key, folder in given.items()}
    tested = results.hashes["predictors"]
    predictors = {key: load_tested(key, folder, tested[key], run) for key, folder in folders.items()}
    scenario = results.config.get("scenario", {})
    edited = scenario.get("edited", ())
    case = explain(
        stress_set,
        record,
        predictors,
        finding=scenario.get("finding", results.finding),  # the label; the results have what it is called
        structures=scenario.get("structures", ()),
        edited=[edited] if isinstance(edited, str) else edited,  # of runs before several could be edited at once
    )
    about = {
        "command": f"python -m radedit.explain {' '.join(sys.argv[1:])}".strip(),
        "commit": git_commit() or "",
        "versions": versions(),
        "folders": folders,
    }
    folder = run / "explain" / Path(image_path("record", record)).stem
    print(write_explanation(case, results, run, folder, about).resolve())


def _worst(results: Results, run: Path) -> str:
    if not results.gallery:
        raise ValueError(f"{run} has no gallery to take the worst record from. Say record=… with a record's id.")
    return results.gallery[0].record


if __name__ == "__main__":
    main()
