"""What `radedit.train` makes of its arguments."""

from __future__ import annotations

import pytest
from lightning import Trainer
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

from radedit.train import in_setting
from radedit.training.fit import no_requeue


def test_a_setting_chooses_its_own_experiment() -> None:
    assert in_setting(["setting=open", "+experiment=diffusion", "seed=1"]) == ["+experiment=open/diffusion", "seed=1"]


def test_phantoms_are_the_setting_that_need_not_be_named() -> None:
    assert in_setting(["+experiment=diffusion"]) == ["+experiment=diffusion"]
    assert in_setting(["+experiment=diffusion", "setting=phantom"]) == ["+experiment=diffusion"]


def test_an_experiment_that_a_setting_lacks_is_refused_with_those_it_has() -> None:
    with pytest.raises(SystemExit, match="'open' has no experiment 'joint'. It has: autoencoder, .*diffusion"):
        in_setting(["setting=open", "+experiment=joint"])
    with pytest.raises(SystemExit, match="'moon' has no experiment 'joint'. Settings with experiments: phantom"):
        in_setting(["setting=moon", "+experiment=joint"])


def test_slurm_does_not_make_lightning_save_in_the_middle_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NODEID", "LOCALID", "PROCID"):
        monkeypatch.setenv(f"SLURM_{name}", "0")
    monkeypatch.setenv("SLURM_NTASKS", "1")
    trainer = Trainer(
        accelerator="cpu", strategy="ddp", plugins=[SLURMEnvironment()], logger=False, enable_checkpointing=False
    )
    assert trainer.strategy.cluster_environment.auto_requeue  # type: ignore[attr-defined]
    no_requeue(trainer)
    assert not trainer.strategy.cluster_environment.auto_requeue  # type: ignore[attr-defined]
    no_requeue(Trainer(accelerator="cpu", logger=False, enable_checkpointing=False))  # none is no mistake
