"""Networks that the user's own code builds: any `_target_`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from radedit.models.adapters.loaded import LoadedNetwork, existing, hash_files, hash_weights, of_module
from radedit.models.adapters.weights import fill


def load(network: Callable[[Tensor], Any], path: str | Path | None = None, *, device: str = "cpu") -> LoadedNetwork:
    """Whatever takes a batch and answers: a module, or a function.

    Args:
        network: As the config's `_target_` builds it.
        path: Its weights: `.safetensors`, or a checkpoint of tensors; None where it comes with them.
        device: Where a module runs.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it can't be called, is no module but weights are given, or the weights are not of it.
    """
    if not callable(network):
        raise ValueError(f"predictor.build makes a {type(network).__name__}, which can't be called with films.")
    if not isinstance(network, nn.Module):
        if path is not None:
            raise ValueError(f"{network!r} is no torch module, so it can't be given the weights in {path}.")
        return LoadedNetwork(network, hash_files(*_code(network), also=repr(type(network))))
    name = type(network).__qualname__
    files = [existing(path, "file of weights")] if path is not None else []
    if path is not None:
        fill(network, path, name)
    hash_ = hash_files(*_code(type(network)), *files, also=name + hash_weights(network.state_dict()))
    return of_module(network, hash_, device=device)


def _code(network: Any) -> list[Path]:
    """The file that it is written in, if it is in one: another version of it may answer otherwise."""
    try:
        return [
            Path(inspect.getfile(network if inspect.isroutine(network) or inspect.isclass(network) else type(network)))
        ]
    except (TypeError, OSError):
        return []
