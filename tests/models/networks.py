"""Small networks for tests of models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Net(nn.Module):
    """A small network of `channels` inputs and `classes` outputs."""

    def __init__(self, channels: int = 1, classes: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(),
            nn.Linear(128, classes),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.layers(images)
        return out


def seeded(build: Callable[[], Any]) -> Any:
    """A network in evaluation mode, whose weights and running statistics are no defaults."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build().eval()
        for name, value in network.named_buffers():
            if "running" in name:
                value.uniform_(0.5, 1.5)
        return network
