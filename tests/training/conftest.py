"""Training of the tiny bundle's U-Net, and a batch for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from radedit.training.diffusion import DiffusionTraining

REPORTS = [
    "No acute cardiopulmonary process. The heart size is normal. No effusion.",
    "Large left pneumothorax. Chest tube in place.",
    "Opacities.",
    "Moderate pulmonary oedema. Is there an effusion? Clinical correlation!",
]


def make_training(tiny_bundle: Path, bundle: Path | None = None, **arguments: Any) -> DiffusionTraining:
    """A training of the tiny U-Net, with the other parts of `bundle` or of its own."""
    scheduler = DDIMScheduler(beta_schedule="linear", clip_sample=False, timestep_spacing="trailing")
    prompts = ("Large left pneumothorax.", "Opacities.")
    arguments = {"sample_prompts": prompts, "sample_steps": 2, **arguments}
    return DiffusionTraining(str(bundle or tiny_bundle), str(tiny_bundle / "unet"), scheduler, **arguments)


@pytest.fixture(scope="session")
def make(tiny_bundle: Path) -> Callable[..., DiffusionTraining]:
    """Trainings of the tiny U-Net."""
    return partial(make_training, tiny_bundle)


@pytest.fixture(scope="session")
def module(make: Callable[..., DiffusionTraining]) -> DiffusionTraining:
    """One of them. Not to be changed."""
    return make()


@pytest.fixture(scope="session")
def batch() -> dict[str, Any]:
    """Four latents with reports."""
    generator = torch.Generator().manual_seed(0)
    return {"latent": torch.randn(4, 4, 16, 16, generator=generator), "report": REPORTS}
