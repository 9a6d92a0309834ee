"""Train any part: `python -m radedit.train +experiment=…`; the same command goes on where it stopped."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from radedit.app.command import entry_point
from radedit.app.configuration import CONF, arguments_as, close_logger


@entry_point("train", needs="experiment")
def run(config: DictConfig) -> None:
    """Train, then export what was trained."""
    import torch
    from lightning.pytorch.utilities import rank_zero_only

    from radedit.data.io.atomic import remove_leftovers
    from radedit.data.io.file_lock import FileLock

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
    import torch

    from radedit.app.loggers import open_logger
    from radedit.app.trained_predictors import note_recipe, recipe
    from radedit.training.fit import fit
    from radedit.training.step_progress import StepProgress

    torch.manual_seed(config.seed)  # the first weights; whatever is drawn later has a generator of its own
    _adopt(config.adopt, Path(config.bundle))
    named = recipe(config)
    data, module = instantiate(config.data, _convert_="all"), instantiate(config.module, _convert_="all")
    callbacks = instantiate(config.callbacks)
    if config.trainer.enable_progress_bar:
        callbacks = [*callbacks, StepProgress(config.trainer.log_every_n_steps)]
    run_logger = open_logger(config.logger)
    try:
        trainer = fit(
            module,
            data,
            partial(instantiate, config.trainer, enable_progress_bar=False, logger=run_logger or False),
            folder,
            monitor=config.monitor,
            ckpt_every=config.ckpt_every,
            callbacks=callbacks,
            hyperparameters=OmegaConf.to_container(config, resolve=True),  # type: ignore[arg-type]
        )
        if trainer.is_global_zero:
            module.export(data, Path(config.bundle))
            note_recipe(Path(config.bundle), named)
    finally:
        close_logger([run_logger])


def _adopt(config: DictConfig, bundle: Path) -> None:
    """Take parts of another bundle; one rank does, of those that torchrun or SLURM started at once."""
    import torch

    from radedit.data.io.file_lock import FileLock
    from radedit.models.bundle.bundle import adopt, lacking

    if not (config.folder or config.generator):
        return
    bundle.mkdir(parents=True, exist_ok=True)
    with FileLock(bundle / ".lock", wait=True):
        if config.folder:
            adopt(Path(config.folder), bundle, config.parts)
        elif absent := lacking(bundle, config.parts):
            instantiate(config.generator).save(bundle, dtype=torch.float32, parts=absent)


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
