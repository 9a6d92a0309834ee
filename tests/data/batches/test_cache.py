"""Images are cached block by block: all of them, in order, and none twice."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from radedit.data.batches.cache import BLOCK, cached_images
from radedit.data.image.transforms import preprocess
from radedit.data.io.blocks import work_in_blocks
from radedit.types import Record, Sample

SIZE = 8
N = 2 * BLOCK + 10


class Images:
    """A data set that notes in a folder whom it was asked for; some images can't be read, and one may break the run."""

    def __init__(self, notes: Path, unreadable: tuple[int, ...] = (), breaks: int = -1) -> None:
        self.records = [Record(f"r{i}", f"s{i}") for i in range(N)]
        self.notes, self.unreadable, self.breaks = notes, unreadable, breaks
        notes.mkdir(exist_ok=True)

    def load(self, record: Record) -> Sample:
        number = int(record.id[1:])
        if number == self.breaks:
            raise RuntimeError("stopped")
        (self.notes / record.id).touch()
        if number in self.unreadable:
            raise ValueError(f"{record.id} is damaged")
        image = torch.rand(1, SIZE, SIZE + 2, generator=torch.Generator().manual_seed(number))
        return Sample(record, image, {"lungs": image > 0.5} if number % 2 else {})

    @property
    def asked(self) -> set[int]:
        return {int(path.name[1:]) for path in self.notes.iterdir()}


def expected(dataset: Images, number: int) -> np.ndarray:
    sample = preprocess(Images.load(dataset, dataset.records[number]), SIZE)
    lungs = sample.masks.get("lungs", torch.zeros(1, SIZE, SIZE)).float()
    return (torch.cat([sample.image, lungs]) * 255).round().byte().numpy()


def test_the_array_has_every_image_in_order_with_its_masks(tmp_path: Path) -> None:
    dataset = Images(tmp_path / "notes")
    records, images = cached_images(dataset, SIZE, tmp_path / "images.npy", masks=["lungs"])
    assert records == dataset.records and images.shape == (N, 2, SIZE, SIZE) and images.dtype == np.uint8
    assert all(np.array_equal(images[number], expected(dataset, number)) for number in range(N))


def test_images_that_cannot_be_read_are_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    out = (0, BLOCK + 3, N - 1)
    dataset = Images(tmp_path / "notes", unreadable=out)
    records, images = cached_images(dataset, SIZE, tmp_path / "images.npy")
    left = [number for number in range(N) if number not in out]
    assert [record.id for record in records] == [f"r{number}" for number in left]
    assert all(np.array_equal(image, expected(dataset, number)[:1]) for image, number in zip(images, left, strict=True))
    assert f"Skipped record r{N - 1}: r{N - 1} is damaged" in caplog.text


def test_a_run_that_was_stopped_redoes_no_finished_block(tmp_path: Path) -> None:
    stopped = Images(tmp_path / "first", unreadable=(3,), breaks=BLOCK + 1)
    with pytest.raises(RuntimeError, match="stopped"):
        cached_images(stopped, SIZE, tmp_path / "images.npy", workers=1)
    assert not (tmp_path / "images.npy").exists()
    again = Images(tmp_path / "second", unreadable=(3,))
    _, images = cached_images(again, SIZE, tmp_path / "images.npy", workers=1)
    _, whole = cached_images(Images(tmp_path / "third", unreadable=(3,)), SIZE, tmp_path / "whole.npy")
    assert np.array_equal(images, whole)
    assert set(range(BLOCK)) <= stopped.asked and not again.asked & set(range(BLOCK))


def test_a_cache_is_used_again_and_leaves_nothing_else_behind(tmp_path: Path) -> None:
    cached_images(Images(tmp_path / "first", unreadable=(3,)), SIZE, tmp_path / "cache/images.npy")
    again = Images(tmp_path / "second")
    assert len(cached_images(again, SIZE, tmp_path / "cache/images.npy")[0]) == N - 1
    assert not again.asked
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {
        f"images.{end}" for end in ("npy", "ids", "lock", "sha256")
    }


@pytest.mark.parametrize("file", ["npy", "ids", "sha256"])
def test_a_cache_of_which_a_byte_was_changed_is_made_again(
    file: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cached_images(Images(tmp_path / "first"), SIZE, tmp_path / "images.npy")
    path = tmp_path / f"images.{file}"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:])
    again = Images(tmp_path / "second")
    records, images = cached_images(again, SIZE, tmp_path / "images.npy")
    assert "was changed since it was written, so it is made again" in caplog.text and len(again.asked) == N
    assert path.read_bytes() == whole and records == again.records
    assert np.array_equal(images[7], expected(again, 7)[:1])


def test_a_set_of_which_nothing_can_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"None of {N} records could be read; .*is damaged"):
        cached_images(Images(tmp_path / "notes", unreadable=tuple(range(N))), SIZE, tmp_path / "images.npy")


def test_a_worker_that_was_killed_is_told_of(tmp_path: Path) -> None:
    def killed(numbers: range) -> list[dict[str, object]]:
        os.kill(os.getpid(), signal.SIGKILL)
        return []

    with pytest.raises(ChildProcessError, match="fewer workers"):
        work_in_blocks(killed, 4, tmp_path / "blocks", block=2, workers=1, what="work")
