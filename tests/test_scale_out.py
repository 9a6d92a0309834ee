"""One command in many processes, as docs/how-to/scale-out.md starts them: the results of one process."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lightning.fabric.plugins.environments.lightning import find_free_network_port

from radedit import stress
from tests.commands import run, save_tiny_predictors
from tests.harness.stress.test_kills import content
from tests.tiny_bundle import SIZE

HOW_TO = Path(__file__).parents[1] / "docs/how-to/scale-out.md"
STARTS = {"torchrun": [sys.executable, "-m", "torch.distributed.run"], "python": [sys.executable]}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two seeds of four tiny predictors on five images, a block each."""
    folder = tmp_path_factory.mktemp("predictors")
    overrides = [save_tiny_predictors(folder / f"seed-{seed}", seed) for seed in (0, 1)][0]
    return [
        "preset=smoke", "logger=csv", f"size={SIZE}", "n=5", "n_also=1", "n_cells=1", "n_own=4", "anatomy=null",
        "edit.steps=2", "edit.max_lost=1", "edit.threshold=-1", "edit.block=1", "seeds='0,1'", "out=out",
        f"generator.folder={tiny_bundle}",
        *(override.replace("seed-0", "seed-${predictor.seed}") for override in overrides),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def by_one(tiny: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("by-one")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(stress.main, ["+scenario=manifestation", *tiny]) == 0
    return found(folder / "out")


def found(out: Path) -> dict[str, Any]:
    """The stress sets' files, every run's numbers, and the names of the sweeps."""
    runs = {path.parent.name: json.loads(path.read_text()) for path in (out / "stress").glob("*/results.json")}
    return {
        "sets": {folder.name: content(folder) for folder in (out / "stress_sets").iterdir()},
        "runs": {name: {key: one[key] for key in ("hashes", "table", "counts")} for name, one in runs.items()},
        "sweeps": sorted(path.name for path in (out / "sweeps").iterdir()),
    }


@pytest.mark.parametrize("command", ["torchrun", "launcher=joblib", "launcher=submitit_local"])
def test_command_of_the_how_to_gives_what_one_process_gives(
    command: str, tiny: list[str], by_one: dict[str, Any]
) -> None:
    (line,) = [line for line in HOW_TO.read_text(encoding="utf-8").splitlines() if command in line and "-m" in line]
    start, *arguments = shlex.split(line.replace("--nproc-per-node 8", "--nproc-per-node 2"))
    places = {
        "PYTHONPATH": os.pathsep.join([str(HOW_TO.parents[2]), os.environ.get("PYTHONPATH", "")]),
        "PET_MASTER_PORT": str(find_free_network_port()),  # torchrun's, which another program may have
    }
    done = subprocess.run(
        [*STARTS[start], *arguments, *tiny], env=os.environ | places, capture_output=True, text=True, timeout=1500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert found(Path("out")) == by_one
    assert len(by_one["runs"]) == 2 and len(by_one["sweeps"]) == 1
    assert done.stdout.count("/report.html\n") == 1
    assert not list(Path("out").glob(".jobs-*"))
    (command_noted,) = {json.loads(path.read_text())["command"] for path in Path("out/stress").glob("*/results.json")}
    assert command_noted.startswith("python -m radedit.stress +scenario=manifestation ")
