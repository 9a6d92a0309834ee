"""Training the VAE: what counts as an error, how the rate goes, and the scale of what comes out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from radedit.models.bundle.bundle import Bundle
from radedit.training.autoencoder import AutoencoderTraining, measure_scale, reconstruction_errors, warmup_cosine


def images(n: int = 5) -> Tensor:
    return torch.rand((n, 1, 32, 32), generator=torch.Generator().manual_seed(0))


def rates(warmup: int, steps: int, floor: float, n: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = warmup_cosine(optimizer, warmup, steps, floor)
    found = []
    for _ in range(n):
        found.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return found


def test_a_perfect_reconstruction_has_no_error() -> None:
    assert [float(error) for error in reconstruction_errors(images(), images())] == [0, 0]


def test_a_brighter_image_has_wrong_grey_levels_and_right_edges() -> None:
    pixels, edges = reconstruction_errors(images() + 0.25, images())
    assert float(pixels) == pytest.approx(0.25)
    assert float(edges) == pytest.approx(0, abs=1e-6)


def test_a_colour_is_read_as_its_mean() -> None:
    colours = torch.cat([images() - 0.1, images(), images() + 0.1], dim=1)
    assert float(reconstruction_errors(colours, images())[0]) == pytest.approx(0, abs=1e-6)


@given(st.integers(0, 5), st.integers(6, 30), st.floats(0, 1))
def test_the_rate_rises_then_falls_to_its_floor(warmup: int, steps: int, floor: float) -> None:
    found = rates(warmup, steps, floor, steps + 3)
    assert found[:warmup] == pytest.approx([(i + 1) / warmup for i in range(warmup)])
    assert found[warmup] == pytest.approx(1)
    assert found[steps:] == pytest.approx([floor] * 3)
    assert all(a >= b - 1e-6 for a, b in zip(found[warmup:], found[warmup + 1 :], strict=False))


def test_the_scale_gives_latents_unit_variance(tiny_bundle: Path) -> None:
    bundle = Bundle.load(tiny_bundle)
    assert bundle.vae is not None
    scale = measure_scale(bundle.vae, images(20))  # more than are encoded at a time
    bundle.vae.register_to_config(scaling_factor=scale)
    assert float(bundle.encode(images(20)).std()) == pytest.approx(1, rel=1e-4)


def test_the_exported_vae_knows_its_scale(tiny_bundle: Path, tmp_path: Path) -> None:
    vae = Bundle.load(tiny_bundle).vae
    assert vae is not None
    stored = (images() * 255).round().byte().numpy()
    data: Any = SimpleNamespace(images={"train": SimpleNamespace(images=stored)})
    AutoencoderTraining(vae).export(data, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"vae"}
    latents = Bundle.load(tmp_path).encode(torch.from_numpy(stored).float() / 255)
    assert float(latents.std()) == pytest.approx(1, rel=1e-2)  # half precision


def test_crops_are_drawn_from_the_step_until_the_last_steps_see_whole_images(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vae = Bundle.load(tiny_bundle).vae
    assert vae is not None
    monkeypatch.setattr(AutoencoderTraining, "trainer", SimpleNamespace(max_steps=10))
    monkeypatch.setattr(AutoencoderTraining, "global_rank", 0)

    def cropped(step: int, seed: int = 0) -> Tensor:
        monkeypatch.setattr(AutoencoderTraining, "global_step", step)
        return AutoencoderTraining(vae, crop=16, full_steps=2, seed=seed)._cropped(images())

    assert cropped(0).shape == cropped(7).shape == (5, 1, 16, 16)
    assert cropped(8).shape == (5, 1, 32, 32)
    assert torch.equal(cropped(3), cropped(3))
    assert not torch.equal(cropped(3), cropped(4))
    assert not torch.equal(cropped(3), cropped(3, seed=1))
