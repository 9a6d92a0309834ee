"""Does the verdict find the biased ones? `python -m radedit.detection`."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from radedit.configuration import composed, entry_point
from radedit.data.atomic import write_atomically
from radedit.data.cache import fingerprint
from radedit.data.held import Held
from radedit.harness.answers import Answers, Measured
from radedit.harness.cheap import Family, Member, obtain
from radedit.harness.detection import FILMS, Trial, freeze, read_rules, summary, write_rules
from radedit.harness.edit_files import prepare_folder
from radedit.harness.edits import Edits
from radedit.harness.evaluate import kind_reader, predict
from radedit.harness.provenance import made_by
from radedit.harness.scenario import Removal
from radedit.harness.verdict import Rules
from radedit.models.predictors import Network
from radedit.report.detection_figure import draw
from radedit.report.detection_table import detection_table
from radedit.stress_sets import asked, require
from radedit.types import Reader

logger = logging.getLogger(__name__)


@entry_point("detection")
def main(config: DictConfig) -> None:
    """Freeze the rules on ten worlds, then judge the predictors of forty others by them."""
    if config.threads:
        torch.set_num_threads(config.threads)
    out, clock = Path(config.out), time.monotonic()
    folder, asks = out / "detection", config.detection
    prepare_folder(folder)
    what = require(asked(config), config.stress_set, f"+scenario={config.scenario.name}")
    assert isinstance(what.scenario, Removal)
    cells = {name: Held(reader) for name, reader in what.data.cells.items()}
    tester = Tester(what.scenario, cells, what.bundle.size, folder / "answers", out / "predictors_cheap", config.cache)
    family: Family = instantiate(config.cheap.family, _convert_="all")
    frozen_on, tested_on = (
        worlds_of(family, asks.strengths, part.worlds, part.first_world) for part in (asks.freeze, asks)
    )
    if shared := {member.world.seed for member in frozen_on} & {member.world.seed for member in tested_on}:
        raise ValueError(
            f"Worlds {sorted(shared)[:3]} serve to freeze the rules and to test them. Set first_world apart."
        )
    edits = Edits.of(what.folder, what.data)
    films = Films(what.folder.name, what.folder, edits.kept or edits.every)

    start: Rules = instantiate(config.rules)
    basis = {
        "stress_set": json.loads((what.folder / "meta.json").read_text())["content_hash"],
        "predictors": [member.hash for member in frozen_on],
        "cells": {name: fingerprint(reader.reader) for name, reader in cells.items()},
        "truth": asks.truth,
        "films": FILMS,
        "start": {"limit": start.limit, "path_limit": start.path_limit, "min_n": start.min_n},
    }
    file = folder / "rules.json"
    if file.is_file():
        frozen = read_rules(file, basis)
        print(f"Rules: frozen before, {file}", flush=True)
    else:
        print(f"Freezing the rules on {len(frozen_on)} worlds that are not tested", flush=True)
        trials, failed = tester.trials(frozen_on, films)
        if failed:
            raise ValueError(
                f"{len(failed)} of the predictors for the rules could not be trained: {failed[0]['reason']}"
            )
        frozen = freeze(trials, start, asks.truth, basis)
        write_rules(file, frozen)
    rules = Rules(**frozen["rules"])
    print(
        f"Rules {frozen['hash'][:12]}: {json.dumps(frozen['rules'])}\nJudging {len(tested_on)} predictors", flush=True
    )

    trials, failed = tester.trials(tested_on, films)
    results = {
        "scenario": what.scenario.name,
        "truth": asks.truth,
        "rules": {key: frozen[key] for key in ("rules", "hash")},
        "n": len(films.records),
        "kept": bool(edits.kept),
        "counts": edits.counts,
        **summary(trials, rules, asks.truth),
        "failed": failed,
        "broken": _broken(config, tester, tested_on, films, rules),
        "minutes": (time.monotonic() - clock) / 60,
        "command": f"python -m radedit.detection {' '.join(sys.argv[1:])}".strip(),
        **made_by(),
        "hashes": {
            "stress_set": basis["stress_set"],
            "predictors": {member.key: member.hash for member in tested_on},
            "rules": frozen["hash"],
        },
    }
    write_atomically(folder / "detection.json", (json.dumps(results, indent=1) + "\n").encode())
    text = detection_table(results)
    write_atomically(folder / "table.md", text.encode())
    draw(results, folder / "curve.png")
    print(f"{text}\n{folder.resolve()}")


@dataclass(frozen=True)
class Films:
    """A stress set that predictors are judged on, and the records that count."""

    name: str
    folder: Path
    records: list[str]


@dataclass
class Tester:
    """Asks predictors and makes their trials; answers are kept, films are held."""

    scenario: Removal
    cells: Mapping[str, Reader]
    size: int
    answers: Path
    predictors: Path
    cache: str

    def trials(self, members: Sequence[Member], films: Films) -> tuple[list[Trial], list[dict[str, str]]]:
        """A trial of each predictor that could be trained, and those that could not."""
        trained = obtain(members, self.predictors, Path(self.cache))
        readers = {kind: Held(kind_reader(films.folder, kind)) for kind in FILMS}
        found = [
            self.trial(member, trained.networks[member.key], films, readers)
            for member in members
            if member.key in trained.networks
        ]
        return found, trained.failed

    def trial(self, member: Member, network: Network, films: Films, readers: Mapping[str, Reader]) -> Trial:
        """What one predictor says of the stress set and of the true films."""
        sets = {}
        for kind, reader in readers.items():
            found = self._ask(network, reader, self.answers / films.name / member.key / f"{kind}.csv")
            sets[kind] = Answers([id_.rsplit("/", 1)[0] for id_ in found.ids], found.subjects, found.values)
        for cell, reader in self.cells.items():
            sets[f"cell-{cell}"] = self._ask(network, reader, self.answers / "cells" / member.key / f"{cell}.csv")
        return Trial.of(Measured(member.key, "cheap", sets, (member.seed,)), member.strength, films.records)

    def _ask(self, network: Network, reader: Reader, cache: Path) -> Answers:
        return Answers.of_scores(predict(network, reader, self.scenario.finding, self.size, cache=cache))


def worlds_of(family: Family, strengths: Sequence[float], worlds: int, first: int) -> list[Member]:
    """One predictor for each world; worlds differ in their patients, too."""
    found: list[Member] = []
    for strength in strengths:
        for _ in range(worlds):
            seed = first + len(found)
            found.append(family.member(strength, seed, replace(family.world_of(strength), seed=seed)))
    return found


def _broken(
    config: DictConfig, tester: Tester, members: Sequence[Member], films: Films, rules: Rules
) -> list[dict[str, Any]]:
    """Verdicts under generators that are broken on purpose, and under the whole one with as few films."""
    found: list[dict[str, Any]] = []
    fewest: list[int] = []
    for name, change in config.detection.broken.items():
        overrides = OmegaConf.to_container(change)
        assert isinstance(overrides, list)
        what = asked(composed("detection", [*HydraConfig.get().overrides.task, *map(str, overrides)]))
        entry: dict[str, Any] = {"name": str(name), "overrides": overrides, "stress_set": str(what.folder)}
        if not what.finished:
            words = " ".join(
                map(str, [f"+scenario={config.scenario.name}", *overrides, "run=[generate] hydra.mode=RUN"])
            )
            found.append(entry | {"missing": f"python -m radedit.stress {words}"})
            logger.warning("No verdicts under %s: %s is not made. Make it with: python -m radedit.stress %s", name,
                           what.folder, words)  # fmt: skip
            continue
        edits = Edits.of(what.folder, what.data)
        fewest.append(len(what.data.source.records))
        trials, _ = tester.trials(members, Films(what.folder.name, what.folder, edits.kept or edits.every))
        found.append(entry | {"counts": edits.counts, **summary(trials, rules, config.detection.truth)})
    if fewest:
        few = [id_ for id_ in films.records if id_ in set(_first(films, max(fewest)))]
        trials, _ = tester.trials(members, replace(films, records=few))
        whole = {"name": "whole", "overrides": [], "stress_set": str(films.folder), "counts": {"edited": len(few)}}
        found.append(whole | summary(trials, rules, config.detection.truth))
    return found


def _first(films: Films, n: int) -> list[str]:
    """Records of the first n films of a set."""
    return [record.id.rsplit("/", 1)[0] for record in kind_reader(films.folder, "edit").records][:n]


if __name__ == "__main__":
    main()
