"""Processes that make one stress set at once: block for block and byte for byte the set of one process."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from radedit.data.datasets.phantom import PhantomDataset
from radedit.data.stress_set import StressSetWriter
from radedit.harness.stress.block_editor import BlockEditor, EditPlan, LoadedBlock
from radedit.harness.stress.generate import generate
from radedit.harness.stress.scenario import Removal, StressData
from radedit.models.bundle.bundle import Bundle
from radedit.phantom.world import World
from radedit.types import Record, Sample
from tests.harness.conftest import SIZE, Remembering
from tests.harness.stress.test_kills import content

pytestmark = pytest.mark.slow

BLOCKS = 8
FINGERPRINT = {"toy": 1}


class Make(Protocol):
    def __call__(self, folder: Path, *, rank: int = 0, world_size: int = 1) -> Path: ...


@pytest.fixture(scope="module")
def images(world: World) -> Remembering:
    dataset = Remembering(PhantomDataset(world, "shared", BLOCKS, SIZE))
    lost, load = dataset.records[5].id, dataset.load

    def load_but_one(record: Record) -> Sample:
        if record.id == lost:
            raise ValueError("It is blank.")
        return load(record)

    dataset.load = load_but_one  # type: ignore[method-assign]
    return dataset


@pytest.fixture(scope="module")
def make(
    scenario: Removal, data: StressData, images: Remembering, bundle: Bundle, make_plan: Callable[..., EditPlan]
) -> Make:
    """Makes a set of eight blocks, of which one has nothing but a record that can't be used."""
    source = replace(data, source=images, reference=None, counterfactual=None)

    def making(folder: Path, *, rank: int = 0, world_size: int = 1) -> Path:
        plan = make_plan(block=1, steps=1)
        return generate(scenario, source, bundle, plan, folder, FINGERPRINT, rank=rank, world_size=world_size)

    return making


@pytest.fixture(scope="module")
def by_one(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("by-one") / "set")


@pytest.fixture
def edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[int]]:
    """Numbers of the blocks that were edited, by whatever process; each takes a little while."""
    notes, edit = tmp_path / "edited", BlockEditor.block

    def noting(self: BlockEditor, block: LoadedBlock, first: int) -> Any:
        with notes.open("a") as file:
            file.write(f"{first}\n")
        time.sleep(0.02)
        return edit(self, block, first)

    monkeypatch.setattr(BlockEditor, "block", noting)
    return lambda: [int(line) for line in notes.read_text().split()]


def start(work: Callable[[], object]) -> int:
    """Number of a forked process that does something and ends, with code 0 if that went well."""
    if child := os.fork():
        return child
    try:
        work()
        os._exit(0)
    finally:
        os._exit(1)


def end_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("ranks", [[(0, 1), (0, 1)], [(0, 3), (1, 3), (2, 3)]], ids=["jobs", "ranks"])
def test_processes_at_once_give_the_set_of_one_and_edit_each_block_once(
    ranks: list[tuple[int, int]], make: Make, by_one: Path, tmp_path: Path, edited: Callable[[], list[int]]
) -> None:
    folder = tmp_path / "set"
    children = [start(lambda: make(folder, rank=rank, world_size=n)) for rank, n in ranks]  # noqa: B023
    assert [end_of(child) for child in children] == [0] * len(ranks)
    assert sorted(edited()) == list(range(BLOCKS))
    assert content(folder) == content(by_one)


@pytest.mark.parametrize("seed", range(3))
def test_one_of_three_that_is_killed_leaves_its_blocks_to_the_others(
    seed: int, make: Make, by_one: Path, tmp_path: Path, edited: Callable[[], list[int]]
) -> None:
    folder = tmp_path / "set"
    children = [start(lambda: make(folder)) for _ in range(3)]
    time.sleep(random.Random(seed).uniform(0, 0.5))
    os.kill(children[0], signal.SIGKILL)
    assert end_of(children[0]) in (0, -signal.SIGKILL) and [end_of(child) for child in children[1:]] == [0, 0]
    assert set(edited()) == set(range(BLOCKS)) and len(edited()) <= BLOCKS + 2  # what it edited or wrote, once more
    StressSetWriter(folder, FINGERPRINT).close()  # tidies, where the killed one was the last at work
    assert content(folder) == content(by_one)


def test_block_of_a_killed_process_is_waited_for_and_made(make: Make, by_one: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    heard, said = os.pipe()

    def claim_and_hang() -> None:
        os.write(said, str(StressSetWriter(folder, FINGERPRINT).claim(3)).encode())
        time.sleep(600)

    holder = start(claim_and_hang)
    assert os.read(heard, 4) == b"True"
    other = start(lambda: make(folder))
    while len(list(folder.glob("rows/*.jsonl"))) < BLOCKS - 1:
        time.sleep(0.01)
    time.sleep(0.1)
    assert not (folder / "manifest.csv").exists()  # it waits
    os.kill(holder, signal.SIGKILL)
    assert end_of(holder) == -signal.SIGKILL and end_of(other) == 0
    assert content(folder) == content(by_one)


def test_only_the_first_of_several_waits_and_compiles(
    make: Make, by_one: Path, tmp_path: Path, edited: Callable[[], list[int]]
) -> None:
    folder = tmp_path / "set"
    with StressSetWriter(folder, FINGERPRINT) as writer:
        assert writer.claim(3)
        make(folder, rank=2, world_size=3)
        assert edited() == [2, 5, 0, 6, 1, 4, 7]  # its own first, then the next one's
    assert not (folder / "manifest.csv").exists()
    make(folder, rank=0, world_size=3)
    assert content(folder) == content(by_one)


@pytest.mark.parametrize("pressed", ["while it waits", "just before"])
def test_ctrl_c_ends_the_waiting_at_once_and_leaves_nothing_claimed(
    pressed: str, make: Make, by_one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, folder = StressSetWriter.claim, tmp_path / "set"

    def pressing(self: StressSetWriter, block: int, *, wait: bool = False) -> bool:
        if wait:
            threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        elif pressed == "just before" and len(list(folder.glob("rows/*.jsonl"))) == BLOCKS - 1:
            signal.raise_signal(signal.SIGINT)
        return claim(self, block, wait=wait)

    with StressSetWriter(folder, FINGERPRINT) as writer:
        assert writer.claim(3)
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(StressSetWriter, "claim", pressing)
            make(folder)
        assert [number for number in range(BLOCKS) if not writer.done(number)] == [3]
    assert content(make(folder)) == content(by_one)


def test_images_of_one_block_are_loaded_while_the_one_before_is_edited(
    make: Make, images: Remembering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, edit, load, behind = [], BlockEditor.block, BlockEditor.load, []
    arrived = threading.Semaphore(0)

    def loading(self: BlockEditor, record: Record) -> Any:
        loaded.append(record.id)
        arrived.release()
        return load(self, record)

    def editing(self: BlockEditor, block: LoadedBlock, first: int) -> Any:
        for _ in range(2 if first == 0 else 1 if first < BLOCKS - 1 else 0):
            assert arrived.acquire(timeout=600)  # would never come if images were loaded behind the edit
        behind.append(len(loaded) - first)
        return edit(self, block, first)

    monkeypatch.setattr(BlockEditor, "load", loading)
    monkeypatch.setattr(BlockEditor, "block", editing)
    make(tmp_path / "set")
    assert loaded == [record.id for record in images.records]
    assert behind == [2] * (BLOCKS - 1) + [1]  # this block's and the next one's, no more
