"""Weights of training scripts: wrappers are taken off their names, and what is not of the network is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from radedit.models.adapters import built
from tests.models.networks import Net, seeded

SIDE = 32


def state(prefix: str = "", **others: Tensor) -> dict[str, Tensor]:
    network: Net = seeded(Net)
    return {f"{prefix}{name}": value for name, value in network.state_dict().items()} | others


def check_predicts_as_its_source(path: Path) -> None:
    images = torch.rand(3, 1, SIDE, SIDE)
    torch.testing.assert_close(built.load(Net(), path).prediction(images), seeded(Net)(images))


PREFIXES = (
    "module.",
    "_orig_mod.",
    "_orig_mod.module.",
    "module._orig_mod.",
    "model.",
    "model._orig_mod.module.",
    "net.",
)


@pytest.mark.parametrize("suffix", [".safetensors", ".SAFETENSORS", ".pth", ".ckpt"])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_wrappers_are_taken_off_in_any_order(prefix: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"my{suffix}"
    if suffix.lower() == ".safetensors":
        save_file(state(prefix), path)
    else:
        torch.save({"state_dict": state(prefix), "epoch": 3}, path)
    check_predicts_as_its_source(path)


def test_averaged_weights_are_read(tmp_path: Path) -> None:
    averaged = AveragedModel(seeded(Net))
    assert "n_averaged" in averaged.state_dict()
    torch.save(averaged.state_dict(), tmp_path / "my.pth")
    check_predicts_as_its_source(tmp_path / "my.pth")


def test_counters_of_batch_normalisation_may_be_missing(tmp_path: Path) -> None:
    weights = {name: value for name, value in state().items() if "num_batches_tracked" not in name}
    assert len(weights) < len(state())
    save_file(weights, tmp_path / "my.safetensors")
    check_predicts_as_its_source(tmp_path / "my.safetensors")


def test_prefix_of_the_network_itself_stays(tmp_path: Path) -> None:
    class Wrapped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = seeded(Net)

        def forward(self, images: Tensor) -> Any:
            return self.model(images)

    save_file(Wrapped().state_dict(), tmp_path / "my.safetensors")
    built.load(Wrapped(), tmp_path / "my.safetensors")


REFUSED: dict[str, tuple[Callable[[], dict[str, Tensor]], str]] = {
    "other prefix": (lambda: state("detector.encoder."), r"behind the prefix 'detector\.encoder\.'"),
    "more beside them": (lambda: state("model.", **{"loss.weight": torch.ones(1)}), r"behind the prefix 'model\.'"),
    "teacher and student": (lambda: state("student.") | state("teacher."), r"behind the prefix '(student|teacher)\.'"),
    "lacking": (
        lambda: {k: v for k, v in state().items() if "bias" not in k},
        "missing .*Name the network they are of",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_weights_that_are_not_of_the_network_alone_are_refused_and_their_prefix_named(
    kind: str, tmp_path: Path
) -> None:
    weights, message = REFUSED[kind]
    save_file(weights(), tmp_path / "my.safetensors")
    with pytest.raises(ValueError, match=rf"my\.safetensors are not of Net: .*{message}"):
        built.load(Net(), tmp_path / "my.safetensors")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_that_are_not_numbers_are_refused_by_name(suffix: str, tmp_path: Path) -> None:
    weights = state()
    weights["layers.5.weight"][0, 3] = torch.nan
    path = tmp_path / f"my{suffix}"
    save_file(weights, path) if suffix == ".safetensors" else torch.save(weights, path)
    with pytest.raises(ValueError, match=rf"my\{suffix} is damaged, .*not numbers \(NaN\), e\.g\. layers\.5\.weight"):
        built.load(Net(), path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("kept", [0, 7, 100, 1000])
def test_weights_that_are_cut_off_are_refused_by_name(suffix: str, kept: int, tmp_path: Path) -> None:
    path = tmp_path / f"my{suffix}"
    save_file(state(), path) if suffix == ".safetensors" else torch.save(state(), path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=rf"my\{suffix} (can't be read|is no whole archive)"):
        built.load(Net(), path)
