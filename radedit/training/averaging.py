"""Exponential moving average of weights with a warm-up, so that short trainings forget where they began."""

from __future__ import annotations

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


class WarmEMA(WeightAveraging):
    """Lightning's weight averaging with decay min(`decay`, (1 + n) / (10 + n)) after n updates.

    The average lies where the weights do, and is updated without the processor waiting for the GPU.

    Args:
        decay: In the long run (App. A: 0.999). The warm-up is our choice.
    """

    def __init__(self, decay: float = 0.999) -> None:
        def average(averaged: list[Tensor], current: list[Tensor], _: Tensor | int) -> None:
            assert self._average_model is not None
            n = int(self._average_model.n_averaged)  # what is handed in lies on the GPU by now
            torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + n) / (10 + n)))

        super().__init__(multi_avg_fn=average)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Make the average. The weights themselves are only on their way to the device by now."""
        self._device = trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None:
            # It is read at every step, which would wait for a GPU to finish the step before.
            self._average_model.n_averaged = self._average_model.n_averaged.cpu()

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the averaged weights in the module, even if all steps were done before and no training ends."""
        self.on_train_end(trainer, pl_module)
