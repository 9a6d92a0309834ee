"""Processes that torchrun or srun starts know which they are, and take a GPU each."""

from __future__ import annotations

import sys

import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from omegaconf import OmegaConf

from radedit.app import trained_predictors as trained
from radedit.app.processes import Process, alone, own_device, this_process
from radedit.data.io.progress import Progress

TORCHRUN = {
    "RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4", "GROUP_RANK": "1",
    "GROUP_WORLD_SIZE": "2", "ROLE_RANK": "5", "ROLE_WORLD_SIZE": "8", "ROLE_NAME": "default",
    "MASTER_ADDR": "localhost", "MASTER_PORT": "29500", "TORCHELASTIC_RUN_ID": "none",
    "TORCHELASTIC_RESTART_COUNT": "0",
}  # fmt: skip
SRUN = {
    "SLURM_PROCID": "3", "SLURM_NTASKS": "4", "SLURM_LOCALID": "3", "SLURM_NTASKS_PER_NODE": "4", "SLURM_JOB_ID": "7",
    "SLURM_JOB_NAME": "edit",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _started_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {*TORCHRUN, *SRUN}:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Process(0, 1, None)),
        (TORCHRUN, Process(5, 8, 1)),
        (SRUN, Process(3, 4, 3)),
        (SRUN | TORCHRUN, Process(5, 8, 1)),  # srun torchrun …
        ({"SLURM_NTASKS": "4", "SLURM_JOB_ID": "7"}, Process(0, 1, None)),  # a shell of salloc
        (
            {"SLURM_PROCID": "0", "SLURM_NTASKS": "1", "SLURM_LOCALID": "0", "SLURM_ARRAY_TASK_ID": "6"},
            Process(0, 1, 0),
        ),
    ],
    ids=["by hand", "torchrun", "srun", "both", "salloc", "array"],
)
def test_process_knows_its_rank(environment: dict[str, str], expected: Process) -> None:
    assert this_process(environment) == expected


@pytest.mark.parametrize(
    ("environment", "gpus", "expected"),
    [
        ({}, 0, "cpu"),
        (TORCHRUN, 0, "cpu"),
        ({}, 4, "cuda"),
        (TORCHRUN, 4, "cuda:1"),
        (SRUN, 4, "cuda:3"),
        (SRUN, 2, "cuda:1"),  # two processes a GPU
        (SRUN, 1, "cuda:0"),  # srun --gpus-per-task=1 shows each its own
    ],
)
def test_every_process_has_its_gpu(
    environment: dict[str, str], gpus: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert own_device(environment) == expected
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert OmegaConf.create({"device": "${radedit.device:}"}).device == expected


@pytest.mark.parametrize(
    ("launcher", "expected"), [("BasicLauncher", "cuda"), ("JoblibLauncher", "cuda:1"), ("LocalLauncher", "cuda:1")]
)
def test_jobs_at_once_have_a_gpu_each_and_jobs_in_turn_the_first(
    launcher: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = OmegaConf.create({"launcher": {"_target_": f"hydra.{launcher}"}, "job": {"num": 5}})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(HydraConfig, "initialized", lambda: True)
    monkeypatch.setattr(HydraConfig, "get", lambda: settings)
    assert OmegaConf.create({"device": "${radedit.device:}"}).device == expected


@pytest.mark.parametrize(
    ("visible", "device", "expected"),
    [
        (None, "cuda", None),
        (None, "cpu", None),
        (None, "cuda:2", "2"),
        ("4,5", "cuda", "4,5"),
        ("4,5", "cuda:1", "5"),
    ],
)
def test_training_that_a_process_starts_sees_the_gpu_of_that_process(
    visible: str | None, device: str, expected: str | None
) -> None:
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert alone(environment, device=device).get("CUDA_VISIBLE_DEVICES") == expected


@pytest.mark.parametrize("environment", [TORCHRUN, SRUN], ids=["torchrun", "srun"])
def test_training_that_a_process_starts_is_alone(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (environment | {"MY_DATA": "/data"}).items():
        monkeypatch.setenv(name, value)
    assert TorchElasticEnvironment.detect() or SLURMEnvironment.detect()  # else the test could not fail
    left = alone()
    assert left["MY_DATA"] == "/data" and this_process(left) == Process()
    for name in environment:
        if name not in left:
            monkeypatch.delenv(name)
    assert not TorchElasticEnvironment.detect() and not SLURMEnvironment.detect()


def test_training_is_started_with_that_environment(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "python").write_text("#!/bin/sh\nenv\n")
    (tmp_path / "python").chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    trained._train(["seed=0"], tmp_path, Progress(1, "Training", "steps"))
    heard = (tmp_path / "training.log").read_text()
    assert "PATH=" in heard and not [name for name in TORCHRUN if f"\n{name}=" in f"\n{heard}"]
