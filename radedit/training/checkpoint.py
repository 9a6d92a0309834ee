"""The checkpoints of a training: the best so far, and the one from which the same command goes on."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import Tensor

from radedit.data.io.atomic import whole_file
from radedit.data.io.interruption import Interruption


class WholeCheckpoints(TorchCheckpointIO):
    """Checkpoints that are whole or absent.

    Lightning's own are not: where the temporary folder is on another disk, it copies them to their place.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()  # torch hides from what it writes to a file that the disk is full
        torch.save(checkpoint, content)
        with whole_file(path) as temporary:
            temporary.write_bytes(content.getbuffer())


def check_whole(path: Path) -> None:
    """See that a checkpoint is as it was written: whole, and by the checksums that it has inside.

    Raises:
        ValueError: If it is not; nothing is deleted.
    """
    if not zipfile.is_zipfile(path):  # its table of contents comes last
        raise ValueError(
            f"The checkpoint {path} is cut off ({path.stat().st_size} bytes), so the training can't go on from it. "
            "Restore it from a copy, or delete it to train from the first step."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            wrong = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, NotImplementedError, ValueError) as error:
        wrong = str(error)
    if wrong is not None:
        raise ValueError(
            f"The checkpoint {path} was changed since it was written: {wrong} does not match its checksum. "
            "Restore it from a copy, or delete it to train from the first step."
        )


class BestPoint(ModelCheckpoint):
    """Keeps the step whose metric is the largest; of equals the last.

    An AUROC of 1 is soon reached where a shortcut gives the label away, long before probabilities are calibrated: the
    first such step would be a chance find.

    Args:
        folder: Where it is kept.
        monitor: Name of the metric.
    """

    def __init__(self, folder: Path, monitor: str) -> None:
        # A step that is done again after a kill replaces its file, rather than to be kept twice.
        super().__init__(folder, monitor=monitor, mode="max", save_top_k=1, enable_version_counter=False)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """A folder that was moved is the same folder: of the paths only the names count."""
        here = Path(str(self.dirpath))

        def moved(path: str) -> str:
            return path and str(here / Path(path).name)

        paths = {key: moved(state_dict[key]) for key in ("best_model_path", "kth_best_model_path", "last_model_path")}
        best = {moved(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict(state_dict | paths | {"dirpath": str(self.dirpath), "best_k_models": best})

    def check_monitor_top_k(self, trainer: Trainer, current: Tensor | None = None) -> bool:
        better = super().check_monitor_top_k(trainer, current)
        return better or (current is not None and bool(current == self.best_model_score))


class ResumePoint(Checkpoint):
    """Keeps one checkpoint, of the last step that is a multiple of `every`, or at which Ctrl-C ended the training.

    Where a validation follows that step, it is written behind it: else a resumed training would leave the validation
    out, and not know whether this step was the best so far. So this goes behind the callback that keeps the best one.

    Args:
        path: Where it is kept.
        every: Steps.
    """

    def __init__(self, path: Path, every: int) -> None:
        self.path, self.every, self.interruption = path, every, Interruption("step")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Of several ranks one might end a step before another, which would wait for it for ever.
        if trainer.world_size == 1:
            self.interruption.hold()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.interruption.release()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self.interruption.release()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        loop = trainer.fit_loop
        assert loop._data_fetcher is not None  # Lightning has no public way to ask whether a validation follows
        if not loop.epoch_loop._should_check_val_fx(loop._data_fetcher):
            self._save(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self._save(trainer, pl_module)

    def _save(self, trainer: Trainer, module: LightningModule) -> None:
        if trainer.global_step % self.every == 0 or self.interruption.asked:
            if not all(bool(weights.isfinite().all()) for weights in module.parameters()):
                raise ValueError(
                    f"The training has diverged: at step {trainer.global_step} there are weights that are not finite. "
                    f"{self.path} keeps an earlier step, if one was reached. Use a smaller learning rate, or float32."
                )
            trainer.save_checkpoint(self.path)
        self.interruption.check()
