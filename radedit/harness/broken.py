"""Generators that are broken on purpose: a test must say that it can't tell, not that the predictor is biased."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from radedit.data.fingerprint import content_hash
from radedit.models.bundle import Bundle


@dataclass
class BlurredBundle(Bundle):
    """A bundle whose decoder blurs.

    Attributes:
        sigma_px: Standard deviation of the blur, px.
    """

    sigma_px: float = 2.0

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Films of latents, blurred."""
        reach = int(3 * self.sigma_px + 0.5)
        return gaussian_blur(super().decode(latents), [2 * reach + 1, 2 * reach + 1], [self.sigma_px, self.sigma_px])


def blurred(folder: str | Path, *, sigma_px: float, device: str | torch.device = "cpu") -> BlurredBundle:
    """A bundle from its folder, with a decoder that blurs; its hash is another one."""
    bundle = BlurredBundle.load(folder, device=device)
    assert isinstance(bundle, BlurredBundle)
    bundle.sigma_px, bundle.hash = sigma_px, content_hash({"of": bundle.hash, "blur_px": sigma_px})
    return bundle
