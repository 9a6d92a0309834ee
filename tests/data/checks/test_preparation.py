"""A set is checked image by image: nothing is lost, nothing is looked at twice, nothing is written into it."""

from __future__ import annotations

import csv
import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from radedit.data.checks.index_table import content_ids
from radedit.data.checks.leaks import check_leaks
from radedit.data.checks.preparation import Preparation
from radedit.data.checks.resized import ResizedCopy
from radedit.data.datasets.manifest.manifest import ManifestDataset
from radedit.data.image.files import read_mask, write_png
from radedit.data.image.transforms import preprocess
from radedit.data.layouts.image_files import ImageFile, ImageFiles
from radedit.types import Box, Record, Sample

N, BLOCK = 22, 4


class Slow:
    """A data set that notes in a folder how often it was asked for whom, and has no end with those from `held` on."""

    name = fingerprint = "slow"

    def __init__(self, notes: Path, held: int = N) -> None:
        self.records = [Record(f"r{i}", f"s{i // 2}", {"covid": i % 2}, "", {"split": "train"}) for i in range(N)]
        self.notes, self.held = notes, held
        notes.mkdir(exist_ok=True)

    def load(self, record: Record) -> Sample:
        if int(record.id[1:]) >= self.held:
            time.sleep(600)
        with (self.notes / record.id).open("a") as file:
            file.write(".")
        image = torch.rand(1, 6, 8, generator=torch.Generator().manual_seed(int(record.id[1:])))
        return Sample(record, image)

    @property
    def asked(self) -> dict[str, int]:
        return {path.name: path.stat().st_size for path in self.notes.iterdir()}


@pytest.fixture
def images(tmp_path: Path) -> ImageFiles:
    """Six PNGs; the last two have the same pixels, one has a mask and a box, one is cut off."""
    root = tmp_path / "set"
    (root / "images").mkdir(parents=True)
    found = []
    for number in range(6):
        path = root / f"images/{number}.png"
        image = torch.rand(1, 20, 24, generator=torch.Generator().manual_seed(min(number, 4)))
        write_png(path, image, text={})
        record = Record(f"image/{number}", f"s{number}", {"covid": number % 2}, "", {"view": "PA"})
        found.append(ImageFile(record, path))
    mask = torch.zeros(1, 20, 24, dtype=torch.bool)
    mask[:, 5:15, 6:18] = True
    found[1] = ImageFile(
        found[1].record, found[1].image, {"lungs": lambda _: mask}, {"opacity": [Box(2, 0, 10, 10), Box(0, 0, 1, 5)]}
    )
    (root / "images/2.png").write_bytes((root / "images/2.png").read_bytes()[:-40])
    return ImageFiles("toy", root, found, excluded={"lateral": 3})


def listed(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return [row["id"] for row in csv.DictReader(file)]


def test_every_image_is_in_the_index_with_what_was_found(images: ImageFiles, tmp_path: Path) -> None:
    assert Preparation(images, tmp_path / "out", block=BLOCK).run() == 0
    index = {row["id"]: row for row in pq.read_table(tmp_path / "out/index.parquet").to_pylist()}
    assert list(index) == [record.id for record in images.records]
    first = index["image/1"]
    assert (first["height"], first["width"], first["boxes_opacity"], first["label_covid"]) == (20, 24, 2, 1)
    assert first["mask_lungs"] == pytest.approx(0.25) and first["attr_view"] == "PA" and first["error"] is None
    assert "cut off" in index["image/2"]["error"] and index["image/2"]["content"] is None


def test_the_census_counts_views_labels_reasons_and_findings(images: ImageFiles, tmp_path: Path) -> None:
    preparation = Preparation(images, tmp_path / "out", block=BLOCK)
    preparation.run()
    figures = preparation.census.figures()
    assert (figures["images"], figures["patients"], figures["left out"]) == (6, 6, {"lateral": 3})
    assert figures["view"] == {"PA": 6} and figures["labels"]["covid"] == {"1": 3, "0": 3, "not read": 0}
    assert figures["checked"] == {"readable": 5, "unreadable": 1}
    assert figures["images with masks"] == {"lungs": 1} and figures["images with boxes"] == {"opacity": 1}
    assert "covid: 1 3 · 0 3" in preparation.census.text()


def test_a_patient_in_two_official_splits_is_counted(tmp_path: Path) -> None:
    dataset = Slow(tmp_path / "notes")
    dataset.records[0] = Record("r0", "s0", {}, "", {"split": "test"})
    preparation = Preparation(dataset, tmp_path / "out")
    preparation.run()
    assert preparation.census.split_patients == 1


def test_unreadable_and_identical_images_are_listed(images: ImageFiles, tmp_path: Path) -> None:
    Preparation(images, tmp_path / "out", block=BLOCK).run()
    assert listed(tmp_path / "out/unreadable.csv") == ["image/2"]
    assert listed(tmp_path / "out/identical.csv") == ["image/4", "image/5"]
    assert not (tmp_path / "out/missing.csv").exists()


def test_identical_images_on_both_sides_are_a_leak(images: ImageFiles, tmp_path: Path) -> None:
    Preparation(images, tmp_path / "out", block=BLOCK).run()
    content = content_ids(tmp_path / "out/index.parquet")
    sides = {"train": images.records[:5], "test": images.records[5:]}
    with pytest.raises(ValueError, match="image/4 = image/5"):
        check_leaks(sides, {name: {r.id: content[r.id] for r in own if r.id in content} for name, own in sides.items()})


def test_missing_files_are_listed_before_any_image_is_looked_at(images: ImageFiles, tmp_path: Path) -> None:
    for number in (0, 3):
        images.image_file(images.records[number]).image.unlink()
    preparation = Preparation(images, tmp_path / "out", block=BLOCK)
    assert preparation.run() == 2
    assert listed(tmp_path / "out/missing.csv") == ["image/0", "image/3"]
    assert preparation.census.figures()["images"] == 6 and not (tmp_path / "out/blocks").exists()


def test_a_file_that_comes_up_missing_on_loading_is_listed_too(images: ImageFiles, tmp_path: Path) -> None:
    def gone(_: tuple[int, int]) -> torch.Tensor:
        raise FileNotFoundError("there is no mask of it")

    broken = ImageFiles(
        "toy",
        images.root,
        [ImageFile(r, images.image_file(r).image, {"lungs": gone}) for r in images.records[:2]],
        excluded={},
    )
    assert Preparation(broken, tmp_path / "out").run() == 2
    assert listed(tmp_path / "out/missing.csv") == ["image/0", "image/1"]


def test_a_file_that_was_fetched_afterwards_is_found_by_the_same_command(images: ImageFiles, tmp_path: Path) -> None:
    mask = tmp_path / "mask.png"
    lazy = {"lungs": lambda size: read_mask(mask, size)}
    whole = ImageFiles(
        "toy", images.root, [ImageFile(r, images.image_file(r).image, lazy) for r in images.records[:2]], excluded={}
    )
    assert Preparation(whole, tmp_path / "out").run() == 2
    write_png(mask, torch.eye(20, 24)[None] > 0, text={})
    assert Preparation(whole, tmp_path / "out").run() == 0 and not (tmp_path / "out/missing.csv").exists()


def test_a_replaced_image_is_looked_at_again_when_asked_to(images: ImageFiles, tmp_path: Path) -> None:
    Preparation(images, tmp_path / "out", block=BLOCK).run()
    write_png(images.root / "images/2.png", torch.rand(1, 20, 24), text={})
    Preparation(images, tmp_path / "out", block=BLOCK).run()
    assert listed(tmp_path / "out/unreadable.csv") == ["image/2"]
    Preparation(images, tmp_path / "out", block=BLOCK).run(retry=True)
    assert not (tmp_path / "out/unreadable.csv").exists()


def test_nothing_is_written_into_the_set(images: ImageFiles, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in images.root.rglob("*")}
    Preparation(images, tmp_path / "out", copy=ResizedCopy(tmp_path / "out/small", 8)).run()
    assert {path: path.stat().st_mtime_ns for path in images.root.rglob("*")} == before


def test_the_resized_copy_is_what_preprocessing_gives(images: ImageFiles, tmp_path: Path) -> None:
    Preparation(images, tmp_path / "out", copy=ResizedCopy(tmp_path / "small", 16), block=BLOCK).run()
    copy = ManifestDataset(tmp_path / "small/manifest.csv", boxes={})
    assert [record.id for record in copy.records] == [f"image/{number}" for number in (0, 1, 3, 4, 5)]
    for record in copy.records:
        original = next(own for own in images.records if own.id == record.id)
        square, small = preprocess(images.load(original), 16), copy.load(record)
        assert record == original
        assert torch.equal((square.image * 255).round(), small.image * 255)
        assert {name: mask.tolist() for name, mask in square.masks.items()} == {
            name: mask.tolist() for name, mask in small.masks.items()
        }
        assert np.allclose(small.boxes.get("opacity", []), square.boxes.get("opacity", []), atol=1e-3)


def test_a_killed_run_goes_on_and_redoes_no_finished_block(tmp_path: Path) -> None:
    def prepare(held: int) -> None:
        Preparation(Slow(tmp_path / "notes", held), tmp_path / "out", block=BLOCK, workers=2).run()

    at_work, end = os.pipe()
    run = multiprocessing.get_context("fork").Process(target=prepare, args=(2 * BLOCK + 2,))
    run.start()
    os.close(end)
    blocks = tmp_path / "out/blocks"
    while len(finished := list(blocks.rglob("*.jsonl"))) < 2 and run.is_alive():
        time.sleep(0.01)
    assert run.pid is not None
    os.kill(run.pid, signal.SIGKILL)
    run.join()
    assert os.read(at_work, 1) == b""  # once the workers noticed
    os.close(at_work)
    assert len(finished) == 2
    before = Slow(tmp_path / "notes").asked
    prepare(N)
    after = Slow(tmp_path / "notes").asked
    done = {f"r{number}" for file in finished for number in range(*map(int, file.stem.split("-")))}
    assert all(after[name] == before[name] == 1 for name in done)
    assert set(after) == {f"r{number}" for number in range(N)}
    assert [row["id"] for row in pq.read_table(tmp_path / "out/index.parquet").to_pylist()] == [
        f"r{number}" for number in range(N)
    ]


def test_images_to_show_are_half_of_them_drawn_on(images: ImageFiles, tmp_path: Path) -> None:
    preparation = Preparation(images, tmp_path / "out", block=BLOCK)
    preparation.run()
    assert [record.id for record in preparation.records_to_show(3)] == ["image/0", "image/1", "image/4"]
    assert len(preparation.records_to_show(100)) == 5
