"""A toy on which every identity of the algorithms must hold: float64, a few pixels, a network that mixes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from radedit.editing.noise import record_randn
from radedit.schedule import Schedule
from radedit.types import EditMasks, NoisePredictor, Randn


@dataclass(frozen=True)
class Toy:
    """A batch to edit, and what an editor needs for it."""

    schedule: Schedule
    x_0: Tensor
    c_inv: Tensor
    c: Tensor
    m: Tensor
    ids: Sequence[str]

    def f_theta(self, x_t: Tensor, t: int | Tensor, c: Tensor | None) -> Tensor:
        """Not linear, not local, different for each step, and each row by itself."""
        step = torch.as_tensor(t).expand(len(x_t)).to(x_t).view(-1, 1, 1, 1)
        neighbours = 0.5 * x_t.roll(1, -1) + 0.25 * x_t.roll(1, -2)
        prompt = 0 if c is None else c.mean((1, 2)).view(-1, 1, 1, 1)
        return torch.tanh(x_t + neighbours + prompt) * (0.5 + 0.5 * step / self.schedule.T)

    @property
    def case(self) -> tuple[NoisePredictor, Tensor, Tensor, Tensor]:
        """The first four arguments of an editor."""
        return self.f_theta, self.x_0, self.c_inv, self.c

    def randn(self, seed: int) -> Randn:
        return record_randn(seed, self.ids)

    @property
    def masks(self) -> EditMasks:
        """Some pixels to edit, some of the others to keep, and a remainder."""
        keep = (1 - self.m).clone()
        keep[..., ::2] = 0
        return EditMasks(self.m, keep)

    def rows(self, index: list[int]) -> Toy:
        """The same images in another batch."""
        x_0, c_inv, c, m = (tensor[index] for tensor in (self.x_0, self.c_inv, self.c, self.m))
        return Toy(self.schedule, x_0, c_inv, c, m, [self.ids[i] for i in index])


def make(batch: int = 3, channels: int = 2, height: int = 4, width: int = 6, T: int = 6, seed: int = 0) -> Toy:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    return Toy(
        schedule=Schedule.linear(T),
        x_0=draw(batch, channels, height, width),
        c_inv=draw(batch, 5, 7),
        c=draw(batch, 5, 7),
        m=(draw(batch, 1, height, width) > 0).double(),
        ids=[f"record-{seed}-{i}" for i in range(batch)],
    )


@pytest.fixture(scope="session")
def toy() -> Toy:
    return make()


@pytest.fixture(scope="session")
def make_toy() -> Callable[..., Toy]:
    """Toys of other sizes: batch, channels, height, width, T, seed."""
    return make


class Counted:
    """A noise predictor that notes what it is called with."""

    def __init__(self, f_theta: NoisePredictor) -> None:
        self.f_theta = f_theta
        self.calls: list[tuple[int, Any, bool]] = []  # rows, t, whether there was a prompt

    def __call__(self, x_t: Tensor, t: int | Tensor, c: Tensor | None) -> Tensor:
        self.calls.append((len(x_t), t, c is not None))
        return self.f_theta(x_t, t, c)


@pytest.fixture(scope="session")
def counted() -> type[Counted]:
    return Counted
