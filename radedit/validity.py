"""Does the synthetic set predict the shift? `python -m radedit.validity +scenario=manifestation`."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from radedit.configuration import CONF, arguments_as, composed, entry_point
from radedit.data.atomic import write_atomically
from radedit.data.cache import fingerprint
from radedit.data.fingerprint import content_hash
from radedit.data.held import Held
from radedit.harness.cheap import Family, Member, film_data, obtain
from radedit.harness.edit_files import prepare_folder
from radedit.harness.provenance import made_by
from radedit.harness.scenario import Removal, question
from radedit.harness.trial_films import TrialFilms, ask, constant_masks, measure_of, records
from radedit.harness.validity import Tried, validity
from radedit.models.constant import ConstantClassifier, ConstantSegmenter
from radedit.report.validity_figure import draw
from radedit.report.validity_table import validity_table
from radedit.stress_sets import Asked, asked, require

logger = logging.getLogger(__name__)


@entry_point("validity")
def run(config: DictConfig) -> None:
    """Find the stress set, train what is missing, ask everyone, and say how near each way of testing comes."""
    if config.threads:
        torch.set_num_threads(config.threads)
    out = Path(config.out)
    prepare_folder(out)
    clock = time.monotonic()
    asks = _asked(config)
    first = next(iter(asks.values()))
    family: Family = instantiate(config.cheap.family, _convert_="all")
    members = [
        family.member(strength, seed) for strength in config.cheap.strengths for seed in range(config.cheap.seeds)
    ]
    own_test = next(node.own_test for node in config.predictors.values() if "own_test" in node)
    ordinary = Held(instantiate(own_test, _convert_="all"))
    corruption = instantiate(config.validity.corruption)
    hashes = {
        "stress_sets": {name: json.loads((what.folder / "meta.json").read_text())["content_hash"]
                        for name, what in asks.items()},
        "predictors": {member.key: member.hash for member in members},
        "ordinary": content_hash(fingerprint(ordinary.reader)),
        "generator": first.bundle.hash,
    }  # fmt: skip
    named = content_hash([hashes, asdict(corruption), config.validity.n_match])
    folder = out / "validity" / f"{first.scenario.name}-{named[:12]}"
    title = question([what.scenario for what in asks.values()])
    print(f"{title}\n{folder}\n", flush=True)

    trained = obtain(members, out / "predictors_cheap", Path(config.cache))
    ready = time.monotonic()
    bundle = first.bundle
    bundle.require("image_encoder")
    sets = [
        TrialFilms.of(
            name, what.scenario, what.data, what.folder, bundle.size, lambda x: bundle.embed_image(x.to(bundle.device)),
            corruption, config.validity.n_match,
        )
        for name, what in asks.items()
    ]  # fmt: skip
    who: dict[str, tuple[Any, float | None, int | None]] = {
        member.key: (trained.networks[member.key], member.strength, member.seed)
        for member in members
        if member.key in trained.networks
    }
    who |= {key: (one, None, None) for key, one in _constants(family, members[0], first, Path(config.cache)).items()}
    tried = []
    for number, (key, (predictor, strength, seed)) in enumerate(who.items(), start=1):
        logger.info("Asking %d of %d: %s", number, len(who), key)
        answers = folder / "answers" / f"{key}-{predictor.hash[:12]}"
        tried.append(Tried(key, strength, seed, ask(predictor, sets, ordinary, size=bundle.size, folder=answers)))
    measure, delta = measure_of(sets), float(config.validity.delta)
    chosen = {"kept": records(sets, kept=True), "all": records(sets, kept=False)}
    results = {
        "scenario": first.scenario.name,
        "title": title,
        "measure": measure,
        "delta": delta,
        **{name: validity(tried, ids, measure, delta) for name, ids in chosen.items() if ids},
        "sets": [{"name": s.name, "counts": s.counts, "corruption": asdict(s.match)} for s in sets],
        "trained": len(trained.networks),
        "trained_now": len(trained.new),
        "failed": trained.failed,
        "minutes": {"train": (ready - clock) / 60, "all": (time.monotonic() - clock) / 60},
        "command": f"python -m radedit.validity {' '.join(sys.argv[1:])}",
        **made_by(),
        "hashes": hashes,
    }
    write_atomically(folder / "validity.json", (json.dumps(results, indent=1) + "\n").encode())
    text = validity_table(results)
    write_atomically(folder / "table.md", text.encode())
    draw(results, folder / "scatter.png")
    print(f"{text}\n{folder.resolve()}")


def _asked(config: DictConfig) -> dict[str, Asked]:
    """Name of the addition → its stress set, finished; or one set without a name."""
    given = config.stress_set
    if "addition" not in config:
        return {"": require(asked(config), given, f"+scenario={config.scenario.name}")}
    additions = str(config.additions).split(",")
    if given is not None and not isinstance(given, Mapping | DictConfig):
        raise ValueError(f"stress_set is {given!r}; of this scenario it is {{{additions[0]}: folder, …}}.")
    overrides = list(HydraConfig.get().overrides.task)
    found = {}
    for addition in additions:
        what = asked(composed("validity", [*overrides, f"addition={addition}"]))
        folder = None if given is None else given.get(addition)
        found[addition] = require(what, folder, f"+scenario={config.scenario.name} additions={addition}")
    return found


def _constants(family: Family, first: Member, what: Asked, cache: Path) -> dict[str, Any]:
    """Predictors that never look, by key."""
    if isinstance(what.scenario, Removal):
        finding, size = what.scenario.finding, family.size
        return {f"always_{name}": ConstantClassifier(finding, p, size=size) for name, p in (("yes", 1.0), ("no", 0.0))}
    data = film_data(first, cache)
    data.setup()
    return {"mean_shape": ConstantSegmenter(constant_masks(data.films["train"].films, family.masks))}


def main() -> None:
    """All jobs of the scenario's sweep are one here: it has no seeds of its own."""
    arguments = sys.argv[1:]
    if not any(argument.startswith("+scenario=") or argument.startswith("-") for argument in arguments):
        scenarios = ", ".join(sorted(path.stem for path in (CONF / "cheap").glob("*.yaml")))
        raise SystemExit(f"error: No scenario was given. Say +scenario=… with one of: {scenarios}.")
    with arguments_as([*arguments, "hydra.mode=RUN"]):
        run()


if __name__ == "__main__":
    main()
