"""Networks that the user's own code builds: any `_target_`."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from radedit.models.adapters.identity import NoIdentity, identity
from radedit.models.adapters.loaded import LoadedNetwork, existing, hash_files, of_module
from radedit.models.adapters.weights import fill

logger = logging.getLogger(__name__)


def load(network: Callable[[Tensor], Any], path: str | Path | None = None, *, device: str = "cpu") -> LoadedNetwork:
    """Whatever takes a batch and predictions: a module, or a function.

    Its hash is over code, constructor arguments, attributes, weights, closures and the files that it names, see
    `identity`. What can't be hashed is never found again, and a warning says so.

    Args:
        network: As the config's `_target_` builds it.
        path: Its weights: `.safetensors`, or a checkpoint of tensors; None where it comes with them.
        device: Where a module runs.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it can't be called, is no module but weights are given, or the weights are not of it.
    """
    if not callable(network):
        raise ValueError(f"predictor.build makes a {type(network).__name__}, which can't be called with images.")
    if not isinstance(network, nn.Module):
        if path is not None:
            raise ValueError(f"{network!r} is no torch module, so it can't be given the weights in {path}.")
        return LoadedNetwork(network, _hash(network))
    files = [existing(path, "file of weights")] if path is not None else []
    if path is not None:
        fill(network, path, type(network).__qualname__)
    return of_module(network, _hash(network, *files), device=device)


def _hash(network: Any, *files: Path) -> str:
    """Names what was built; a number that is drawn, and so never met again, where that can't be told."""
    try:
        return hash_files(*files, also=identity(network))
    except NoIdentity as error:
        logger.warning(
            "What predictor.build makes can't be hashed: %s. Its predictions are not kept for another run.", error
        )
        return secrets.token_hex(32)
