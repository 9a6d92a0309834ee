"""A training that is killed, stopped or spoilt goes on, or says why it can't, and loses no finished step."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import random
import shutil
import signal
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from radedit.data.io.file_lock import FileLock
from radedit.train import main
from radedit.training.checkpoint import WholeCheckpoints
from radedit.training.classifier import ClassifierTraining
from radedit.training.diffusion import DiffusionTraining
from tests.clean_process import clean_process
from tests.commands import run

pytestmark = pytest.mark.slow

STEPS = 40
IMAGES = ["train.n=6", "val.n=3", "batch_size=2"]
CLASSIFIER = [
    "+experiment=ptx_confounded_classifier", "module.network.network.channels=[8,8,8,8]", "+data.workers=1",
    *(f"data.{image}" for image in IMAGES),
]  # fmt: skip


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Arguments that make every training small."""
    return [
        f"cache={tmp_path_factory.mktemp('cache')}", "logger=csv", "size=32", "ckpt_every=2", "threads=1",
        "bundle=bundle", "folder=run", "trainer.accelerator=cpu", "trainer.val_check_interval=4",
        "trainer.enable_progress_bar=false",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def diffusion(shared: list[str], tiny_bundle: Path) -> list[str]:
    """A training of the U-Net with the average of its weights."""
    return [
        "+experiment=diffusion", *shared, f"max_steps={STEPS}", "module.sample_prompts=[]", "data.batch_size=2",
        f"module.unet={tiny_bundle / 'unet'}", f"module.bundle={tiny_bundle}", "+data.images.workers=1",
        *(f"data.images.{image}" for image in IMAGES),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def classifier(shared: list[str]) -> list[str]:
    """A training of which the best step is exported."""
    return [*CLASSIFIER, *shared, "max_steps=8"]


@pytest.fixture(scope="module")
def classified(classifier: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a training of the classifier that nothing happened to. Not to be written to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(main, classifier) == 0
    return folder


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a line for every step of a training of the U-Net."""
    path = Path("losses.jsonl").resolve()
    note_losses(monkeypatch, path)
    return path


def note_losses(patch: pytest.MonkeyPatch, path: Path) -> None:
    """Have trainings of the U-Net write a line for every step."""
    step = DiffusionTraining.training_step

    def noting(self: DiffusionTraining, batch: dict[str, Any], batch_idx: int) -> Tensor:
        loss = step(self, batch, batch_idx)
        with path.open("a") as file:
            file.write(json.dumps([self.global_step, loss.item()]) + "\n")
        return loss

    patch.setattr(DiffusionTraining, "training_step", noting)


def noted(losses: Path) -> dict[int, set[float]]:
    """Step → losses it had, once for each time that it was done."""
    found: dict[int, set[float]] = {}
    for line in losses.read_text().splitlines():
        step, loss = json.loads(line)
        found.setdefault(step, set()).add(loss)
    return found


@pytest.fixture
def in_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    def enter(name: str) -> Path:
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / name)
        return tmp_path / name

    return enter


def weights(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.safetensors"))}


def last(folder: Path) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(folder / "run/checkpoints/last.ckpt", weights_only=True)
    return checkpoint


def same_end(one: Path, other: Path) -> None:
    """Both export the same weights, and end in the same state, averaged weights and optimiser included."""
    assert weights(one) and weights(one) == weights(other)
    expected, found = last(one), last(other)
    for state in ("state_dict", "current_model_state", "averaging_state", "optimizer_states", "lr_schedulers"):
        assert (state in found) == (state in expected)
        if state in expected:
            torch.testing.assert_close(found[state], expected[state], rtol=0, atol=0)


def train(arguments: list[str], folder: Path, losses: Path) -> None:
    """What a process does that is killed."""
    os.chdir(folder)
    with pytest.MonkeyPatch.context() as patch:
        note_losses(patch, losses)
        raise SystemExit(run(main, arguments))


def killed(process: Any, losses: Path, steps: int, seconds: float) -> bool:
    """Whether a training was at work still when it was killed, so many steps and seconds after it began."""
    begun = len(losses.read_text().splitlines())
    process.start()
    while len(losses.read_text().splitlines()) < begun + steps and process.is_alive():
        time.sleep(0.01)
    time.sleep(seconds)
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


@pytest.mark.parametrize("kills", [20])
def test_a_training_killed_at_random_points_has_the_losses_and_weights_of_an_undisturbed_one(
    kills: int, diffusion: list[str], losses: Path, in_folder: Callable[[str], Path]
) -> None:
    draw = random.Random(kills)
    undisturbed = in_folder("undisturbed")
    assert run(main, diffusion) == 0
    expected = noted(losses)
    assert len(expected) == STEPS
    done = trainings = 0
    while done < kills:
        folder, finished = in_folder(f"killed-{trainings}"), False
        while not finished and done < kills:
            process = clean_process(train, diffusion, folder, losses)
            finished = not killed(process, losses, draw.randrange(7), draw.uniform(0, 0.3))
            done += not finished
        assert run(main, diffusion) == 0
        same_end(undisturbed, folder)
        assert not list(folder.rglob(".*.tmp"))
        trainings += 1
    assert noted(losses) == expected  # a step has one loss, however often it was done


class PowerFailure(BaseException):
    pass


@pytest.mark.parametrize("at", ["validation", "best"])
def test_a_training_killed_before_it_knew_how_good_a_step_was_validates_it_again(
    at: str, classifier: list[str], in_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def validation_step(self: ClassifierTraining, batch: Any, batch_idx: int) -> None:
        if fails and at == "validation" and self.global_step == 4:
            raise PowerFailure
        self.log("val/auroc", {4: 0.9}.get(self.global_step, 0.5))

    def save_checkpoint(*given: Any, **how: Any) -> None:
        save(*given, **how)
        if fails and at == "best" and "best" in str(given[2]):
            raise PowerFailure

    save = WholeCheckpoints.save_checkpoint
    monkeypatch.setattr(ClassifierTraining, "validation_step", validation_step)
    monkeypatch.setattr(WholeCheckpoints, "save_checkpoint", save_checkpoint)
    folder, fails = in_folder("broken"), True
    with pytest.raises(PowerFailure):
        run(main, classifier)
    fails = False
    assert run(main, classifier) == 0
    assert json.loads((folder / "bundle/card.json").read_text())["steps"] == 4
    assert len(list((folder / "run/best").iterdir())) == 1


def test_a_checkpoint_is_not_touched_until_the_next_is_whole(
    classifier: list[str], classified: Path, in_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if not saved.exists():
            return write(self, data)
        write(self, data[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder = in_folder("full")
    saved = folder / "run/checkpoints/last.ckpt"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert run(main, classifier) == 2
    error = capsys.readouterr().err
    assert "the disk is full" in error and "make room, and run the same again" in error
    assert last(folder)["global_step"] == 2
    assert run(main, classifier) == 0
    same_end(classified, folder)


def test_a_checkpoint_that_was_cut_off_is_named_and_left_where_it_is(
    classifier: list[str], in_folder: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = in_folder("cut") / "run/checkpoints/last.ckpt"
    assert run(main, [*classifier, "max_steps=2"]) == 0
    cut = checkpoint.read_bytes()[:-1000]
    checkpoint.write_bytes(cut)
    assert run(main, classifier) == 2
    error = capsys.readouterr().err
    assert "last.ckpt is cut off" in error and "Restore it from a copy, or delete it" in error
    assert checkpoint.read_bytes() == cut


@pytest.mark.parametrize("which", ["checkpoints/last.ckpt", "best/*.ckpt"])
def test_a_checkpoint_of_which_a_byte_was_changed_is_named_and_left_where_it_is(
    which: str, classifier: list[str], in_folder: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = in_folder("changed") / "run"
    assert run(main, classifier) == 0
    (checkpoint,) = folder.glob(which)
    with zipfile.ZipFile(checkpoint) as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
    whole = checkpoint.read_bytes()
    at = largest.header_offset + 200 + largest.file_size // 2  # in the weights
    checkpoint.write_bytes(changed := whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    torch.load(checkpoint, weights_only=True)  # torch sees nothing
    assert run(main, classifier) == 2
    error = capsys.readouterr().err
    assert f"{checkpoint.name} was changed since it was written" in error and "does not match its checksum" in error
    assert checkpoint.read_bytes() == changed


def test_a_second_training_in_the_same_folder_is_told_who_is_at_it(
    classifier: list[str], in_folder: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = in_folder("shared") / "run"
    folder.mkdir()
    with FileLock(folder / ".lock"):
        assert run(main, classifier) == 2
    assert f"run is being written by process {os.getpid()} on " in capsys.readouterr().err


@pytest.mark.parametrize("step", [2, 3])  # a validation follows the fourth
def test_ctrl_c_finishes_the_step_and_the_same_command_goes_on_behind_it(
    step: int, diffusion: list[str], losses: Path, in_folder: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    arguments = [*diffusion, "max_steps=8", "ckpt_every=100"]
    noting = DiffusionTraining.training_step

    def pressed(self: DiffusionTraining, batch: dict[str, Any], batch_idx: int) -> Tensor:
        if self.global_step == step:
            signal.raise_signal(signal.SIGINT)
        return noting(self, batch, batch_idx)

    folder = in_folder("stopped")
    with monkeypatch.context() as patch:
        patch.setattr(DiffusionTraining, "training_step", pressed)
        assert run(main, arguments) == 130
    assert "the same command goes on from there" in capsys.readouterr().err
    assert last(folder)["global_step"] == step + 1 and not weights(folder)
    assert run(main, arguments) == 0
    assert [json.loads(line)[0] for line in losses.read_text().splitlines()] == list(range(8))  # none twice
    undisturbed = in_folder("undisturbed")
    assert run(main, arguments) == 0
    assert weights(folder) == weights(undisturbed)
    assert all(len(found) == 1 for found in noted(losses).values())


def test_a_loader_that_is_killed_is_told_of_and_the_same_command_goes_on(
    diffusion: list[str], losses: Path, in_folder: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    arguments = [*diffusion, "max_steps=12", "data.loaders=1"]
    noting = DiffusionTraining.training_step

    def killing(self: DiffusionTraining, batch: dict[str, Any], batch_idx: int) -> Tensor:
        if self.global_step == 5:
            for loader in multiprocessing.active_children():
                os.kill(int(loader.pid or 0), signal.SIGKILL)
            time.sleep(1)  # until the signal that a child has died
        return noting(self, batch, batch_idx)

    folder = in_folder("killed")
    with monkeypatch.context() as patch:
        patch.setattr(DiffusionTraining, "training_step", killing)
        assert run(main, arguments) == 2
    assert "A process that loads batches was killed" in capsys.readouterr().err
    assert 4 <= last(folder)["global_step"] <= 8 and not weights(folder)  # some batches were loaded ahead
    assert run(main, arguments) == 0
    undisturbed = in_folder("undisturbed")
    assert run(main, arguments) == 0
    same_end(undisturbed, folder)
    assert all(len(found) == 1 for found in noted(losses).values())


def test_a_training_that_diverges_ends_with_the_reason_and_keeps_its_last_good_step(
    diffusion: list[str], in_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    step = DiffusionTraining.training_step

    def diverging(self: DiffusionTraining, batch: dict[str, Any], batch_idx: int) -> Tensor:
        loss = step(self, batch, batch_idx)
        return loss * torch.nan if self.global_step == 4 else loss

    monkeypatch.setattr(DiffusionTraining, "training_step", diverging)
    folder = in_folder("diverged")
    assert run(main, diffusion) == 2
    assert "at step 6 there are weights that are not finite" in capsys.readouterr().err
    assert last(folder)["global_step"] == 4 and not weights(folder)


def test_a_training_whose_folder_was_moved_and_dated_otherwise_knows_its_best_step(
    classifier: list[str], in_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def validation_step(self: ClassifierTraining, batch: Any, batch_idx: int) -> None:
        self.log("val/auroc", 0.9 if self.global_step == 4 else 0.6)

    monkeypatch.setattr(ClassifierTraining, "validation_step", validation_step)
    first = in_folder("first")
    assert run(main, [*classifier, "max_steps=6"]) == 0
    moved = in_folder("moved")
    shutil.move(first / "run", moved / "run")
    for path in moved.rglob("*"):
        os.utime(path, (0, 0))
    assert run(main, classifier) == 0
    assert json.loads((moved / "bundle/card.json").read_text())["steps"] == 4
    assert [path.name for path in (moved / "run/best").iterdir()] == ["epoch=0-step=4.ckpt"]
