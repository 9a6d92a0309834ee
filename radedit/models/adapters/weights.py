"""Weights of a network that is built by name: safetensors, or a checkpoint that holds tensors and nothing else."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from radedit.models.adapters.loaded import existing, first_line

INSIDE = ("state_dict", "model_state_dict", "model")  # where training scripts put the weights in a checkpoint
WRAPPERS = ("module.", "_orig_mod.")  # of DataParallel and torch.compile


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Name → weight of a `.safetensors` file or of a torch checkpoint. No code in the file is run.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds Python objects beside tensors, or no weights at all.
    """
    path = existing(path, "file of weights")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise ValueError(
                f"{path} can't be read as safetensors: {first_line(error)}. Copy or export it again."
            ) from error
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} is a pickle that holds more than weights, and reading it could run code. Load it where you trust "
            "it and save its weights alone: safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')."
        ) from error
    except (RuntimeError, EOFError, ValueError) as error:
        raise ValueError(f"{path} can't be read as weights: {first_line(error)}. Copy or export it again.") from error
    for name in INSIDE:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
    if not isinstance(found, Mapping) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise ValueError(
            f"{path} holds no weights by name. Save them with safetensors.torch.save_file(model.state_dict(), …)."
        )
    return {_bare(str(name)): value for name, value in found.items()}


def fill(network: nn.Module, path: str | Path, what: str) -> None:
    """Give a network the weights of a file, all of them and no others.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file's weights are not those of the network.
    """
    weights = read_weights(path)
    known = network.state_dict()
    wrong = {
        "missing": [name for name in known if name not in weights],
        "not of this network": [name for name in weights if name not in known],
        "of another shape": [
            f"{name} {tuple(weights[name].shape)} for {tuple(known[name].shape)}"
            for name in known
            if name in weights and weights[name].shape != known[name].shape
        ],
    }
    if said := [f"{len(names)} {reason} ({', '.join(names[:3])})" for reason, names in wrong.items() if names]:
        raise ValueError(f"The weights in {path} are not of {what}: {'; '.join(said)}. Name the network they are of.")
    network.load_state_dict(weights)


def _bare(name: str) -> str:
    for wrapper in WRAPPERS:
        name = name.removeprefix(wrapper)
    return name
