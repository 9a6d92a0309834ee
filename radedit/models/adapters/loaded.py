"""What an adapter hands on: a network of any format as one function of a batch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class LoadedNetwork:
    """A network as its file has it.

    Attributes:
        prediction: Batch as the network takes it, float32 → what it returns: a tensor, or several in a sequence or
            mapping.
        hash: Names its files.
        classes: Names of its outputs, in order, where the file has them; empty where not.
        parameters: How many weights it has; None where that is not known.
        shape: Batch that it takes, four numbers, None for those that are free; None where nothing is known.
        facts: What its file states about `Input`, such as {"mean": …}; a declaration that differs is refused.
    """

    prediction: Callable[[Tensor], Any]
    hash: str
    classes: Sequence[str] = ()
    parameters: int | None = None
    shape: tuple[int | None, ...] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def of_module(
    module: nn.Module,
    hash_: str,
    *,
    device: str = "cpu",
    prediction: Callable[[Tensor], Any] | None = None,
    classes: Sequence[str] = (),
    facts: Mapping[str, Any] | None = None,
) -> LoadedNetwork:
    """A torch module, frozen and in evaluation mode; `prediction` is called, if given, else the module."""
    module.to(device).eval()
    count = sum(parameter.requires_grad_(False).numel() for parameter in module.parameters())  # one of TorchScript, too
    return LoadedNetwork(prediction or module, hash_, classes, count, facts=facts or {})


def existing(path: str | Path, what: str) -> Path:
    """The file, if it is one.

    Raises:
        FileNotFoundError: If there is none.
    """
    found = Path(path).expanduser()
    if not found.is_file():
        raise FileNotFoundError(f"There is no {what} {found} (looked in {found.resolve().parent}). Check the path.")
    return found


def hash_files(*files: Path, also: str = "") -> str:
    """SHA-256 over the contents of files, and over what else determines a network."""
    digest = hashlib.sha256(also.encode())
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def first_line(error: BaseException) -> str:
    """What another library says first, without the pages that follow."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")[:200]
