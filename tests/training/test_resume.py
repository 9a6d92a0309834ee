"""The same command goes on where it stopped: in the end nobody can tell."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import get_class
from torch import Tensor

from radedit.train import main
from radedit.training.classifier import ClassifierTraining

pytestmark = pytest.mark.slow

STEPS, STOP = 6, 4
TINY = [
    "logger=csv", "size=32", f"max_steps={STEPS}", "ckpt_every=2", "threads=1", "bundle=bundle",
    "trainer.accelerator=cpu", "trainer.val_check_interval=2", "trainer.enable_progress_bar=false",
]  # fmt: skip
IMAGES = "data.train.n=6 data.val.n=3 data.batch_size=2 +data.workers=1"
EXPERIMENTS = {  # experiment → what makes it tiny, and what it trains
    "autoencoder": (
        "module.crop=16 module.full_steps=2 ++module.warmup=2 module.vae.width=[8,8] module.vae.blocks=1 " + IMAGES,
        "radedit.training.autoencoder.AutoencoderTraining",
    ),
    "joint": (f"module.image_encoder.channels=[8,8,8,8] {IMAGES}", "radedit.training.joint.JointTraining"),
    "diffusion": (
        f"module.sample_prompts=[] data.batch_size=2 {IMAGES.replace('data.', 'data.images.')}",
        "radedit.training.diffusion.DiffusionTraining",
    ),
    "diffusion with loaders": (
        f"module.sample_prompts=[] data.batch_size=2 data.loaders=2 {IMAGES.replace('data.', 'data.images.')}",
        "radedit.training.diffusion.DiffusionTraining",
    ),
    "ptx_confounded_classifier": (
        f"module.network.network.channels=[8,8,8,8] {IMAGES}",
        "radedit.training.classifier.ClassifierTraining",
    ),
    "ptx_confounded_segmenter": (
        f"module.network.decoder_channels=[8,8] {IMAGES}",
        "radedit.training.segmenter.SegmenterTraining",
    ),
}


class Shell:
    """Types commands, each in a folder of its own."""

    def __init__(self, tiny_bundle: Path, cache: Path) -> None:
        self.tiny_bundle, self.cache = tiny_bundle, cache

    def unbroken(self, experiment: str) -> Path:
        """Folder of a whole training, done once. Not to be written to."""
        folder = self.cache / f"unbroken {experiment}"
        if not folder.exists():
            self.train(experiment, folder)
        return folder

    def train(self, experiment: str, folder: Path, *, power_fails_at: int | None = None) -> None:
        """Train a few steps, or until the power fails."""
        folder.mkdir(exist_ok=True)
        arguments = [
            f"+experiment={experiment.split()[0]}",
            f"cache={self.cache}",
            *TINY,
            *EXPERIMENTS[experiment][0].split(),
        ]
        if experiment.startswith("diffusion"):
            arguments += [f"module.unet={self.tiny_bundle / 'unet'}", f"module.bundle={self.tiny_bundle}"]
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setattr(sys, "argv", ["radedit.train", *arguments])
            if power_fails_at is None:
                main()
                return
            kind: Any = get_class(EXPERIMENTS[experiment][1])
            patch.setattr(kind, "training_step", failing(kind.training_step, power_fails_at))
            with pytest.raises(PowerFailure):
                main()


class PowerFailure(Exception):
    pass


def failing(training_step: Callable[..., Tensor], step: int) -> Callable[..., Tensor]:
    def fails(self: Any, batch: Any, batch_idx: int) -> Tensor:
        if self.global_step == step:
            raise PowerFailure
        return training_step(self, batch, batch_idx)

    return fails


@pytest.fixture(scope="module")
def shell(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tiny_bundle, tmp_path_factory.mktemp("cache"))


def exported(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.safetensors"))}


def last(folder: Path) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(next(folder.rglob("last.ckpt")), weights_only=True)
    return checkpoint


@pytest.mark.parametrize(
    "experiment",
    EXPERIMENTS,
)
def test_a_resumed_training_ends_as_an_unbroken_one(experiment: str, tmp_path: Path, shell: Shell) -> None:
    unbroken, broken = shell.unbroken(experiment), tmp_path / "broken"
    shell.train(experiment, broken, power_fails_at=STOP + 1)
    assert last(broken)["global_step"] == STOP
    assert not exported(broken)
    shell.train(experiment, broken)

    assert exported(unbroken)
    assert exported(broken) == exported(unbroken)
    expected, found = last(unbroken), last(broken)
    assert expected["global_step"] == STEPS
    for state in ("state_dict", "current_model_state", "averaging_state", "optimizer_states", "lr_schedulers"):
        assert (state in found) == (state in expected)
        if state in expected:
            torch.testing.assert_close(found[state], expected[state], rtol=0, atol=0)


@pytest.mark.parametrize("experiment", ["diffusion with loaders", "ptx_confounded_classifier"])
def test_a_finished_training_exports_the_same_again(experiment: str, tmp_path: Path, shell: Shell) -> None:
    folder = Path(shutil.copytree(shell.unbroken(experiment), tmp_path / "finished"))
    first = exported(folder)
    shutil.rmtree(folder / "bundle")
    shell.train(experiment, folder)
    assert first and exported(folder) == first


def test_the_seed_names_the_first_weights(tmp_path: Path, shell: Shell) -> None:
    first = shell.unbroken("ptx_confounded_classifier")
    torch.manual_seed(12345)
    shell.train("ptx_confounded_classifier", tmp_path)
    assert exported(tmp_path) == exported(first)


@pytest.mark.parametrize("best", [2, 4, 6])
def test_the_best_step_is_exported_even_if_the_training_broke_after_it(
    best: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    def validation_step(self: ClassifierTraining, batch: Any, batch_idx: int) -> None:
        self.log("val/auroc", 0.9 if self.global_step == best else self.global_step / 10)

    monkeypatch.setattr(ClassifierTraining, "validation_step", validation_step)
    shell.train("ptx_confounded_classifier", tmp_path, power_fails_at=STOP + 1)
    shell.train("ptx_confounded_classifier", tmp_path)
    assert json.loads((tmp_path / "bundle" / "card.json").read_text())["steps"] == best


def test_of_equally_good_steps_the_last_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    def validation_step(self: ClassifierTraining, batch: Any, batch_idx: int) -> None:
        self.log("val/auroc", 1.0 if self.global_step in (2, 4) else 0.9)

    monkeypatch.setattr(ClassifierTraining, "validation_step", validation_step)
    shell.train("ptx_confounded_classifier", tmp_path)
    assert json.loads((tmp_path / "bundle" / "card.json").read_text())["steps"] == 4
