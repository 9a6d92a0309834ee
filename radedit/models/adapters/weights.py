"""Weights of a network that is built by name: safetensors, or a checkpoint that holds tensors and nothing else."""

from __future__ import annotations

import logging
import pickle
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from radedit.models.adapters.archive import is_archive, read_archive
from radedit.models.adapters.loaded import existing, first_line

logger = logging.getLogger(__name__)

INSIDE = ("state_dict", "model_state_dict", "model")  # where training scripts put the weights in a checkpoint
WRAPPERS = ("module.", "_orig_mod.", "model.", "network.", "net.")  # of DataParallel, torch.compile and Lightning
COUNTERS = ("n_averaged",)  # what AveragedModel keeps beside the network
TRACKED = "num_batches_tracked"  # of batch normalisation, which predicts without it


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Name → weight of a `.safetensors` file or of a torch checkpoint. No code in the file is run.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds Python objects beside tensors, no weights at all, is damaged, or has weights that are
            not numbers.
    """
    path = existing(path, "file of weights")
    found = _safetensors(path) if path.suffix.lower() == ".safetensors" else _checkpoint(path)
    for name in INSIDE:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
    if not isinstance(found, Mapping) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise ValueError(
            f"{path} holds no weights by name. Save them with safetensors.torch.save_file(model.state_dict(), …)."
        )
    weights = {str(name): value for name, value in found.items()}
    if broken := [name for name, value in weights.items() if value.is_floating_point() and bool(value.isnan().any())]:
        raise ValueError(
            f"{path} is damaged, or its training has diverged: {len(broken)} weights are not numbers (NaN), e.g. "
            f"{broken[0]}. Copy or export it again."
        )
    return weights


def fill(network: nn.Module, path: str | Path, what: str) -> None:
    """Give a network the weights of a file, all of them and no others.

    Prefixes of wrappers (`WRAPPERS`), in any order, are taken off the names where they then are those of the network.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file's weights are not those of the network.
    """
    weights = {name: value for name, value in read_weights(path).items() if name not in COUNTERS}
    known = network.state_dict()
    prefix = _wrapper(weights, known)
    if prefix:
        logger.info("The weights in %s are those of %s behind the prefix %r, which is taken off.", path, what, prefix)
        weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    weights = {name: known[name] for name in known if name.rpartition(".")[2] == TRACKED} | weights
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
        raise ValueError(f"The weights in {path} are not of {what}: {'; '.join(said)}. {_advice(weights, known)}")
    network.load_state_dict(weights)


def _safetensors(path: Path) -> Any:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, OverflowError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"{path} can't be read as safetensors: {first_line(error)}. Copy or export it again."
        ) from error


def _checkpoint(path: Path) -> Any:
    if is_archive(path):
        read_archive(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd files; what is wrong is said below
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" not in str(error) and "Weights only" not in str(error):
            raise ValueError(
                f"{path} can't be read as weights: {first_line(error)}. Copy or export it again."
            ) from error
        raise ValueError(
            f"{path} is a pickle that holds more than weights, and reading it could run code. Load it where you trust "
            "it and save its weights alone: safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')."
        ) from error
    except Exception as error:  # a damaged pickle raises whatever the unpickler stumbles over
        raise ValueError(f"{path} can't be read as weights: {first_line(error)}. Copy or export it again.") from error


def _wrapper(weights: Iterable[str], known: Iterable[str]) -> str:
    """The prefix of wrappers that all weights have and the network has not; empty where there is none."""
    prefix, known = "", list(known)
    while True:
        inner = [name.removeprefix(prefix) for name in weights]
        found = next((one for one in WRAPPERS if inner and all(name.startswith(one) for name in inner)), None)
        if found is None or all(name.startswith(found) for name in known):
            return prefix
        prefix += found


def _advice(weights: Iterable[str], known: Iterable[str]) -> str:
    """What to do about weights of other names: the prefix is named behind which those of the network are."""
    names, known = list(weights), list(known)
    for name in known:
        prefixes = {one.removesuffix(name) for one in names if one.endswith(f".{name}")}
        for prefix in sorted(prefixes, key=len):
            if sum(f"{prefix}{one}" in names for one in known) > len(known) / 2:
                return f"Its own are there behind the prefix {prefix!r}: save them without it, and nothing beside them."
    return "Name the network they are of."
