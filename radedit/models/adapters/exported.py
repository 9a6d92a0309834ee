"""Programs of `torch.export.save`, `.pt2`."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from torch import nn

from radedit.models.adapters.archive import plain_program
from radedit.models.adapters.loaded import LoadedNetwork, existing, first_line, hash_files


def load(path: str | Path, *, device: str = "cpu") -> LoadedNetwork:
    """An exported program; its batch size is free only if it was exported with `dynamic_shapes`.

    Args:
        path: The file, whose name ends in `.pt2`.
        device: Where it runs.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no exported program, or more than a graph of operators and tensors.
    """
    path = existing(path, "exported program")
    content = plain_program(path)
    report = logging.getLogger("torch.export")
    before = report.level
    report.setLevel(logging.CRITICAL)  # a traceback for every format that it tries
    try:
        program = torch.export.load(content)
        taken = [node for node in program.graph.nodes if node.name in program.graph_signature.user_inputs]
        module: nn.Module = program.module().to(device)  # evaluation mode is a matter of the export
        shapes = [tuple(side if isinstance(side, int) else None for side in node.meta["val"].shape) for node in taken]
    except Exception as error:  # zip, JSON and torch each raise their own
        raise ValueError(
            f"{path} is no exported program: {first_line(error)}. Write one with "
            "torch.export.save(torch.export.export(model, (images,)), 'my.pt2')."
        ) from error
    finally:
        report.setLevel(before)
    if len(taken) != 1:
        raise ValueError(f"{path} takes {len(taken)} inputs; expected one, the images.")
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return LoadedNetwork(module, hash_files(path), parameters=parameters, shape=shapes[0])
