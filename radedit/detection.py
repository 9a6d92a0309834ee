"""Does the verdict find the biased predictors, and no other? `python -m radedit.detection`."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from radedit.app.command import entry_point, typed_command
from radedit.app.configuration import composed

if TYPE_CHECKING:
    from radedit.app.stress_sets import RequestedSet
    from radedit.harness.evidence.checks import CheckLimits
    from radedit.studies.detection.tester import JudgedSet

logger = logging.getLogger(__name__)

WHOLE = "whole"


@entry_point("detection")
def main(config: DictConfig) -> None:
    """Freeze the rules, make every generator's stress sets, train one predictor a world, and judge them all."""
    import torch

    from radedit.data.batches.cache import fingerprint
    from radedit.data.io.atomic import write_atomically
    from radedit.data.io.progress import tracked
    from radedit.data.io.provenance import made_by
    from radedit.data.views.cached import CachedDataset
    from radedit.harness.evidence.verdict import Rules
    from radedit.harness.single.outputs import prepare_folder
    from radedit.studies.detection.detection import freeze, summary
    from radedit.studies.detection.figure import draw, draw_generators
    from radedit.studies.detection.table import detection_table
    from radedit.studies.detection.tester import CELLS, Tester, worlds_of
    from radedit.studies.shared.cheap_predictors import Family, obtain

    if config.threads:
        torch.set_num_threads(config.threads)
    out, clock, asks = Path(config.out), time.monotonic(), config.detection
    folder = out / "detection" / config.scenario.name
    prepare_folder(folder)
    print(f"report: {folder.resolve() / 'table.md'}", flush=True)
    rules, limits = Rules(**asdict(instantiate(config.rules))), instantiate(config.checks)
    truth = float(asks.truth)
    frozen = freeze(folder / "rules.json", rules, limits, truth)
    print(f"Rules {frozen[:12]}, frozen: {folder / 'rules.json'}", flush=True)

    whole = _sets(config, [])
    fewer = [f"{key}={value}" for key, value in asks.fewer.items()]
    judged = {}  # sets first: they say before any training whether the checks see what is broken
    for name in [WHOLE, *asks.broken]:
        sets = whole if name == WHOLE else _sets(config, [*fewer, *(str(change) for change in asks.broken[name])])
        judged[name] = {addition: _judged(name, what, limits) for addition, what in sets.items()}
    family: Family = instantiate(config.cheap.family, _convert_="all")
    members = worlds_of(family, asks.strengths, asks.worlds, asks.first_world)
    trained = obtain(members, out / "predictors_cheap", Path(config.cache))
    first = next(iter(whole.values()))
    cells = {name: CachedDataset(first.data.cells[name]) for name in CELLS if name in first.data.cells}
    tester = Tester(rules, cells, first.bundle.size, folder / "predictions")
    found: dict[str, Any] = {}
    for name, by_addition in judged.items():
        trials = [
            tester.trial(member, trained.networks[member.key], images, addition)
            for addition, images in by_addition.items()
            for member in tracked(members, len(members), f"Judging: {name}", "predictors")
            if member.key in trained.networks
        ]
        found[name] = {
            "stress_sets": [images.folder.name for images in by_addition.values()],
            "kept": sum(len(images.kept) for images in by_addition.values()),
            "edited": sum(len(images.every) for images in by_addition.values()),
            "against": sorted({sentence for images in by_addition.values() for sentence in images.against}),
            **summary(trials, truth),
        }
    results = {
        "scenario": config.scenario.name,
        "truth": truth,
        "rules": asdict(rules),
        "frozen": frozen,
        "generators": found,
        "failed": trained.failed,
        "minutes": (time.monotonic() - clock) / 60,
        "command": typed_command("detection"),
        **made_by(),
        "hashes": {
            "generator": first.bundle.hash,
            "predictors": {member.key: member.hash for member in members},
            "cells": {name: fingerprint(dataset.dataset) for name, dataset in cells.items()},
            "rules": frozen,
        },
    }
    write_atomically(folder / "detection.json", (json.dumps(results, indent=1) + "\n").encode())
    text = detection_table(results)
    write_atomically(folder / "table.md", text.encode())
    draw(results, folder / "curve.png")
    draw_generators(results, folder / "generators.png")
    print(f"{text}\n{folder.resolve()}")


def _sets(config: DictConfig, changes: list[str]) -> Mapping[str, RequestedSet]:
    """Addition → its stress set, or one set without a name, with what makes a generator another."""
    from radedit.app.stress_sets import requested

    overrides = [*HydraConfig.get().overrides.task, *changes]
    if "addition" not in config:
        return {"": requested(composed("detection", overrides))}
    additions = str(config.additions).split(",")
    return {name: requested(composed("detection", [*overrides, f"addition={name}"])) for name in additions}


def _judged(name: str, what: RequestedSet, limits: CheckLimits) -> JudgedSet:
    """A stress set, made now if it is not there, with its checks."""
    from radedit.harness.stress.generate import generate
    from radedit.studies.detection.tester import JudgedSet

    if not what.finished:
        print(f"Generator {name}: making {what.folder}", flush=True)
        generate(what.scenario, what.data, what.bundle, what.plan, what.folder, what.determines)
    found = JudgedSet.of(what.folder, what.scenario, what.plan.threshold, limits, what.bundle.psnr)
    against = " ".join(found.against) or "all checks of the edits hold."
    print(f"Generator {name}: {len(found.kept)} of {len(found.every)} edits kept; {against}", flush=True)
    return found


if __name__ == "__main__":
    main()
