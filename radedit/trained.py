"""Predictors that an experiment trains: found again by content hash, trained if there are none."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from radedit.configuration import WEIGHTS, composed, device
from radedit.data.atomic import write_atomically
from radedit.data.cache import fingerprint
from radedit.data.file_lock import FileLock
from radedit.data.fingerprint import content_hash
from radedit.processes import alone

logger = logging.getLogger(__name__)

CARD = "card.json"
SHIPPED = WEIGHTS / "predictors"


def recipe(config: DictConfig) -> str:
    """Names everything in an experiment's configuration that determines the weights: films, network, steps, seed."""
    data = OmegaConf.to_container(config.data, resolve=True)
    assert isinstance(data, dict)
    films = {
        part: fingerprint(instantiate(data.pop(part), _convert_="all")) for part in ("train", "val") if part in data
    }
    rest = {key: value for key, value in data.items() if key not in ("cache", "workers")}
    return content_hash({
        "films": films,
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


def known(experiment: str, seed: int, out: str | Path, overrides: Sequence[str] = ()) -> Path | None:
    """Folder of an experiment's predictor, if it has been trained; arguments as for `obtain`."""
    named = recipe(composed("train", [f"+experiment={experiment}", f"seed={seed}", *overrides]))
    return find(named, (SHIPPED, Path(out) / "predictors" / experiment))


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
    recipes = {name: recipe(composed("train", given)) for name, given in arguments.items()}

    def one(experiment: str) -> Path:
        named = recipes[experiment]
        if found := find(named, (SHIPPED, out / "predictors" / experiment)):
            return found
        folder = out / "predictors" / experiment / f"seed-{seed}-{named[:12]}"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", wait=True):  # another job of the sweep may be at it
            if not find(named, [folder]):
                _train([*arguments[experiment], f"bundle={folder}", f"folder={folder}/training"], folder)
        return folder

    with ThreadPoolExecutor(jobs) as pool:
        return dict(zip(experiments, pool.map(one, experiments.values()), strict=True))


def _train(arguments: Sequence[str], folder: Path) -> None:
    command = [sys.executable, "-m", "radedit.train", *arguments, "logger=csv", "trainer.enable_progress_bar=false"]
    logger.info("Training: python -m %s", " ".join(command[2:]))
    with (folder / "training.log").open("ab") as log:
        environment = alone(device=device())
        code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, env=environment).returncode
    if code:
        tail = (folder / "training.log").read_text(errors="replace").strip().splitlines()[-1:]
        raise ValueError(f"The training of {folder.parent.name} ended with code {code}: {' '.join(tail)} "
                         f"See {folder / 'training.log'}.")  # fmt: skip


def missing(config: Any) -> dict[str, str]:
    """Key → experiment of the predictors in a stress test's configuration whose folder is not given."""
    return {
        key: node.experiment
        for key, node in config.items()
        if isinstance(node, DictConfig) and node.get("experiment") and node.get("folder") is None
    }
