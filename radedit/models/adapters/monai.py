"""Bundles of MONAI: the network that the configuration names, with the bundle's weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from monai.networks import nets

from radedit.models.adapters.loaded import LoadedNetwork, existing, first_line, hash_files, of_module
from radedit.models.adapters.weights import fill

CONFIGS = ("inference.json", "inference.yaml", "train.json", "train.yaml")


def load(
    path: str | Path, *, weights: str = "models/model.pt", network: str = "network_def", device: str = "cpu"
) -> LoadedNetwork:
    """A bundle's network. Only `monai.networks.nets` are built, from plain values: no code of the bundle is run.

    Args:
        path: Folder of the bundle, with `configs/` and `models/`.
        weights: File of the weights, relative to it.
        network: Key of the network in the configuration.
        device: Where it runs.

    Raises:
        FileNotFoundError: If configuration or weights are missing.
        ValueError: If the network is not one of MONAI's, or its arguments are expressions.
    """
    folder = Path(path).expanduser()
    config = next((folder / "configs" / name for name in CONFIGS if (folder / "configs" / name).is_file()), None)
    if config is None:
        raise FileNotFoundError(f"There is none of {', '.join(CONFIGS)} in {folder.resolve() / 'configs'}.")
    text = config.read_text(encoding="utf-8")
    settings = json.loads(text) if config.suffix == ".json" else yaml.safe_load(text)
    if not isinstance(settings.get(network), Mapping):
        raise ValueError(
            f"{config} has no {network!r}; it has {', '.join(map(str, settings))}. Say predictor.network.network=…"
        )
    arguments = {key: _plain(value, settings, config) for key, value in settings[network].items()}
    name = str(arguments.pop("_target_", "")).rpartition(".")[2]
    if not hasattr(nets, name):
        raise ValueError(f"{config}: {network} is {name or 'nothing'}, which is no network of monai.networks.nets.")
    file = existing(folder / weights, "file of weights")
    try:
        built = getattr(nets, name)(**{key: value for key, value in arguments.items() if not key.startswith("_")})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{config}: {name} can't be built from {network}: {first_line(error)}.") from error
    fill(built, file, f"{name} as {config} has it")
    return of_module(built, hash_files(config, file), device=device)


def _plain(value: Any, settings: Mapping[str, Any], config: Path) -> Any:
    """A value of the configuration with its references, `@name`, followed."""
    if isinstance(value, str) and value.startswith("@"):
        if value[1:] not in settings:
            raise ValueError(f"{config} refers to {value}, which it does not have.")
        return _plain(settings[value[1:]], settings, config)
    if isinstance(value, str) and value.startswith("$"):
        raise ValueError(f"{config} has the expression {value!r}, which is not run. Write its value in its place.")
    if isinstance(value, Mapping):
        return {key: _plain(inner, settings, config) for key, inner in value.items()}
    return [_plain(inner, settings, config) for inner in value] if isinstance(value, list) else value
