"""What every test may count on: one thread, no network, nothing written outside its temporary folder."""

import os

# Before anything imports a library that reads these.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["WANDB_MODE"] = "disabled"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["MPLBACKEND"] = "Agg"

import copy
import gc
import io
import re
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hypothesis import HealthCheck, settings
from omegaconf import OmegaConf

# A machine, a scheduler or a shell may have set these: what runs here would start, log or print otherwise.
FOREIGN = re.compile(
    r"(RADEDIT|WANDB|HYDRA|MLFLOW|SLURM|TORCHELASTIC|PET|PIP)_.*|(LOCAL_|GROUP_)?(RANK|WORLD_SIZE)|MASTER_(ADDR|PORT)"
    r"|COLUMNS|LINES|(NO|FORCE|CLICOLOR_FORCE)_COLOR|(http|https|all)_proxy|COMP_LINE|PYTHONWARNINGS",
    re.IGNORECASE,
)
OURS = {"RADEDIT_REALCXR", "WANDB_MODE"}

# Neither a busy machine nor a draw that only one run makes is a failure; fixtures' folders may be written to again.
settings.register_profile(
    "radedit",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("radedit")

gc.disable()  # until all is imported: what stays need not be looked through for garbage again and again
torch.set_num_threads(1)  # pytest-xdist has a process for each core
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a script starts with & ignores Ctrl-C


def pytest_configure(config: pytest.Config) -> None:
    """Make every machine the same; its GPU is for the tests that ask for it."""
    for name in [*os.environ]:
        if FOREIGN.fullmatch(name) and name not in OURS:
            del os.environ[name]
    if "not gpu" in config.option.markexpr:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Everything that tests import is there now."""
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    """Let the interpreter clean up behind itself."""
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _in_a_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs, W&B files and Hydra's outputs are written relative to the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("RADEDIT_CACHE", str(tmp_path.parent / "radedit-cache"))


@pytest.fixture(autouse=True)
def _hydra_is_not_left_open() -> Iterator[None]:
    yield
    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None


@pytest.fixture(scope="session", autouse=True)
def _each_yaml_is_parsed_once() -> Iterator[None]:
    """Hydra reads thirty files for a configuration, the same ones for most tests; one that changed is read again."""
    load = OmegaConf.load
    parsed: dict[tuple[str, int, int], Any] = {}

    def load_once(file: Any) -> Any:
        name = file.name if isinstance(file, io.TextIOWrapper) else file
        if not isinstance(name, str | Path):
            return load(file)
        state = os.stat(name)
        key = (os.path.realpath(name), state.st_mtime_ns, state.st_size)
        if key not in parsed:
            parsed[key] = load(file)
        return copy.deepcopy(parsed[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OmegaConf, "load", staticmethod(load_once))
        yield


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a generator bundle with random weights, for images of 32 px. Not to be written to."""
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
    from radedit.studies.shared import cheap_predictors as cheap

    keys: list[str] = []
    train = cheap.train

    def noting(member: cheap.Member, folder: Path, cache: Path) -> None:
        keys.append(member.key)
        train(member, folder, cache)

    monkeypatch.setattr(cheap, "train", noting)
    return keys
