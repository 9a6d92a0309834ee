"""Networks of timm by name, with the user's weights."""

from __future__ import annotations

from pathlib import Path

import timm

from radedit.models.adapters.loaded import LoadedNetwork, existing, hash_files, of_module
from radedit.models.adapters.weights import fill


def load(name: str, path: str | Path, *, channels: int, classes: int, device: str = "cpu") -> LoadedNetwork:
    """A network that timm builds.

    Args:
        name: Of the architecture, e.g. `densenet121`.
        path: Its weights: `.safetensors`, or a checkpoint of tensors.
        channels: Of its input.
        classes: How many outputs it has.
        device: Where it runs.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If timm has no such network, or the weights are not of it.
    """
    path = existing(path, "file of weights")
    if any(part in name for part in (":", "/")):
        raise ValueError(
            f"predictor.architecture is {name!r}, which timm would fetch. Download its weights, and give the "
            "architecture's plain name with predictor.path."
        )
    if not timm.is_model(name):
        near = ", ".join(timm.list_models(f"*{name}*")[:5]) or "none alike; timm.list_models() has all"
        raise ValueError(f"timm has no network {name!r}. It has {near}.")
    network = timm.create_model(name, pretrained=False, in_chans=channels, num_classes=classes)
    fill(network, path, f"timm's {name} with {channels} channels and {classes} outputs")
    return of_module(network, hash_files(path, also=f"timm {name} {channels} {classes}"), device=device)
