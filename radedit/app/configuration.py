"""Where configurations lie, what they may compute, and composing one from within a running command."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

PACKAGE = Path(__file__).parents[1]
# In a wheel conf/ lies in the package, in a checkout beside it; nothing else knows where.
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parent / "conf"
WEIGHTS = PACKAGE / "weights"


def device() -> str:
    """The device of this process: a GPU of its own, where several are at work on a machine."""
    from radedit.app.processes import own_device

    return own_device(job=_job_beside_others())


def precision() -> str:
    """Lightning's name of the precision that trains fastest here."""
    from radedit.training.precision import mixed_precision

    return mixed_precision()


# What W&B is sent, unless the user says it.
OmegaConf.register_new_resolver("radedit.upload", lambda: sent_by_default(), replace=True)
# Shipped weights are found from any working directory.
OmegaConf.register_new_resolver("radedit.weights", lambda name: str(WEIGHTS / name), replace=True)
OmegaConf.register_new_resolver("radedit.device", device, replace=True)
OmegaConf.register_new_resolver("radedit.precision", precision, replace=True)
# The paper counts epochs, Lightning steps.
OmegaConf.register_new_resolver("radedit.steps", lambda *numbers: steps_of_epochs(*numbers), replace=True)
# The released weights' model card tells the share of steps to skip, editors begin at a step.
OmegaConf.register_new_resolver(
    "radedit.after_skip", lambda steps, share: int(steps) - int(int(steps) * float(share)), replace=True
)


def sent_by_default() -> str | None:
    """Images, where all of them are drawn and the user has a key of W&B; else nothing: patients stay home."""
    if not os.environ.get("WANDB_API_KEY") or not HydraConfig.initialized():
        return None
    chosen, typed = HydraConfig.get().runtime.choices, HydraConfig.get().overrides.task
    if any(re.match(r"[+~]*(data|dataset|images)\..*(_target_|path|root|folder)", override) for override in typed):
        return None  # somebody's own
    if (setting := chosen.get("setting")) is not None:
        return "images" if setting == "phantom" == str(chosen.get("shift")).partition("/")[0] else None
    return "images" if "/" not in str(chosen.get("experiment") or "/") else None


def steps_of_epochs(epochs: int, n: int, batch_size: int, devices: Any = 1, num_nodes: int = 1) -> int:
    """Optimiser's steps of some epochs of `n` images, on any number of GPUs.

    Args:
        epochs: How often every image is seen.
        n: Images of the training set.
        batch_size: Of each GPU.
        devices: GPUs of each machine, as Lightning takes them: a number, a list, or auto and -1 for all.
        num_nodes: Machines.
    """
    if isinstance(devices, Sequence) and not isinstance(devices, str):
        count = len(devices)
    elif str(devices) in ("auto", "-1"):
        import torch

        count = max(1, torch.cuda.device_count())
    else:
        count = int(devices) if str(devices).isdigit() else len(str(devices).strip("[],").split(","))
    return math.ceil(int(epochs) * int(n) / (int(batch_size) * count * int(num_nodes)))


def _job_beside_others() -> int | None:
    """Number of this job of a sweep, if its launcher runs several at a time."""
    if not HydraConfig.initialized():
        return None
    settings = HydraConfig.get()
    if str(settings.launcher["_target_"]).endswith(".BasicLauncher") or OmegaConf.is_missing(settings.job, "num"):
        return None
    return int(settings.job.num)


def composed(config_name: str, overrides: Sequence[str]) -> DictConfig:
    """A recipe of `conf/` as data, read by the running command's own loader where there is one.

    Args:
        config_name: File of `conf/`, such as train.
        overrides: As on a command line.
    """
    if GlobalHydra.instance().is_initialized():
        return hydra.compose(config_name, overrides=list(overrides))
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(config_name, overrides=list(overrides))


@contextmanager
def arguments_as(arguments: Sequence[str]) -> Iterator[None]:
    """Let Hydra, which reads the command line itself, see other arguments; afterwards they are as typed."""
    before = list(sys.argv)
    sys.argv[1:] = arguments
    try:
        yield
    finally:
        sys.argv[:] = before


def close_logger(loggers: Sequence[Any]) -> None:
    """End the W&B run, so that the next job of a sweep starts its own."""
    if any(type(logger).__name__ == "WandbLogger" for logger in loggers):
        import wandb

        wandb.finish()
