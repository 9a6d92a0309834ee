"""Two processes train as one would on the batches of both, and go on as one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from lightning.fabric.plugins.environments.lightning import find_free_network_port
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from radedit.data.batches.latents import From, LatentData, Latents, Steps
from radedit.data.batches.module import StepSampler
from radedit.training.averaging import WarmEMA
from radedit.training.diffusion import DiffusionTraining
from tests.clean_process import clean_process
from tests.training.conftest import REPORTS, make_training

pytestmark = pytest.mark.slow
STEPS = 6
ALONE = [sys.executable, "-m", "radedit.train", "+trainer.strategy=ddp", "trainer.devices=2"]
TORCHRUN = [
    sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1", "--nproc_per_node=2",
    "-m", "radedit.train", "+trainer.strategy=ddp", "trainer.devices=2",
]  # fmt: skip


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> list[str]:
    """What makes a training small."""
    return [
        "+experiment=diffusion", f"cache={tmp_path_factory.mktemp('cache')}", "logger=csv", "size=32", "ckpt_every=2",
        "threads=1", "folder=run", "bundle=bundle", "trainer.accelerator=cpu", "trainer.val_check_interval=4",
        "module.cooldown=0",  # which ends with max_steps, and that is another for a training that is killed
        "trainer.precision=32-true", "trainer.enable_progress_bar=false", "module.sample_prompts=[]",
        "data.batch_size=2", "data.loaders=1", f"module.unet={tiny_bundle / 'unet'}", f"module.bundle={tiny_bundle}",
        "+data.images.workers=1", "data.images.train.n=6", "data.images.val.n=3", "data.images.batch_size=2",
    ]  # fmt: skip


def start(command: list[str], arguments: list[str], folder: Path, steps: int) -> subprocess.Popen[bytes]:
    """Both processes of a training, in a group of their own."""
    folder.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [*command, *arguments, f"max_steps={steps}"], cwd=folder, env=environment, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip


def last(folder: Path) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(folder / "run/checkpoints/last.ckpt", weights_only=True)
    return checkpoint


def exported(folder: Path) -> bytes:
    (weights,) = (folder / "bundle").rglob("*.safetensors")
    return weights.read_bytes()


@pytest.mark.parametrize("command", [ALONE, TORCHRUN], ids=["Lightning", "torchrun"])
def test_two_ranks_that_were_killed_go_on_as_if_they_had_not_been(
    command: list[str], arguments: list[str], tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert start(command, arguments, whole, STEPS).wait(timeout=600) == 0, (whole / "log").read_text()
    killed = start(command, arguments, broken, 10**6)
    checkpoint = broken / "run/checkpoints/last.ckpt"
    until = time.monotonic() + 600
    while not checkpoint.exists() and killed.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    # torchrun's processes are in groups of their own; it ends them when it is asked to end.
    os.killpg(killed.pid, signal.SIGTERM if command is TORCHRUN else signal.SIGKILL)
    killed.wait(timeout=600)
    done = last(broken)["global_step"]
    assert done < 10**6 and not (broken / "bundle").exists()
    steps = max(STEPS, done + 2)
    if steps > STEPS:
        assert start(command, arguments, whole, steps).wait(timeout=600) == 0
    assert start(command, arguments, broken, steps).wait(timeout=600) == 0, (broken / "log").read_text()
    assert last(broken)["global_step"] == steps
    assert exported(broken) == exported(whole)


class BatchesOfBoth(IterableDataset[dict[str, Tensor]]):
    """Every step's batches of two ranks, one behind the other."""

    def __init__(self, data: LatentData, draw: Callable[..., Any]) -> None:
        latents = data.latents["train"]
        self.ranks = [
            Steps(latents, StepSampler(len(latents), data.batch_size, data.seed, rank=rank, world_size=2), draw)
            for rank in range(2)
        ]

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for step in From(0):
            one, other = (rank[step] for rank in self.ranks)
            other["text"] = other["text"] + len(one["tokens"])
            yield {name: torch.cat([one[name], other[name]]) for name in one}


class TwoRanks(LatentData):
    """Latents in memory, told apart by rank."""

    def __init__(self, latents: Latents) -> None:
        nothing: Any = None
        super().__init__(nothing, batch_size=2)
        self.latents["train"] = latents

    def setup(self, stage: str | None = None) -> None:
        pass

    def val_dataloader(self) -> list[Any]:  # type: ignore[override]
        return []


def fitted(make: Callable[..., DiffusionTraining], loader: Any, **how: Any) -> dict[str, Tensor]:
    """Averaged weights after some steps."""
    module = make()
    trainer = L.Trainer(
        accelerator="cpu", max_steps=STEPS, max_epochs=-1, callbacks=[WarmEMA()], logger=False, gradient_clip_val=1.0,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        use_distributed_sampler=False, limit_val_batches=0, **how,
    )  # fmt: skip
    if isinstance(loader, LatentData):
        module.prepare(loader)
    trainer.fit(module, loader)
    assert isinstance(module.unet, UNet2DConditionModel)
    return module.unet.state_dict()


def two_ranks() -> TwoRanks:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(6, 4, 16, 16, generator=generator).half().numpy()
    return TwoRanks(Latents(latents, [*REPORTS, *REPORTS[:2]]))


def fit_as_rank(rank: int, port: int, tiny_bundle: Path, weights: Path) -> None:
    """Write the weights with which one of both ranks ends."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": str(rank)}
    torch.save(fitted(partial(make_training, tiny_bundle), two_ranks(), strategy="ddp", devices=2), weights)


def test_two_ranks_end_with_the_weights_of_one_process_that_has_the_batches_of_both(
    make: Callable[..., DiffusionTraining], tiny_bundle: Path, tmp_path: Path
) -> None:
    data = two_ranks()
    both = fitted(make, DataLoader(BatchesOfBoth(data, make().draw), batch_size=None))
    of_one = fitted(make, data)
    files = [tmp_path / str(rank) for rank in range(2)]
    port = find_free_network_port()
    processes = [clean_process(fit_as_rank, rank, port, tiny_bundle, file) for rank, file in enumerate(files)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=600)
    ranks = [torch.load(file, weights_only=True) for file in files]
    assert max(float((both[name] - of_one[name]).abs().max()) for name in both) > 1e-4
    torch.testing.assert_close(ranks, [both, both], rtol=0, atol=1e-5)
