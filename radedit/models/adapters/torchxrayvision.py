"""Classifiers of torchxrayvision, with its weights or the user's."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from radedit.models.adapters.loaded import LoadedNetwork, existing, first_line, hash_files, of_module
from radedit.models.adapters.weights import fill, read_weights


def load(name: str | None = None, path: str | Path | None = None, *, device: str = "cpu") -> LoadedNetwork:
    """A DenseNet or ResNet of the package `torchxrayvision`. It takes images in [−1024, 1024].

    Args:
        name: Of released weights, e.g. `densenet121-res224-all`; the package downloads them, or finds them in its
            folder. Their predictions are probabilities whose operating point lies at 0.5.
        path: Instead, the weights of a DenseNet-121 with the package's 18 findings, `.safetensors` or a checkpoint of
            tensors. Its predictions are logits, unless the weights have operating points (`op_threshs`).
        device: Where it runs.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the package is not installed or knows no such weights, or both or neither are given.
    """
    if (name is None) == (path is None):
        raise ValueError("predictor=torchxrayvision takes either predictor.weights=<name> or predictor.path=<file>.")
    try:
        models = import_module("torchxrayvision").models
    except ImportError as error:
        raise ValueError("predictor=torchxrayvision needs the package: pip install torchxrayvision.") from error
    if name is not None:
        if name not in models.model_urls:
            raise ValueError(f"torchxrayvision has no weights {name!r}. It has {', '.join(models.model_urls)}.")
        build = models.ResNet if name.startswith("resnet") else models.DenseNet
        try:
            network: Any = build(weights=name)
        except Exception as error:  # of the download, or of the file
            raise ValueError(f"torchxrayvision can't load {name!r}: {first_line(error)}.") from error
        hash_ = hash_files(Path(network.weights_filename_local))
    else:
        path = existing(path or "", "file of weights")
        thresholds = [value for key, value in read_weights(path).items() if key.rpartition(".")[2] == "op_threshs"]
        network = models.DenseNet(weights=None, op_threshs=thresholds[0] if thresholds else None)
        fill(network, path, "torchxrayvision's DenseNet with its 18 findings")
        hash_ = hash_files(path, also="torchxrayvision DenseNet")
    return of_module(network, hash_, device=device, classes=list(network.targets))
