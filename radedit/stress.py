"""Stress-test predictors: `python -m radedit.stress +scenario=manifestation`."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from radedit import trained
from radedit.configuration import CONF, close_logger, entry_point
from radedit.data.cache import fingerprint
from radedit.data.fingerprint import content_hash
from radedit.harness import addition, removal
from radedit.harness.anatomy import anatomy
from radedit.harness.answers import FILE, write_films
from radedit.harness.cost import expected_cost
from radedit.harness.edit_files import prepare_folder
from radedit.harness.evaluate import Subject
from radedit.harness.evidence import Evidence
from radedit.harness.first_films import check_first_films
from radedit.harness.generate import generate, require_masks
from radedit.harness.provenance import made_by
from radedit.harness.scenario import Addition, Removal
from radedit.harness.verdict import Rules
from radedit.models.predictors import Network, load_predictor
from radedit.processes import this_process
from radedit.report.page import write_report
from radedit.report.results import FILE as RESULTS
from radedit.report.results import load
from radedit.report.run_folder import write_results
from radedit.report.strip import write_strip
from radedit.report.table import print_table, write_csv
from radedit.report.wandb_log import log_run
from radedit.stress_sets import asked
from radedit.sweep import finish, jobs, note_job, typed
from radedit.tested import is_own, put_own_model

logger = logging.getLogger(__name__)

KIND = {Removal: removal, Addition: addition}
STEPS = ("generate", "evaluate")


@entry_point("stress")
def run(config: DictConfig) -> None:
    """Edit → score → keep → predict → report: one job of the scenario's sweep."""
    if config.threads:
        torch.set_num_threads(config.threads)
    if unknown := set(config.run) - set(STEPS):
        raise ValueError(f"run has {', '.join(sorted(unknown))}; allowed are {', '.join(STEPS)}.")
    process = this_process()
    if process.rank > 0:
        config.run = [step for step in config.run if step == "generate"]  # the first one does the rest
    out = Path(config.out)
    prepare_folder(out)
    rules: Rules = instantiate(config.rules)
    if "evaluate" in config.run:
        put_own_model(config)
        _check_given(config.predictors)
    what = asked(config)
    scenario, data, bundle, plan, stress_set = what.scenario, what.data, what.bundle, what.plan, what.folder
    if not what.finished:
        require_masks(scenario, data, plan, bundle.size)
    if process.rank == 0:
        cost = expected_cost(bundle, plan, data, stress_set)
        print(f"{scenario.title}\n{cost}\nstress set: {stress_set}", flush=True)

    subjects = _subjects(config, out) if "evaluate" in config.run else []
    who = {subject.key: subject.hash for subject in subjects}
    tested = {f"ordinary-{subject.key}": subject.own_test for subject in subjects} | dict(data.cells)
    tested |= {"shifted": data.shifted} if data.shifted is not None else {}
    films = {name: fingerprint(reader) for name, reader in tested.items()}
    judged_by = [rules.limit, rules.path_limit, rules.min_n]
    run_hash = content_hash([what.hash, who, films, config.n_gallery, judged_by])
    folder = out / "stress" / f"{scenario.name}-{run_hash[:12]}"

    kind = KIND[type(scenario)]
    if not (folder / RESULTS).is_file():
        for subject in subjects if is_own(config) and config.predictor.check else ():
            print(check_first_films(subject, bundle.size))
        kind.require(subjects, scenario, bundle.size)
    if subjects:
        print(f"report:     {folder / 'report.html'}\n", flush=True)

    clock = time.monotonic()
    if "generate" in config.run:
        generate(
            scenario, data, bundle, plan, stress_set, what.determines, rank=process.rank, world_size=process.world_size
        )
    generated = time.monotonic()
    if "evaluate" not in config.run:
        return
    run_logger = instantiate(config.logger)
    try:
        evidence: Evidence = kind.gather(
            subjects, scenario, data, stress_set, size=bundle.size, answers=out / "answers",
            n_gallery=config.n_gallery, rules=rules,
        )  # fmt: skip
        judgement = (
            instantiate(config.judge)(bundle, scenario, data, stress_set, plan.threshold) if config.judge else None
        )
        evaluated = time.monotonic()
        about: dict[str, Any] = {
            "setting": config.setting,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": f"python -m radedit.stress {typed()}",
            "seed": config.edit.seed,
            "predictor_seed": None if is_own(config) else config.predictor.seed,
            **made_by(),
            "minutes": {"generate": (generated - clock) / 60, "evaluate": (evaluated - generated) / 60},
            "hashes": {"generator": bundle.hash, "stress_set": what.hash, "predictors": who, "run": run_hash},
            "config": {
                **{k: what.determines[k] for k in ("editor", "mask_strategy", "edit")},
                "scenario": OmegaConf.to_container(config.scenario, resolve=True),
                "rules": OmegaConf.to_container(config.rules, resolve=True),
                "logger": OmegaConf.to_container(config.logger, resolve=True) if config.logger else None,
            },
            "threshold": plan.threshold,
            "edit_quality": {**(evidence.quality or {}), **anatomy(stress_set, _segmenter(config.anatomy))},
            **(
                {"generator": judgement.figures, "weaknesses": judgement.weaknesses, "remarks": judgement.remarks}
                if judgement
                else {}
            ),
        }
        results = write_results(folder, stress_set, evidence, about)
        write_films(folder / FILE, evidence.measured, evidence.kept)
        write_csv(results, folder / "table.csv")
        report = write_report(folder)
        write_strip(load(folder), folder)
        log_run(run_logger, results, folder, OmegaConf.to_container(config, resolve=True))
        note_job(folder)
        print_table(results)
        print(f"\n{json.dumps(results['counts'])}\nreport: {report.resolve()}")
    finally:
        close_logger([run_logger])


def _segmenter(folder: str | None) -> Network | None:
    return None if folder is None else load_predictor(folder)


def _check_given(predictors: DictConfig) -> None:
    """See the mistakes in predictors whose folder is given, before any long work."""
    absent = trained.missing(predictors)
    for key, node in predictors.items():
        if key not in absent and isinstance(node, DictConfig) and "folder" in node:
            instantiate(node, _convert_="all")


def _subjects(config: DictConfig, out: Path) -> list[Subject]:
    """The predictors; those whose folder is not given are found, or trained."""
    absent = trained.missing(config.predictors)
    folders = trained.obtain(
        absent, config.predictor.seed, out, [*config.training_roots, *config.training], config.train_jobs
    )
    for key, folder in folders.items():
        config.predictors[key].folder = str(folder)
    built = instantiate(config.predictors, _convert_="all")
    return [subject for subject in built.values() if isinstance(subject, Subject)]


def require_scenario() -> None:
    """Say what can be tested where no scenario was given, before Hydra composes.

    Raises:
        SystemExit: If none was.
    """
    arguments = sys.argv[1:]
    asks_for_help = any(
        argument in ("--help", "-h", "--cfg", "-c", "--hydra-help", "--info", "-i") for argument in arguments
    )
    if not asks_for_help and not any(argument.startswith("+scenario=") for argument in arguments):
        scenarios = ", ".join(sorted(path.stem for path in (CONF / "scenario").glob("*.yaml")))
        raise SystemExit(f"error: No scenario was given. Say +scenario=… with one of: {scenarios}.")


def _out(arguments: Sequence[str]) -> Path:
    """`out` as the command line has it, before Hydra composes."""
    given = [value for key, _, value in (argument.partition("=") for argument in arguments) if key == "out"]
    config = OmegaConf.load(CONF / "stress.yaml")
    return Path(OmegaConf.create({"out": [config.out, *given][-1]}).out)


def main() -> None:
    """Run the scenario's sweep, and end it with a report of its own."""
    require_scenario()
    with jobs(_out(sys.argv[1:])) as folders:
        run()
    finish(folders)


if __name__ == "__main__":
    main()
