"""Stress-test predictors: `python -m radedit.stress +scenario=manifestation`."""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from radedit.configuration import CONF, close_logger, entry_point
from radedit.data.cache import fingerprint
from radedit.data.fingerprint import content_hash
from radedit.harness.addition import gather_addition
from radedit.harness.cost import Cost, expected_cost
from radedit.harness.edit_files import prepare_folder
from radedit.harness.editors import Editor
from radedit.harness.evaluate import Subject
from radedit.harness.evidence import Evidence, gather
from radedit.harness.generate import EditPlan, generate
from radedit.harness.provenance import git_commit, machine, versions
from radedit.harness.scenario import Addition, Scenario, StressData
from radedit.models.bundle import Bundle
from radedit.report.page import write_report
from radedit.report.results import load
from radedit.report.run_folder import write_results
from radedit.report.strip import write_strip
from radedit.report.table import print_table, write_csv
from radedit.report.wandb_log import log_run

logger = logging.getLogger(__name__)


@entry_point("stress")
def run(config: DictConfig) -> None:
    """Edit → score → keep → predict → report."""
    if config.threads:
        torch.set_num_threads(config.threads)
    out = Path(config.out)
    prepare_folder(out)
    scenario: Scenario | Addition = instantiate(config.scenario, _convert_="all")
    data: StressData = instantiate(config.dataset, _convert_="all")
    built = instantiate(config.predictors, _convert_="all")
    subjects = [subject for subject in built.values() if isinstance(subject, Subject)]
    bundle: Bundle = instantiate(config.generator, _convert_="all")
    plan = EditPlan(
        editor=Editor.of(instantiate(config.editor)),
        masks=instantiate(config.mask_strategy),
        also={name: Editor.of(edit) for name, edit in instantiate(config.also).items()},
        n_also=config.n_also,
        **config.edit,
    )
    determines = {
        "scenario": OmegaConf.to_container(config.scenario, resolve=True),
        "data": data.fingerprint,
        "generator": bundle.hash,
        "editor": OmegaConf.to_container(config.editor, resolve=True),
        "mask_strategy": OmegaConf.to_container(config.mask_strategy, resolve=True),
        "also": OmegaConf.to_container(config.also, resolve=True) if config.n_also else {},
        "edit": OmegaConf.to_container(config.edit, resolve=True),
        "n_also": config.n_also,
    }
    set_hash = content_hash(determines)
    stress_set = out / "stress_sets" / f"{scenario.name}-{set_hash[:12]}"
    who = {subject.key: subject.hash for subject in subjects}
    tested = {f"own-{subject.key}": subject.own_test for subject in subjects} | dict(data.cells)
    tested |= {"shifted": data.shifted} if data.shifted is not None else {}
    films = {name: fingerprint(reader) for name, reader in tested.items()}
    run_hash = content_hash([set_hash, who, films, config.n_gallery])
    folder = out / "stress" / f"{scenario.name}-{run_hash[:12]}"
    cost: Cost = expected_cost(bundle, plan, data, stress_set)
    print(f"{scenario.title}\n{cost}\nstress set: {stress_set}\nreport:     {folder / 'report.html'}\n", flush=True)

    run_logger = instantiate(config.logger)
    try:
        clock = time.monotonic()
        generate(scenario, data, bundle, plan, stress_set, determines)
        generated = time.monotonic()
        how = {"size": bundle.size, "answers": folder / "answers", "n_gallery": config.n_gallery}
        evidence: Evidence = (
            gather_addition(subjects, scenario, data, stress_set, **how)
            if isinstance(scenario, Addition)
            else gather(subjects, scenario, data, stress_set, **how)
        )
        judgement = (
            instantiate(config.judge)(bundle, scenario, data, stress_set, plan.threshold) if config.judge else None
        )
        evaluated = time.monotonic()
        about: dict[str, Any] = {
            "setting": config.setting,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": f"python -m radedit.stress {' '.join(sys.argv[1:])}",
            "commit": git_commit() or "",
            "seed": config.edit.seed,
            "machine": machine(),
            "versions": versions(),
            "minutes": {"generate": (generated - clock) / 60, "evaluate": (evaluated - generated) / 60},
            "hashes": {"generator": bundle.hash, "stress_set": set_hash, "predictors": who},
            "config": {k: v for k, v in determines.items() if k in ("editor", "mask_strategy", "edit", "scenario")},
            "threshold": plan.threshold,
            **(
                {"generator": judgement.figures, "weaknesses": judgement.weaknesses, "remarks": judgement.remarks}
                if judgement
                else {}
            ),
        }
        results = write_results(folder, stress_set, evidence, about)
        write_csv(results, folder / "table.csv")
        report = write_report(folder)
        write_strip(load(folder), folder)
        log_run(run_logger, results, folder, OmegaConf.to_container(config, resolve=True))
        print_table(results)
        print(f"\n{json.dumps(results['counts'])}\nreport: {report.resolve()}")
    finally:
        close_logger([run_logger])


def main() -> None:
    """Say what can be tested where no scenario was given, before Hydra composes."""
    arguments = sys.argv[1:]
    asks_for_help = any(
        argument in ("--help", "-h", "--cfg", "-c", "--hydra-help", "--info", "-i") for argument in arguments
    )
    if not asks_for_help and not any(argument.startswith("+scenario=") for argument in arguments):
        scenarios = ", ".join(sorted(path.stem for path in (CONF / "scenario").glob("*.yaml")))
        raise SystemExit(f"error: No scenario was given. Say +scenario=… with one of: {scenarios}.")
    run()


if __name__ == "__main__":
    main()
