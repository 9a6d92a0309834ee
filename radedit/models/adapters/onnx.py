"""ONNX files, run by ONNX Runtime."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor

from radedit.models.adapters.loaded import LoadedNetwork, existing, first_line, hash_files


def load(path: str | Path, *, device: str = "cpu") -> LoadedNetwork:
    """A network whose only input is a batch of films, float32. Needs the package `onnxruntime`.

    Args:
        path: The file; weights that it keeps beside itself (`….data`) are found by it.
        device: `cuda` runs on the GPU if `onnxruntime-gpu` is there, else on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If ONNX Runtime is not installed or can't read it, or its inputs are others.
    """
    path = existing(path, "ONNX file")
    try:
        onnxruntime = import_module("onnxruntime")
    except ImportError as error:
        raise ValueError("predictor=onnx needs ONNX Runtime: pip install onnxruntime.") from error
    wanted = ["CUDAExecutionProvider"] * device.startswith("cuda") + ["CPUExecutionProvider"]
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    try:
        session = onnxruntime.InferenceSession(str(path), providers=providers)
    except Exception as error:  # it has a dozen of its own, none of them a ValueError
        raise ValueError(f"{path} can't be read by ONNX Runtime: {first_line(error)}. Export it again.") from error
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)":
        said = ", ".join(f"{taken.name} {taken.type}" for taken in inputs)
        raise ValueError(f"{path} takes {said}; expected one input, films as tensor(float).")
    names = [output.name for output in session.get_outputs()]

    def answer(films: Tensor) -> dict[str, Tensor]:
        found = session.run(names, {inputs[0].name: films.cpu().numpy()})
        return {name: torch.from_numpy(value) for name, value in zip(names, found, strict=True)}

    shape = tuple(side if isinstance(side, int) else None for side in inputs[0].shape)
    beside = path.with_name(path.name + ".data")
    files = [path, beside] if beside.is_file() else [path]
    return LoadedNetwork(answer, hash_files(*files), shape=shape)
