"""What every entry point does with its configuration: say what is missing, and close what it opened."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

CONF = Path(__file__).parent.parent / "conf"

# W&B goes online only for users who have a key.
OmegaConf.register_new_resolver("radedit.offline", lambda: not os.environ.get("WANDB_API_KEY"), replace=True)


def name_missing_choice(config: DictConfig, group: str, key: str) -> None:
    """Exit with the choices of a group whose files fill `key`, if none was chosen.

    Raises:
        SystemExit: If `key` is still missing; its message lists what can be chosen.
    """
    if key in config and not OmegaConf.is_missing(config, key):
        return
    choices = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    raise SystemExit(f"No {group} was given. Say +{group}=… with one of: {', '.join(choices)}.")


def close_logger(loggers: Sequence[Any]) -> None:
    """End the W&B run, so that the next job of a sweep starts its own."""
    if any(type(logger).__name__ == "WandbLogger" for logger in loggers):
        import wandb

        wandb.finish()
