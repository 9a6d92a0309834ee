"""Edits that are killed, stopped or diverge: nothing that was finished is lost, and nothing is there twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from radedit.data.datasets.manifest.manifest import ManifestDataset
from radedit.data.datasets.phantom import PhantomDataset
from radedit.data.stress_set import read_rows, read_skipped
from radedit.editing import radedit
from radedit.editing.editor import Editor
from radedit.harness.stress.block_editor import BlockEditor, EditPlan, LoadedBlock
from radedit.harness.stress.generate import generate
from radedit.harness.stress.scenario import Removal, StressData
from radedit.models.bundle.bundle import Bundle
from radedit.phantom.world import World
from radedit.types import Sample
from tests.harness.conftest import SIZE, N, Remembering

Make = Callable[[Path], Path]

RECORDS = 8


@pytest.fixture(scope="module")
def make(scenario: Removal, data: StressData, world: World, bundle: Bundle, make_plan: Callable[..., EditPlan]) -> Make:
    """Makes a set of eight blocks."""
    images = Remembering(PhantomDataset(world, "killed", RECORDS, SIZE))
    images_only = replace(data, source=images, reference=None, counterfactual=None)
    return lambda folder: generate(scenario, images_only, bundle, make_plan(block=1, steps=1), folder, {"toy": 1})


@pytest.fixture(scope="module")
def undisturbed(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("undisturbed") / "set")


def content(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def in_a_child(work: Callable[[], object], kill_after: float) -> bool:
    """Whether a forked process was at work still when it was killed, so many seconds after it began."""
    if (child := os.fork()) == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    time.sleep(kill_after)
    os.kill(child, signal.SIGKILL)  # a child that has ended is there until it is waited for
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


@pytest.mark.slow
@pytest.mark.parametrize("kills", [50])
def test_a_run_killed_at_random_points_gives_the_files_of_an_undisturbed_one(
    kills: int, make: Make, undisturbed: Path, tmp_path: Path
) -> None:
    draw = random.Random(kills)
    began = time.monotonic()
    make(tmp_path / "timed")
    whole_run = time.monotonic() - began
    killed = sets = 0
    while killed < kills:
        folder, finished = tmp_path / f"set-{sets}", False
        while not finished and killed < kills:
            before = {path: path.stat().st_mtime_ns for path in folder.glob("rows/block-*.jsonl")}
            finished = not in_a_child(lambda: make(folder), draw.uniform(0, whole_run / 2))  # noqa: B023
            killed += not finished
            assert {path: path.stat().st_mtime_ns for path in before} == before  # nothing finished is lost or redone
        assert content(make(folder)) == content(undisturbed)
        sets += 1


def test_ctrl_c_finishes_the_block_and_the_next_run_goes_on_behind_it(
    make: Make, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit = BlockEditor.block

    def pressed_in_the_third(self: BlockEditor, block: LoadedBlock, first: int) -> Any:
        if first == 2 * self.plan.block:
            signal.raise_signal(signal.SIGINT)
        return edit(self, block, first)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(BlockEditor, "block", pressed_in_the_third)
        make(tmp_path / "set")
    assert len(list((tmp_path / "set").glob("rows/*.jsonl"))) == 3
    assert content(make(tmp_path / "set")) == content(undisturbed)


def test_image_or_mask_that_is_cut_off_in_the_middle_of_a_set_is_skipped_and_listed(
    scenario: Removal, undisturbed: Path, bundle: Bundle, make_plan: Callable[..., EditPlan], tmp_path: Path
) -> None:
    images = Path(shutil.copytree(undisturbed, tmp_path / "images"))
    dataset = ManifestDataset(images / "manifest.csv", where={"attr_kind": "source"})
    rows = [row for row in read_rows(images) if row["attr_kind"] == "source"]
    damaged = {2: rows[2]["image"], 5: rows[5]["mask_m_keep"]}
    for path in damaged.values():
        (images / path).write_bytes((images / path).read_bytes()[:-30])

    def own(sample: Sample) -> tuple[Tensor, Tensor]:
        return sample.masks["m_edit"], sample.masks["m_keep"]

    folder = generate(
        scenario, StressData(dataset), bundle, make_plan(masks=own, steps=1, block=4), tmp_path / "set", {"toy": 2}
    )
    skipped = {entry["id"]: entry["reason"] for entry in read_skipped(folder)}
    assert skipped.keys() == {rows[number]["id"] for number in damaged}
    assert all(damaged[number].split("/")[-1] in skipped[rows[number]["id"]] for number in damaged)
    assert all("cut off" in reason for reason in skipped.values())
    edited = {row["attr_record"] for row in read_rows(folder)}
    assert edited == {row["id"] for row in rows} - skipped.keys() and len(edited) == RECORDS - 2


@pytest.mark.parametrize("kind", ["edit", "replay"])
def test_record_of_which_the_network_gives_nan_is_skipped_with_the_reason_and_stops_no_other(
    kind: str, scenario: Removal, data: StressData, bundle: Bundle, make_plan: Callable[..., EditPlan], tmp_path: Path
) -> None:
    ids = [record.id for record in data.source.records]
    whole = Editor.of(partial(radedit.edit, w=2.0))

    def diverging(*given: Any, **how: Any) -> Tensor:
        latents: Tensor = getattr(whole, kind)(*given, **how).clone()
        if latents.shape[-1] > 3:  # not where network calls are counted, on one latent
            latents[1, 0, 3, 3] = torch.nan  # in the last block, of a record that is there to fill it
        return latents

    broken: dict[str, Any] = {kind: partial(diverging, w=2.0)}
    plans = [make_plan(), make_plan(editor=replace(whole, **broken))]
    expected, found = (
        generate(scenario, replace(data, reference=None), bundle, plan, tmp_path / name, {"toy": 1})
        for plan, name in zip(plans, ("whole", "diverged"), strict=True)
    )
    (entry,) = read_skipped(found)
    assert entry["id"] == ids[1] and entry["block"] == 0
    assert kind in entry["reason"] and "diverged: the network gave values that are not finite" in entry["reason"]
    assert read_rows(found) == [row for row in read_rows(expected) if row["attr_record"] != ids[1]]
    others = {name: file for name, file in content(found).items() if name.startswith("images/")}
    assert others and all(content(expected)[name] == file for name, file in others.items())


def test_a_network_that_gives_nan_only_is_told_of(
    scenario: Removal, data: StressData, bundle: Bundle, make_plan: Callable[..., EditPlan], tmp_path: Path
) -> None:
    whole = Editor.of(partial(radedit.edit, w=2.0))
    broken = replace(whole, edit=partial(lambda *given, **how: whole.edit(*given, **how) * torch.nan))
    with pytest.raises(ValueError, match=f"no image: {N} records were skipped; .* diverged: the network gave"):
        generate(scenario, data, bundle, make_plan(editor=broken), tmp_path / "set", {"toy": 1})
