"""What every test may count on: one thread, no network, nothing written outside its temporary folder."""

import os

# Before anything imports a library that reads these.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["WANDB_MODE"] = "disabled"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["MPLBACKEND"] = "Agg"

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

torch.set_num_threads(1)  # pytest-xdist has a process for each core
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a script starts with & ignores Ctrl-C


@pytest.fixture(autouse=True)
def _in_a_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs, W&B files and Hydra's outputs are written relative to the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))


@pytest.fixture(autouse=True)
def _hydra_is_not_left_open() -> Iterator[None]:
    yield
    GlobalHydra.instance().clear()


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a generator bundle with random weights, for films of 32 px. Not to be written to."""
    from tests.tiny_bundle import save_tiny_bundle  # diffusers takes seconds, which other tests need not wait

    return save_tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with copies of the published repositories, random and small. Not to be written to."""
    from tests.published import save_published  # diffusers takes seconds

    return save_published(tmp_path_factory.mktemp("published"))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Filled with the key of every cheap predictor that is trained."""
    from radedit.harness import cheap

    keys: list[str] = []
    train = cheap.train

    def noting(member: cheap.Member, folder: Path, cache: Path) -> None:
        keys.append(member.key)
        train(member, folder, cache)

    monkeypatch.setattr(cheap, "train", noting)
    return keys
