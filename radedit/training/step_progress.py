"""How far a training is."""

from __future__ import annotations

from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from radedit.data.io.progress import Progress


class StepProgress(Callback):
    """Counts the steps of a training, beside its loss.

    Args:
        every: Steps after which the loss is looked at, for which a GPU is waited for.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self.progress: Progress | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin with the steps that were done before."""
        if trainer.is_global_zero:
            self.progress = Progress(int(trainer.max_steps), "Training", "steps", done=trainer.global_step)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any) -> None:
        """Count in strides."""
        if self.progress is None or trainer.global_step % self.every:
            return
        if outputs is not None:
            self.progress.note(f", loss {float(outputs['loss']):.3g}")
        self.progress.add(trainer.global_step - self.progress.n)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take the bar away, also after Ctrl-C."""
        if self.progress is not None:
            self.progress.__exit__(None, None, None)
            self.progress = None
