"""The hash of a model that own code builds names its code, arguments, state, closures and files; else there is none."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from radedit.models.adapters import built

SIDE = 8


class Scaled(nn.Module):
    """A network with what constructors are given: a number, a function, a file, a list."""

    def __init__(self, scale: float = 1.0, after: Any = None, file: str | None = None, channels: Any = ()) -> None:
        super().__init__()
        self.linear = nn.Linear(SIDE * SIDE, 1)
        nn.init.constant_(self.linear.weight, 0.1)
        nn.init.constant_(self.linear.bias, 0.0)
        self.scale, self.after, self.channels = scale, after, channels
        self.offset = torch.zeros(1)  # no buffer: not in the state_dict
        self.file = file

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.scale * self.linear(images.flatten(1)) + self.offset
        return out if self.after is None else self.after(out)


class Slotted:
    """A callable that is no module, without a `__dict__`."""

    __slots__ = ("scale",)

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def __call__(self, images: Tensor) -> Tensor:
        return self.scale * images.mean((1, 2, 3))


def times(scale: float) -> Callable[[Tensor], Tensor]:
    return lambda images: scale * images.mean((1, 2, 3))


def nested(scale: float) -> Callable[[Tensor], Tensor]:
    inner = times(scale)
    return lambda images: inner(images)


def scaled_by(images: Tensor, scale: float = 1.0) -> Tensor:
    return scale * images.mean((1, 2, 3))


def changed(network: Scaled, **attributes: Any) -> Scaled:
    for name, value in attributes.items():
        setattr(network, name, value)
    return network


def with_state(value: float) -> Scaled:
    network = Scaled()
    nn.init.constant_(network.linear.weight, value)
    return network


def hooked(scale: float) -> Scaled:
    network = Scaled()
    network.register_forward_hook(lambda module, given, out: scale * out)
    return network


PAIRS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "constructor argument": (lambda: Scaled(1.0), lambda: Scaled(2.0)),
    "nested argument": (lambda: Scaled(channels=[{"a": [1]}]), lambda: Scaled(channels=[{"a": [2]}])),
    "instance state": (Scaled, lambda: changed(Scaled(), offset=torch.ones(1))),
    "weights": (lambda: with_state(0.1), lambda: with_state(0.2)),
    "closure": (lambda: times(1.0), lambda: times(2.0)),
    "closure of a closure": (lambda: nested(1.0), lambda: nested(2.0)),
    "closure in a module": (lambda: Scaled(after=times(1.0)), lambda: Scaled(after=times(2.0))),
    "partial": (lambda: partial(scaled_by, scale=1.0), lambda: partial(scaled_by, scale=2.0)),
    "bound method": (lambda: Scaled(1.0).forward, lambda: Scaled(2.0).forward),
    "slots": (lambda: Slotted(1.0), lambda: Slotted(2.0)),
    "hook": (lambda: hooked(1.0), lambda: hooked(2.0)),
    "code": (lambda: lambda images: images.mean((1, 2, 3)), lambda: lambda images: images.amax((1, 2, 3))),
    "constant": (lambda: lambda images: 1 * images.mean((1, 2, 3)), lambda: lambda images: 2 * images.mean((1, 2, 3))),
    "type of a number": (lambda: Scaled(1.0), lambda: Scaled(True)),
}  # fmt: skip


@pytest.mark.parametrize("kind", PAIRS)
def test_what_differs_between_two_models_is_hashed(kind: str) -> None:
    one, other = PAIRS[kind]
    assert built.load(one()).hash == built.load(one()).hash != built.load(other()).hash


def test_file_that_a_model_names_is_hashed(tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"1")
    once, by_path = built.load(Scaled(file=str(file))).hash, built.load(partial(scaled_by, scale=file)).hash  # type: ignore[arg-type]
    assert built.load(Scaled(file=str(file))).hash == once
    file.write_bytes(b"2")
    assert built.load(Scaled(file=str(file))).hash != once
    assert built.load(partial(scaled_by, scale=file)).hash != by_path  # type: ignore[arg-type]


def test_files_of_a_folder_that_a_model_names_are_hashed(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper/w").write_bytes(b"1")
    once = built.load(Scaled(file=str(tmp_path))).hash
    (tmp_path / "deeper/w").write_bytes(b"2")
    assert built.load(Scaled(file=str(tmp_path))).hash != once


def test_weights_that_were_given_are_hashed(tmp_path: Path) -> None:
    for name, value in (("a", 0.1), ("b", 0.2)):
        save_file(with_state(value).state_dict(), tmp_path / f"{name}.safetensors")
    hashes = [built.load(Scaled(), tmp_path / f"{name}.safetensors").hash for name in "aab"]
    assert hashes[0] == hashes[1] != hashes[2]


SOURCES = {
    "own.py": "from own_layers import f\nSCALE = 1.0\ndef network(images):\n    return f(images) * SCALE\n",
    "own_layers.py": "def f(images):\n    return images.mean((1, 2, 3))\n",
}


@pytest.mark.parametrize("file", SOURCES)
def test_source_of_own_modules_is_hashed_also_of_those_that_it_imports(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    hashes = []
    for more in ("", "", "# another version\n"):
        for name, source in SOURCES.items():
            (tmp_path / name).write_text(source + (more if name == file else ""))
            sys.modules.pop(name.removesuffix(".py"), None)
        import own  # type: ignore[import-not-found]

        hashes.append(built.load(own.network).hash)
    assert hashes[0] == hashes[1] != hashes[2]


def test_global_that_a_function_uses_is_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "SIDE", SIDE)

    def network(images: Tensor) -> Tensor:
        return images.mean((1, 2, 3)) * SIDE

    once = built.load(network).hash
    monkeypatch.setattr(sys.modules[__name__], "SIDE", SIDE + 1)
    assert built.load(network).hash != once


UNTOLD: dict[str, Callable[[Path], Any]] = {
    "open file": lambda folder: Scaled(after=(folder / "x").open("w")),
    "script": lambda folder: Scaled(channels=[torch.jit.script(nn.Identity())]),
    "lock": lambda folder: partial(scaled_by, scale=__import__("threading").Lock()),
    "generator": lambda folder: Scaled(after=(i for i in range(3))),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("kind", UNTOLD)
def test_what_can_not_be_hashed_is_never_found_again_and_says_so(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        hashes = {built.load(UNTOLD[kind](tmp_path)).hash for _ in range(3)}
    assert len(hashes) == 3
    assert caplog.text.count("can't be hashed") == 3 and "predictions are not kept for another run" in caplog.text


@pytest.mark.slow
def test_hash_is_the_same_in_another_process(tmp_path: Path) -> None:
    import subprocess

    code = (
        "from tests.models import test_built_hash as t; from radedit.models.adapters import built; "
        "print(built.load(t.Scaled(2.0, after=t.times(3.0), channels={'b', 'a', 'c'})).hash)"
    )
    root = Path(__file__).parents[2]
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
        ).stdout
        for seed in "12"
    }  # fmt: skip
    assert len(hashes) == 1
