"""Does the synthetic set predict the shift? `python -m radedit.validity +scenario=manifestation`."""

from __future__ import annotations

import json
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
    from radedit.studies.shared.cheap_predictors import Family, Member


@entry_point("validity", needs="scenario", one_job=True)
def main(config: DictConfig) -> None:
    """Find the stress set, train what is missing, ask everyone, and say how near each way of testing comes."""
    import torch

    from radedit.data.batches.cache import fingerprint
    from radedit.data.io.atomic import write_atomically
    from radedit.data.io.fingerprint import content_hash
    from radedit.data.io.progress import tracked
    from radedit.data.io.provenance import made_by
    from radedit.data.views.cached import CachedDataset
    from radedit.harness.single.outputs import prepare_folder
    from radedit.harness.stress.scenario import question
    from radedit.studies.shared.cheap_predictors import obtain
    from radedit.studies.shared.trial_images import TrialImages, ask, measure_of, records
    from radedit.studies.validity.figure import draw
    from radedit.studies.validity.table import validity_table
    from radedit.studies.validity.validity import Tried, validity

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
    in_distribution = CachedDataset(instantiate(own_test, _convert_="all"))
    corruption = instantiate(config.validity.corruption)
    hashes = {
        "stress_sets": {name: json.loads((what.folder / "meta.json").read_text())["content_hash"]
                        for name, what in asks.items()},
        "predictors": {member.key: member.hash for member in members},
        "in_distribution": content_hash(fingerprint(in_distribution.dataset)),
        "generator": first.bundle.hash,
    }  # fmt: skip
    named = content_hash([hashes, asdict(corruption), config.validity.n_match])
    folder = out / "validity" / f"{first.scenario.name}-{named[:12]}"
    title = question([what.scenario for what in asks.values()])
    print(f"{title}\nreport: {folder.resolve() / 'table.md'}\n", flush=True)

    trained = obtain(members, out / "predictors_cheap", Path(config.cache))
    ready = time.monotonic()
    bundle = first.bundle
    bundle.require("image_encoder")
    sets = [
        TrialImages.of(
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
    for key, (predictor, strength, seed) in tracked(who.items(), len(who), "Predicting", "predictors"):
        predictions = folder / "predictions" / f"{key}-{predictor.hash[:12]}"
        tried.append(
            Tried(key, strength, seed, ask(predictor, sets, in_distribution, size=bundle.size, folder=predictions))
        )
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
        "command": typed_command("validity"),
        **made_by(),
        "hashes": hashes,
    }
    write_atomically(folder / "validity.json", (json.dumps(results, indent=1) + "\n").encode())
    text = validity_table(results)
    write_atomically(folder / "table.md", text.encode())
    draw(results, folder / "scatter.png")
    print(f"{text}\n{folder.resolve()}")


def _asked(config: DictConfig) -> dict[str, RequestedSet]:
    """Name of the addition → its stress set, finished; or one set without a name."""
    from radedit.app.stress_sets import requested, require

    given = config.stress_set
    if "addition" not in config:
        return {"": require(requested(config), given, f"+scenario={config.scenario.name}")}
    additions = str(config.additions).split(",")
    if given is not None and not isinstance(given, Mapping | DictConfig):
        raise ValueError(f"stress_set is {given!r}; of this scenario it is {{{additions[0]}: folder, …}}.")
    overrides = list(HydraConfig.get().overrides.task)
    found = {}
    for addition in additions:
        what = requested(composed("validity", [*overrides, f"addition={addition}"]))
        folder = None if given is None else given.get(addition)
        found[addition] = require(what, folder, f"+scenario={config.scenario.name} additions={addition}")
    return found


def _constants(family: Family, first: Member, what: RequestedSet, cache: Path) -> dict[str, Any]:
    """Predictors that never look, by key."""
    from radedit.harness.stress.scenario import Removal
    from radedit.models.constant import ConstantClassifier, ConstantSegmenter
    from radedit.studies.shared.cheap_predictors import image_data
    from radedit.studies.shared.trial_images import constant_masks

    if isinstance(what.scenario, Removal):
        finding, size = what.scenario.finding, family.size
        return {f"always_{name}": ConstantClassifier(finding, p, size=size) for name, p in (("yes", 1.0), ("no", 0.0))}
    data = image_data(first, cache)
    data.setup()
    return {"mean_shape": ConstantSegmenter(constant_masks(data.images["train"].images, family.masks))}


if __name__ == "__main__":
    main()
