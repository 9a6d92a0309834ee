"""Train any part: `python -m radedit.train +experiment=…`; the same command goes on where it stopped."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from hydra.utils import instantiate
from lightning import Trainer
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.callbacks import Callback, TQDMProgressBar
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from radedit.configuration import CONF, arguments_as, close_logger, entry_point, name_missing_choice
from radedit.data.atomic import remove_leftovers
from radedit.data.file_lock import FileLock
from radedit.models.bundle import adopt, lacking
from radedit.trained import note_recipe, recipe
from radedit.training.checkpoint import BestPoint, ResumePoint, WholeCheckpoints, check_whole

logger = logging.getLogger(__name__)


@entry_point("train")
def run(config: DictConfig) -> None:
    """Train, then export what was trained."""
    name_missing_choice(config, "experiment", key="module")
    if config.threads:
        torch.set_num_threads(config.threads)
    folder = Path(config.folder)
    folder.mkdir(parents=True, exist_ok=True)
    rank = rank_zero_only.rank  # type: ignore[attr-defined]
    with FileLock(folder / ".lock") if rank == 0 else nullcontext():
        if rank == 0:
            remove_leftovers(folder)
        _train(config, folder)


def _train(config: DictConfig, folder: Path) -> None:
    """Begin, or go on from the last checkpoint."""
    torch.manual_seed(config.seed)  # the first weights; whatever is drawn later has a generator of its own
    _adopt(config.adopt, Path(config.bundle))
    named = recipe(config)
    last = folder / "checkpoints" / "last.ckpt"
    if last.exists():
        check_whole(last)
        logger.info("Going on from %s", last)
    data, module = instantiate(config.data, _convert_="all"), instantiate(config.module, _convert_="all")
    if hasattr(module, "prepare"):
        module.prepare(data)
    best = BestPoint(folder / "best", config.monitor) if config.monitor else None
    kept: list[Callback] = [*([best] if best else []), ResumePoint(last, config.ckpt_every)]
    callbacks = [*instantiate(config.callbacks), *kept]
    if config.trainer.enable_progress_bar:  # it shows the loss, for which a GPU is waited for
        callbacks.append(TQDMProgressBar(refresh_rate=config.trainer.log_every_n_steps))
    trainer: Trainer = instantiate(
        config.trainer, callbacks=callbacks, logger=instantiate(config.logger), plugins=[WholeCheckpoints()]
    )
    _no_requeue(trainer)
    try:
        for run_logger in trainer.loggers:
            run_logger.log_hyperparams(OmegaConf.to_container(config, resolve=True))  # type: ignore[arg-type]
        with _ctrl_c_is_one(), _dead_loader_is_told():
            trainer.fit(module, data, ckpt_path=str(last) if last.exists() else None, weights_only=True)
        if best and best.best_model_path:
            module.load_state_dict(
                torch.load(best.best_model_path, weights_only=True, map_location="cpu")["state_dict"]
            )
        if trainer.is_global_zero:
            module.export(data, Path(config.bundle))
            note_recipe(Path(config.bundle), named)
    finally:
        close_logger(trainer.loggers)


def _adopt(config: DictConfig, bundle: Path) -> None:
    """Take parts of another bundle; one rank does, of those that torchrun or SLURM started at once."""
    if not (config.folder or config.generator):
        return
    bundle.mkdir(parents=True, exist_ok=True)
    with FileLock(bundle / ".lock", wait=True):
        if config.folder:
            adopt(Path(config.folder), bundle, config.parts)
        elif absent := lacking(bundle, config.parts):
            instantiate(config.generator).save(bundle, dtype=torch.float32, parts=absent)


@contextmanager
def _ctrl_c_is_one() -> Iterator[None]:
    """Lightning makes an exit with code 1 of it."""
    try:
        yield
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from end
        raise


def _no_requeue(trainer: Trainer) -> None:
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


def in_setting(arguments: Sequence[str]) -> list[str]:
    """Arguments in which `setting=` chose the experiment: with `setting=paper`, `+experiment=diffusion` is the paper's.

    Hydra can't do this by itself: what an experiment is made of can't depend on another choice.

    Raises:
        SystemExit: If the setting has no such experiment.
    """
    given = dict(argument.partition("=")[::2] for argument in arguments)
    setting, experiment = given.get("setting", "phantom"), given.get("+experiment", "")
    rest = [argument for argument in arguments if not argument.startswith("setting=")]
    if setting == "phantom" or not experiment:
        return rest
    choices = sorted(path.stem for path in (CONF / "experiment" / setting).glob("*.yaml"))
    if experiment not in choices:
        raise SystemExit(
            f"Setting {setting!r} has no experiment {experiment!r}. "
            + (f"It has: {', '.join(choices)}." if choices else "Settings with experiments: phantom, open, paper.")
        )
    return [f"+experiment={setting}/{experiment}" if a.startswith("+experiment=") else a for a in rest]


def main() -> None:
    """Any experiment, in any setting that has it."""
    with arguments_as(in_setting(sys.argv[1:])):
        run()


if __name__ == "__main__":
    main()
