"""A generator that is broken on purpose differs in its decoder only, and is never taken for the whole one."""

from __future__ import annotations

from pathlib import Path

import torch

from radedit.harness.broken import blurred
from radedit.models.bundle import Bundle


def test_decoder_blurs_and_all_else_is_as_it_was(tiny_bundle: Path) -> None:
    whole, broken = Bundle.load(tiny_bundle), blurred(tiny_bundle, sigma_px=2.0)
    films = torch.rand(2, 1, whole.size, whole.size, generator=torch.Generator().manual_seed(0))
    latents = whole.encode(films)
    assert torch.equal(broken.encode(films), latents)

    def roughness(x: torch.Tensor) -> float:
        return float(x.diff(dim=-1).abs().mean())

    assert roughness(broken.decode(latents)) < 0.5 * roughness(whole.decode(latents))


def test_its_stress_sets_have_another_name(tiny_bundle: Path) -> None:
    hashes = {Bundle.load(tiny_bundle).hash} | {blurred(tiny_bundle, sigma_px=s).hash for s in (1.0, 2.0)}
    assert len(hashes) == 3
