"""Averaged weights follow the trained ones, faster at first."""

from __future__ import annotations

import lightning as L
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from radedit.training.averaging import WarmEMA


class Walk(L.LightningModule):
    """One weight that is pulled towards another number at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return (self.weight - batch[0]).square().sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.3)


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.999])
def test_the_decay_rises_to_its_final_value(decay: float) -> None:
    walk, targets = Walk(), [float(i % 7) for i in range(12)]
    trainer = L.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[WarmEMA(decay)],
    )  # fmt: skip
    trainer.fit(walk, DataLoader(TensorDataset(torch.tensor(targets, dtype=torch.float64))))

    weight, visited = 0.0, []
    for target in targets:
        weight += 0.3 * 2 * (target - weight)
        visited.append(weight)
    average = visited[0]
    for n, weight in enumerate(visited[1:], start=1):
        now = min(decay, (1 + n) / (10 + n))
        average = now * average + (1 - now) * weight
    assert walk.weight.item() == pytest.approx(average)
