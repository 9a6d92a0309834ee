"""Predictors that an experiment trains: found again by content hash, trained if there are none."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from radedit.app.configuration import WEIGHTS, composed, device
from radedit.app.processes import alone
from radedit.data.batches.cache import fingerprint
from radedit.data.io.atomic import write_atomically
from radedit.data.io.file_lock import FileLock
from radedit.data.io.fingerprint import content_hash
from radedit.data.io.progress import Progress

logger = logging.getLogger(__name__)

CARD = "card.json"
LOOK_S = 2.0  # seconds between two looks at a training's log
SHIPPED = WEIGHTS / "predictors"


def recipe(config: DictConfig) -> str:
    """Names everything in an experiment's configuration that determines the weights: images, network, steps, seed."""
    data = OmegaConf.to_container(config.data, resolve=True)
    assert isinstance(data, dict)
    images = {
        part: fingerprint(instantiate(data.pop(part), _convert_="all")) for part in ("train", "val") if part in data
    }
    rest = {key: value for key, value in data.items() if key not in ("cache", "workers")}
    return content_hash({
        "images": images,
        "data": rest,
        "module": OmegaConf.to_container(config.module, resolve=True),
        "trainer": {key: config.trainer[key] for key in ("val_check_interval", "gradient_clip_val", "precision")},
        # as radedit.training.checkpoint.BestPoint chooses
        "best": {"by": config.monitor, "of_equals": "last"},
        **{key: config[key] for key in ("max_steps", "seed")},
    })  # fmt: skip


def note_recipe(folder: Path, named: str) -> None:
    """Write a recipe into the card of what was trained by it."""
    card = folder / CARD
    if card.is_file():
        write_atomically(card, (json.dumps(json.loads(card.read_text()) | {"recipe": named}, indent=2) + "\n").encode())


def find(named: str, folders: Sequence[Path]) -> Path | None:
    """The predictor that was trained by a recipe, if it is in one of these folders or below."""
    for folder in folders:
        for card in sorted(folder.rglob(CARD)):
            try:
                found = json.loads(card.read_text()).get("recipe")
            except (ValueError, AttributeError):  # of a killed run
                continue
            if found == named and (card.parent / "model.safetensors").is_file():
                return card.parent
    return None


def lacking(
    experiments: Collection[str], seeds: Iterable[int], out: str | Path, overrides: Sequence[str] = ()
) -> list[tuple[str, int]]:
    """Experiment and seed of each predictor that has not been trained; arguments as for `obtain`."""
    configs = {name: composed("train", [f"+experiment={name}", *overrides]) for name in set(experiments)}
    found = []
    for seed in seeds:
        for name in experiments:
            configs[name].seed = seed
            if not find(recipe(configs[name]), (SHIPPED, Path(out) / "predictors" / name)):
                found.append((name, seed))
    return found


def obtain(
    experiments: Mapping[str, str], seed: int, out: Path, overrides: Sequence[str] = (), jobs: int = 1
) -> dict[str, Path]:
    """Folders of trained predictors; those that can't be found are trained, each by a command of its own.

    Args:
        experiments: Key → file of `conf/experiment`.
        seed: Of the training.
        out: What is trained goes to `<out>/predictors/<experiment>/seed-<seed>-<recipe>`.
        overrides: Further arguments of `radedit.train`.
        jobs: How many are trained at a time.

    Returns:
        Key → folder.

    Raises:
        ValueError: If a training fails; its log is named.
    """
    arguments = {name: [f"+experiment={name}", f"seed={seed}", *overrides] for name in experiments.values()}
    configs = {name: composed("train", given) for name, given in arguments.items()}
    recipes = {name: recipe(config) for name, config in configs.items()}
    untrained = [name for name in recipes if not find(recipes[name], (SHIPPED, out / "predictors" / name))]
    progress = Progress(sum(configs[name].max_steps for name in untrained), f"Training {', '.join(untrained)}", "steps")

    def one(experiment: str) -> Path:
        named = recipes[experiment]
        if found := find(named, (SHIPPED, out / "predictors" / experiment)):
            return found
        folder = out / "predictors" / experiment / f"seed-{seed}-{named[:12]}"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", wait=True):  # another job of the sweep may be at it
            if not find(named, [folder]):
                _train([*arguments[experiment], f"bundle={folder}", f"folder={folder}/training"], folder, progress)
        return folder

    with progress, ThreadPoolExecutor(jobs) as pool:
        return dict(zip(experiments, pool.map(one, experiments.values()), strict=True))


def _train(arguments: Sequence[str], folder: Path, progress: Progress) -> None:
    """Run a training to its end; its steps are counted as its log names them."""
    command = [sys.executable, "-m", "radedit.train", *arguments, "logger=csv"]
    logger.info("Training: python -m %s", " ".join(command[2:]))
    file = folder / "training.log"
    before = file.stat().st_size if file.is_file() else 0
    counted = 0
    with file.open("ab") as log:
        environment = alone(device=device())
        with subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment) as process:
            code = None
            while code is None:
                try:
                    code = process.wait(LOOK_S)
                except subprocess.TimeoutExpired:
                    steps = steps_in(file.read_bytes()[before:].decode(errors="replace"))
                    progress.add(steps - counted)
                    counted = steps
    if code:
        tail = file.read_text(errors="replace").strip().splitlines()[-1:]
        raise ValueError(f"The training of {folder.parent.name} ended with code {code}: {' '.join(tail)} See {file}.")


def steps_in(log: str) -> int:
    """Steps that a training has done, by the last line of `radedit.data.io.progress` in its log."""
    found = re.findall(r"^Training: ([\d,]+) of ", log, re.MULTILINE)
    return int(found[-1].replace(",", "")) if found else 0


def missing(config: Any) -> dict[str, str]:
    """Key → experiment of the predictors in a stress test's configuration whose folder is not given."""
    return {
        key: node.experiment
        for key, node in config.items()
        if isinstance(node, DictConfig) and node.get("experiment") and node.get("folder") is None
    }
