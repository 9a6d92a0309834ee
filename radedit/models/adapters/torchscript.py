"""TorchScript files, as `torch.jit.save` writes them."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from radedit.models.adapters.loaded import LoadedNetwork, existing, first_line, hash_files, of_module


def load(path: str | Path, *, device: str = "cpu") -> LoadedNetwork:
    """A traced or scripted module.

    Args:
        path: The file.
        device: Where it runs.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no TorchScript file.
    """
    path = existing(path, "TorchScript file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # that the format will not be developed further
            module = torch.jit.load(path, map_location=device)
    except RuntimeError as error:
        raise ValueError(
            f"{path} is no TorchScript file: {first_line(error)}. Write one: torch.jit.trace(model, films).save(…); "
            "for weights alone say predictor=timm, or predictor=built with what builds your network."
        ) from error
    return of_module(module, hash_files(path), device=device)
