"""Exponential moving average of weights with a warm-up, so that short trainings forget where they began."""

from __future__ import annotations

from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging


class WarmEMA(WeightAveraging):
    """Lightning's weight averaging with decay min(`decay`, (1 + n) / (10 + n)) after n updates.

    The average lies where the weights do, and is updated without the processor waiting for the GPU.

    Args:
        decay: In the long run (App. A: 0.999). The warm-up is our choice.
    """

    def __init__(self, decay: float = 0.999) -> None:
        super().__init__()
        self.decay = decay

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Make the average. The weights themselves are only on their way to the device by now."""
        self._device = trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None:
            # It is read at every step, which would wait for a GPU to finish the step before.
            self._average_model.n_averaged = self._average_model.n_averaged.cpu()

    @torch.no_grad()
    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Move the average. Torch's own way asks the GPU for the number of updates."""
        assert self._average_model is not None
        if trainer.global_step == self._latest_update_step:  # gradients are being accumulated
            return
        n, averaged = int(self._average_model.n_averaged), self._average_model.module
        now = min(self.decay, (1 + n) / (10 + n)) if n else 0.0
        torch._foreach_lerp_(list(averaged.parameters()), list(pl_module.parameters()), 1 - now)
        for kept, buffer in zip(averaged.buffers(), pl_module.buffers(), strict=True):
            kept.copy_(buffer)
        self._average_model.n_averaged += 1
        self._latest_update_step = trainer.global_step

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the averaged weights in the module, even if all steps were done before and no training ends."""
        self.on_train_end(trainer, pl_module)
