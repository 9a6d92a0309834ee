"""Exponential moving average of weights with a warm-up, so that short trainings forget where they began."""

from __future__ import annotations

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


class WarmEMA(WeightAveraging):
    """Lightning's weight averaging with decay min(`decay`, (1 + n) / (10 + n)) after n updates.

    Args:
        decay: In the long run (App. A: 0.999). The warm-up is our choice.
    """

    def __init__(self, decay: float = 0.999) -> None:
        def average(averaged: Tensor, current: Tensor, n: Tensor | int) -> Tensor:
            now = min(decay, (1 + float(n)) / (10 + float(n)))
            return averaged + (1 - now) * (current - averaged)

        super().__init__(avg_fn=average)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the averaged weights in the module, even if all steps were done before and no training ends."""
        self.on_train_end(trainer, pl_module)
