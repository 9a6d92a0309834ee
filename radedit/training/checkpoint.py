"""The checkpoints of a training: the best so far, and the one from which the same command goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from torch import Tensor


class BestPoint(ModelCheckpoint):
    """Keeps the step whose metric is the largest; of equals the last.

    An AUROC of 1 is soon reached where a shortcut gives the answer away, long before probabilities are calibrated: the
    first such step would be a chance find.

    Args:
        folder: Where it is kept.
        monitor: Name of the metric.
    """

    def __init__(self, folder: Path, monitor: str) -> None:
        super().__init__(folder, monitor=monitor, mode="max", save_top_k=1)

    def check_monitor_top_k(self, trainer: Trainer, current: Tensor | None = None) -> bool:
        better = super().check_monitor_top_k(trainer, current)
        return better or (current is not None and bool(current == self.best_model_score))


class ResumePoint(Checkpoint):
    """Keeps one checkpoint, of the last step that is a multiple of `every`.

    Where a validation follows that step, it is written once more: else a resumed training would not know that this
    step was the best so far. So this goes behind the callback that keeps the best one.

    Args:
        path: Where it is kept.
        every: Steps.
    """

    def __init__(self, path: Path, every: int) -> None:
        self.path, self.every = path, every

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self._save(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        if trainer.global_step % self.every == 0:
            trainer.save_checkpoint(self.path)
