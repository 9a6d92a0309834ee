"""Explain one case of a finished stress test: `python -m radedit.explain run=… record=…`, see `conf/explain.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from radedit.app.command import entry_point, typed_command

if TYPE_CHECKING:
    from radedit.harness.evidence.results import Results

WORST = "worst"


@entry_point("explain")
def main(config: DictConfig) -> None:
    """Find run, stress set and predictors, ask them, and write the page."""
    import torch

    from radedit.data.io.provenance import git_commit, versions, without_places
    from radedit.data.stress_set import image_path
    from radedit.harness.evidence.results import load
    from radedit.harness.explain.case import explain, load_tested
    from radedit.harness.stress.scenario import Addition, Removal
    from radedit.harness.sweep.pooled import only
    from radedit.report.case.page import write_explanation
    from radedit.report.sweep.run_folder import find_stress_set, place_of

    if config.threads:
        torch.set_num_threads(config.threads)
    run = Path(str(config.run)).expanduser()
    results = load(run)
    stress_set = find_stress_set(run, results.name, results.hashes.stress_set)
    record = _worst(results, run) if config.record == WORST else str(config.record)
    given = OmegaConf.to_container(config.folders)
    assert isinstance(given, dict)
    known = {predictor.key: place_of(run, predictor.folder) for predictor in results.predictors}
    if unknown := [str(key) for key in given if key not in known]:
        raise ValueError(f"folders has {unknown[0]!r}, which {run} did not test. It tested {', '.join(known)}.")
    folders = known | {str(key): str(Path(str(folder)).expanduser()) for key, folder in given.items()}
    tested = {key: only(of_one) for key, of_one in results.hashes.predictors.items()}
    predictors = {key: load_tested(key, folder, tested[key], run) for key, folder in folders.items()}
    scenario = results.scenario
    case = explain(
        stress_set,
        record,
        predictors,
        finding=scenario.finding if isinstance(scenario, Removal) else "",
        structures=scenario.structures,
        edited=scenario.edited if isinstance(scenario, Addition) else (),
    )
    about = {
        "command": typed_command("explain"),
        "commit": git_commit() or "",
        "versions": versions(),
        "folders": folders,
    }
    about = without_places(about)
    folder = run / "explain" / Path(image_path("record", record)).stem
    print(write_explanation(case, results, run, folder, about).resolve())


def _worst(results: Results, run: Path) -> str:
    if not results.gallery:
        raise ValueError(f"{run} has no gallery to take the worst record from. Say record=… with a record's id.")
    return results.gallery[0].record


if __name__ == "__main__":
    main()
