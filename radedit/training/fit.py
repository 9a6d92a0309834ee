"""Fitting a module so that the same command goes on where it stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule, LightningModule, Trainer
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.callbacks import Callback

from radedit.training.checkpoint import BestPoint, ResumePoint, WholeCheckpoints, check_whole

logger = logging.getLogger(__name__)


def fit(
    module: LightningModule,
    data: LightningDataModule,
    new_trainer: Callable[..., Trainer],
    folder: Path,
    *,
    monitor: str | None,
    ckpt_every: int,
    callbacks: Sequence[Callback],
    hyperparameters: Mapping[str, Any],
) -> Trainer:
    """Train from the beginning or from the last checkpoint, and leave the module with the weights that count.

    Args:
        module: What is trained.
        data: What it learns from.
        new_trainer: Makes the trainer, given `callbacks` and `plugins`.
        folder: Checkpoints go to `<folder>/checkpoints` and the best point to `<folder>/best`.
        monitor: Metric whose best step counts; the last one where None.
        ckpt_every: Steps between checkpoints.
        callbacks: Further ones.
        hyperparameters: What loggers record of the run.

    Returns:
        The trainer; its loggers are still open.

    Raises:
        KeyboardInterrupt: If Ctrl-C was pressed.
        ChildProcessError: If a process that loads batches died.
    """
    last = folder / "checkpoints" / "last.ckpt"
    if last.exists():
        check_whole(last)
        logger.info("Going on from %s", last)
    prepare: Any = getattr(module, "prepare", None)
    if prepare is not None:
        prepare(data)
    best = BestPoint(folder / "best", monitor) if monitor else None
    kept: list[Callback] = [*([best] if best else []), ResumePoint(last, ckpt_every)]
    trainer = new_trainer(callbacks=[*callbacks, *kept], plugins=[WholeCheckpoints()])
    no_requeue(trainer)
    for run_logger in trainer.loggers:
        run_logger.log_hyperparams(dict(hyperparameters))
    with _ctrl_c_is_one(), _dead_loader_is_told():
        trainer.fit(module, data, ckpt_path=str(last) if last.exists() else None, weights_only=True)
    if best and best.best_model_path:
        check_whole(Path(best.best_model_path))
        module.load_state_dict(torch.load(best.best_model_path, weights_only=True, map_location="cpu")["state_dict"])
    return trainer


@contextmanager
def _ctrl_c_is_one() -> Iterator[None]:
    """Lightning makes an exit with code 1 of it."""
    try:
        yield
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from end
        raise


def no_requeue(trainer: Trainer) -> None:
    """Under SLURM, leave SIGUSR1 alone: Lightning would save in the middle of a step, and to where no run goes on from.

    `sbatch --requeue` starts the same command again, which goes on from the last checkpoint.
    """
    environment = getattr(trainer.strategy, "cluster_environment", None)
    if isinstance(environment, SLURMEnvironment):
        environment.auto_requeue = False


@contextmanager
def _dead_loader_is_told() -> Iterator[None]:
    """torch has no exception of its own for it."""
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise ChildProcessError(
            "A process that loads batches was killed, perhaps for want of memory. The last checkpoint is kept: the "
            "same command goes on from there. Fewer data.loaders, or smaller batches, take less memory."
        ) from error
