"""Samples that are held are loaded once, and changed once."""

from __future__ import annotations

import torch
from torch import Tensor

from radedit.data.views.cached import CachedDataset, MemoryBudget
from radedit.types import Record, Sample


class Counts:
    """A data set that counts how often it is asked."""

    records = (Record("a", "p"), Record("b", "q"))

    def __init__(self) -> None:
        self.asked = 0

    def load(self, record: Record) -> Sample:
        self.asked += 1
        return Sample(record, torch.full((1, 2, 2), 0.5))


def test_samples_are_loaded_once() -> None:
    dataset = Counts()
    held = CachedDataset(dataset)
    assert [record.id for record in held.records] == ["a", "b"]
    for _ in range(3):
        for record in held.records:
            assert float(held.load(record).image.mean()) == 0.5
    assert dataset.asked == 2


def test_images_are_changed_given_their_record() -> None:
    def change(image: Tensor, record: Record) -> Tensor:
        return image + (record.id == "b") / 4

    held = CachedDataset(Counts(), change)
    assert [float(held.load(record).image.max()) for record in held.records] == [0.5, 0.75]


def test_equal_data_sets_share_a_place_on_the_shelf() -> None:
    first, second, other = Counts(), Counts(), Counts()
    first.fingerprint = second.fingerprint = "the same"  # type: ignore[attr-defined]
    memory_budget = MemoryBudget()
    for dataset in (first, second, other):
        for record in dataset.records:
            memory_budget.of(dataset).load(record)
    assert (first.asked, second.asked, other.asked) == (2, 0, 2)


def test_no_more_is_held_than_there_is_room_for() -> None:
    dataset = Counts()
    held = MemoryBudget(megabytes=20e-6).of(dataset)  # one image of 2 × 2 px takes 16 bytes
    for _ in range(3):
        for record in held.records:
            held.load(record)
    assert dataset.asked == 1 + 3
