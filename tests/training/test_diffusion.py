"""Only the U-Net is trained; what belongs to it stays outside of optimiser, average and checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from radedit.models.bundle.bundle import Bundle, hash_folder
from radedit.training.diffusion import DiffusionTraining

Make = Callable[..., DiffusionTraining]


def test_only_the_unet_is_a_submodule(module: DiffusionTraining) -> None:
    assert [name for name, _ in module.named_children()] == ["unet"]
    assert {name.split(".")[0] for name in module.state_dict()} == {"unet"}  # of which checkpoints are made


def test_only_the_unet_is_averaged(module: DiffusionTraining) -> None:
    averaged = {name for name, _ in AveragedModel(module).module.named_parameters()}
    assert averaged == {f"unet.{name}" for name, _ in module.unet.named_parameters()}


def test_only_the_unet_is_optimised(module: DiffusionTraining) -> None:
    groups = module.configure_optimizers()["optimizer"].param_groups
    assert {id(p) for group in groups for p in group["params"]} == {id(p) for p in module.unet.parameters()}
    assert all(parameter.requires_grad for parameter in module.unet.parameters())


def test_the_frozen_parts_get_no_gradient(make: Make, batch: dict[str, Any]) -> None:
    module = make()
    module.loss(module.draw(batch, 0, 0, dropout=0.5)).backward()
    assert all(parameter.grad is not None for parameter in module.unet.parameters())
    assert module.frozen.vae is not None
    assert module.frozen.text_encoder is not None
    frozen = (*module.frozen.vae.parameters(), *module.frozen.text_encoder.parameters())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in frozen)


def test_unet_and_scheduler_are_exported_and_nothing_else(make: Make, tmp_path: Path) -> None:
    module = make()
    module.export(None, tmp_path)  # type: ignore[arg-type]  # it needs no data
    assert {path.name for path in tmp_path.iterdir()} == {"unet", "scheduler"}
    bundle = Bundle.load(tmp_path)
    assert bundle.schedule(5).timesteps.tolist() == [-1, 199, 399, 599, 799, 999]


@pytest.mark.parametrize("part", ["vae", "text_encoder", "tokenizer"])
def test_a_bundle_without_a_frozen_part_is_refused(make: Make, tiny_bundle: Path, tmp_path: Path, part: str) -> None:
    for other in {"vae", "text_encoder", "tokenizer"} - {part}:
        (tmp_path / other).symlink_to(tiny_bundle / other)
    with pytest.raises(ValueError, match=f"lacks {part};"):
        make(tmp_path)


def test_samples_are_images_and_the_same_every_time(module: DiffusionTraining) -> None:
    state = torch.get_rng_state()
    images = module.sample(n=1)
    assert images.shape == (2, 1, 32, 32)
    assert images.min() >= 0
    assert images.max() <= 1
    assert torch.equal(module.sample(n=1), images)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_encoder_that_makes_the_latents_is_the_bundles(module: DiffusionTraining, tiny_bundle: Path) -> None:
    used: list[Any] = []
    module.prepare(SimpleNamespace(use=lambda *arguments: used.extend(arguments)))  # type: ignore[arg-type]
    encode, encoder_hash, draw = used
    assert draw is module.draw
    images = torch.rand(2, 1, 32, 32)
    assert torch.equal(encode(images), Bundle.load(tiny_bundle).encode(images))
    assert encoder_hash == hash_folder(tiny_bundle / "vae")
