"""Memory that runs out costs time, never images."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from radedit.harness.stress.memory import MemoryLimit

GPU = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


class Memory:
    """A maker of images that holds `most` of them at once, and notes which it was asked for."""

    def __init__(self, most: int, error: RuntimeError = GPU) -> None:
        self.most, self.error = most, error
        self.asked: list[tuple[int, int]] = []

    def __call__(self, which: slice) -> dict[str, Tensor]:
        self.asked.append((which.start, which.stop))
        if which.stop - which.start > self.most:
            raise self.error
        return {"edit": torch.arange(which.start, which.stop), "vae": -torch.arange(which.start, which.stop)}


@pytest.mark.parametrize("total", [1, 5, 8])
@pytest.mark.parametrize("most", [1, 2, 3, 8])
def test_every_image_is_made_once_in_its_order(most: int, total: int) -> None:
    made = MemoryLimit(8).make(Memory(most), total)
    assert made["edit"].tolist() == list(range(total)) and made["vae"].tolist() == [-i for i in range(total)]


def test_part_that_is_made_is_not_made_again() -> None:
    memory = Memory(4)

    def part(which: slice) -> dict[str, Tensor]:
        memory.most = 4 if which.start < 4 else 2  # as if something else took memory meanwhile
        return memory(which)

    MemoryLimit(8).make(part, 8)
    assert memory.asked == [(0, 8), (0, 4), (4, 8), (4, 6), (6, 8)]


def test_next_block_starts_with_what_memory_held() -> None:
    at_once, memory = MemoryLimit(8), Memory(2)
    at_once.make(memory, 8)
    memory.asked.clear()
    at_once.make(memory, 4)
    assert memory.asked == [(0, 2), (2, 4)] and at_once.n == 2


@pytest.mark.parametrize("size", [2**60, 2**50])
def test_what_torch_says_on_a_cpu_is_understood(size: int) -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(size, dtype=torch.uint8)
    assert MemoryLimit(2).make(Memory(1, raised.value), 2)["edit"].tolist() == [0, 1]


def test_one_image_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        MemoryLimit(8).make(Memory(0), 8)


def test_other_errors_are_not_taken_for_it() -> None:
    memory = Memory(1, RuntimeError("The size of tensor a (3) must match the size of tensor b (4)."))
    with pytest.raises(RuntimeError, match="must match"):
        MemoryLimit(8).make(memory, 8)
    assert memory.asked == [(0, 8)]
