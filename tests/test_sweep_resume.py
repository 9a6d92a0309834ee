"""A sweep that was stopped ends as one that was not, and does nothing twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from radedit import stress
from radedit.data.stress_set import StressSetWriter
from radedit.harness.evidence import removal
from radedit.models.predictors import Network
from tests.commands import run, save_tiny_predictors
from tests.tiny_bundle import SIZE

pytestmark = pytest.mark.slow
SEEDS = (0, 1)


@pytest.fixture(scope="module")
def arguments(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two seeds of four tiny predictors on three images, a block each."""
    folder = tmp_path_factory.mktemp("predictors")
    overrides = [save_tiny_predictors(folder / f"seed-{seed}", seed) for seed in SEEDS][0]
    return [
        "+scenario=manifestation", "preset=smoke", "logger=csv", f"size={SIZE}", "n=3", "n_also=1", "n_cells=1",
        "n_own=4", "anatomy=null", "edit.steps=2", "edit.max_lost=1", "edit.threshold=-1", "edit.block=1",
        "seeds=0,1", f"generator.folder={tiny_bundle}",
        *(override.replace("seed-0", "seed-${predictor.seed}") for override in overrides),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(arguments: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed")
    assert run(stress.main, [*arguments, f"out={out}"]) == 0
    return out


def found(out: Path) -> dict[str, Any]:
    """Hashes and numbers of every run, by its folder's name, and the folders of sets and sweeps."""
    runs = {}
    for path in (out / "stress").glob("*/results.json"):
        results = json.loads(path.read_text())
        runs[path.parent.name] = {key: results[key] for key in ("hashes", "table", "attribution", "counts")}
    sets = {path.name: (path / "manifest.csv").read_bytes() for path in (out / "stress_sets").iterdir()}
    return {"runs": runs, "sets": sets, "sweeps": sorted(path.name for path in (out / "sweeps").glob("*"))}


@pytest.fixture
def edited(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Numbers of the blocks that were edited."""
    blocks: list[int] = []
    write = StressSetWriter.write_block

    def note(self: StressSetWriter, block: int, *rest: Any) -> None:
        write(self, block, *rest)
        blocks.append(block)

    monkeypatch.setattr(StressSetWriter, "write_block", note)
    yield blocks


def test_two_seeds_are_two_runs_on_one_stress_set(undisturbed: Path) -> None:
    runs = found(undisturbed)["runs"]
    assert len(runs) == len(SEEDS)
    assert len({run["hashes"]["stress_set"] for run in runs.values()}) == 1
    assert len({json.dumps(run["hashes"]["predictors"]) for run in runs.values()}) == len(SEEDS)


def test_a_sweep_stopped_while_it_edits_ends_as_an_undisturbed_one(
    arguments: list[str], undisturbed: Path, tmp_path: Path, edited: list[int]
) -> None:
    out = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        write = StressSetWriter.write_block

        def stop_at_the_second(self: StressSetWriter, block: int, *rest: Any) -> None:
            if block == 1:
                raise KeyboardInterrupt
            write(self, block, *rest)

        patch.setattr(StressSetWriter, "write_block", stop_at_the_second)
        assert run(stress.main, [*arguments, f"out={out}"]) == 130
    assert edited == [0]
    assert run(stress.main, [*arguments, f"out={out}"]) == 0
    assert edited == [0, 1, 2]  # each once
    assert found(out) == found(undisturbed)


@pytest.mark.slow
def test_a_sweep_stopped_in_its_second_job_asks_the_first_ones_predictors_nothing_again(
    arguments: list[str], undisturbed: Path, tmp_path: Path, edited: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    asked: list[str] = []
    predict = Network.predict

    def note(self: Network, images: Any) -> Any:
        if images.std() > 0:  # not the grey image that every predictor is tried on
            asked.append(self.hash)
        return predict(self, images)

    monkeypatch.setattr(Network, "predict", note)
    with pytest.MonkeyPatch.context() as patch:
        gather: Any = removal.gather
        jobs: list[int] = []

        def stop_at_the_second(*given: Any, **how: Any) -> Any:
            jobs.append(1)
            if len(jobs) == 2:
                raise KeyboardInterrupt
            return gather(*given, **how)

        patch.setattr(removal, "gather", stop_at_the_second)
        assert run(stress.main, [*arguments, f"out={out}"]) == 130
    first, n_edited = set(asked), len(edited)
    asked.clear()
    assert run(stress.main, [*arguments, f"out={out}"]) == 0
    assert not first & set(asked) and asked
    assert len(edited) == n_edited == 3
    assert found(out) == found(undisturbed)
