"""ONNX files, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from radedit.models.adapters.loaded import LoadedNetwork, existing, first_line, hash_files


def load(path: str | Path, *, device: str = "cpu") -> LoadedNetwork:
    """A network whose only input is a batch of images, float32. Needs the packages `onnx` and `onnxruntime`.

    Args:
        path: The file; weights that it keeps in files beside itself are found by it, and are part of its hash.
        device: `cuda` runs on the GPU if `onnxruntime-gpu` is there, else on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If one of the packages is not installed, the file can't be read or names weights outside of its
            folder, or its inputs are others.
    """
    path = existing(path, "ONNX file")
    try:
        onnx, onnxruntime = import_module("onnx"), import_module("onnxruntime")
    except ImportError as error:
        raise ValueError("predictor=onnx needs ONNX Runtime: pip install onnxruntime onnx.") from error
    files = [path, *_external(onnx, path)]
    wanted = ["CUDAExecutionProvider"] * device.startswith("cuda") + ["CPUExecutionProvider"]
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 4  # what is wrong is raised
    try:
        session = onnxruntime.InferenceSession(str(path), quiet, providers=providers)
    except Exception as error:  # it has a dozen of its own, none of them a ValueError
        raise ValueError(f"{path} can't be read by ONNX Runtime: {first_line(error)}. Export it again.") from error
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)":
        said = ", ".join(f"{taken.name} {taken.type}" for taken in inputs)
        raise ValueError(f"{path} takes {said}; expected one input, images as tensor(float).")
    names = [output.name for output in session.get_outputs()]

    def prediction(images: Tensor) -> dict[str, Tensor]:
        found = session.run(names, {inputs[0].name: images.cpu().numpy()})
        return {name: torch.from_numpy(value) for name, value in zip(names, found, strict=True)}

    shape = tuple(side if isinstance(side, int) and side > 0 else None for side in inputs[0].shape)
    return LoadedNetwork(prediction, hash_files(*files), shape=shape or None)  # () where the rank is unknown


def _external(onnx: Any, path: Path) -> list[Path]:
    """Every file of weights that the graph names, whatever it is called.

    Raises:
        FileNotFoundError: If one is not there.
        ValueError: If the graph can't be read, or one lies outside of its folder.
    """
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf has errors of its own
        raise ValueError(f"{path} is no ONNX file: {first_line(error)}. Export it again.") from error
    named = {entry.value for tensor in _tensors(model) for entry in tensor.external_data if entry.key == "location"}
    for name in named:
        if Path(name).is_absolute() or ".." in Path(name).parts or "\\" in name:
            raise ValueError(
                f"{path} has weights in {name!r}, outside of its folder. Export it again, with them beside."
            )
    return [existing(path.parent / name, "file of weights that the graph names,") for name in sorted(named)]


def _tensors(message: Any) -> Iterator[Any]:
    """Every tensor in a message of ONNX, wherever it is: initialisers, attributes, inner graphs, functions."""
    for field, value in message.ListFields():
        if field.type != field.TYPE_MESSAGE:
            continue
        for inner in (value,) if hasattr(value, "ListFields") else value:
            if field.message_type.name == "TensorProto":
                yield inner
            else:
                yield from _tensors(inner)
