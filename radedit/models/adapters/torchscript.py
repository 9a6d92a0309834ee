"""TorchScript files, as `torch.jit.save` writes them."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from radedit.models.adapters.archive import check_script, is_archive
from radedit.models.adapters.loaded import LoadedNetwork, existing, first_line, hash_files, of_module


def load(path: str | Path, *, device: str = "cpu") -> LoadedNetwork:
    """A traced or scripted module.

    Args:
        path: The file.
        device: Where it runs.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no TorchScript file, is damaged, or its code would reach other files.
    """
    path = existing(path, "TorchScript file")
    if is_archive(path):
        check_script(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # that the format will not be developed further
            module = torch.jit.load(path, map_location=device)
    except Exception as error:  # damaged code has errors of its own
        raise ValueError(
            f"{path} is no TorchScript file: {first_line(error)}. Write one: torch.jit.trace(model, images).save(…); "
            "for weights alone say predictor=timm, or predictor=built with what builds your network."
        ) from error
    return of_module(module, hash_files(path), device=device)
