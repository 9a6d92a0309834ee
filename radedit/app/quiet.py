"""Libraries that speak only when something is wrong."""

from __future__ import annotations

import logging
import os
import warnings

# Loggers of what is printed when all is well: devices, tips, packages that would load weights a little faster.
CHATTY = (
    "lightning.pytorch.utilities.rank_zero",
    "lightning.fabric.utilities.rank_zero",
    "lightning.fabric.utilities.seed",
)
# Begins of warnings about what a library does within another one, which can't be mended here.
THEIRS = (
    r"`isinstance\(treespec, LeafSpec\)`",
    r".*`weights_only`",
    r".*does not have many workers",
    r"GPU available but not used",
    r"You are using `torch.load` with",
    r".*litlogger",
    r".*The `srun` command is available",
)


def quieten() -> None:
    """Before they are imported; what the environment says of verbosity is left as it is."""
    for name, value in {
        "DIFFUSERS_VERBOSITY": "error",
        "TRANSFORMERS_VERBOSITY": "error",
        "WANDB_QUIET": "true",
    }.items():
        os.environ.setdefault(name, value)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in THEIRS:
        warnings.filterwarnings("ignore", message=message)
