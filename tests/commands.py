"""Commands run in this process, as a user types them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from radedit.models.predictors import Classifier, SegmenterWithHead
from tests.tiny_bundle import SIZE


def run(main: Callable[[], None], arguments: Sequence[str]) -> int:
    """Exit code of a command; logging and `sys.argv` are left as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["radedit", *arguments])
            main()
    except SystemExit as end:
        if isinstance(end.code, str):  # as the interpreter does
            print(end.code, file=sys.stderr)
            return 1
        return int(end.code or 0)
    finally:
        root.handlers[:], root.level = handlers, level
    return 0


def save_tiny_predictors(folder: Path, seed: int = 0) -> list[str]:
    """Write a classifier and a segmenter with random weights for images of 32 px.

    Returns:
        Overrides that make `radedit.stress` test these.
    """
    predictors: dict[str, Any] = {}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for role in ("confounded", "unconfounded"):
            small = {"channels": [8, 8, 8, 8], "layers": [1, 1, 1, 1]}
            predictors[f"{role}_classifier"] = Classifier("pneumothorax", size=SIZE, network=small)
            predictors[f"{role}_segmenter"] = SegmenterWithHead(
                ["pneumothorax", "drain"], "pneumothorax", size=SIZE, backbone="tinynet_e", decoder_channels=[8, 8]
            )
    for name, predictor in predictors.items():
        predictor.save_pretrained(folder / name)
    return [f"predictors.{name}.folder={folder / name}" for name in predictors]
