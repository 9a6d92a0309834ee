"""Generators that are broken on purpose: a test must say that it can't tell, not that the predictor is biased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from radedit.data.io.fingerprint import content_hash
from radedit.models.bundle.bundle import Bundle

NORMAL = "No acute cardiopulmonary process."


@dataclass
class BlurredBundle(Bundle):
    """A bundle whose decoder blurs.

    Attributes:
        sigma_px: Standard deviation of the blur, px.
    """

    sigma_px: float = 2.0

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Images of latents, blurred."""
        reach = int(3 * self.sigma_px + 0.5)
        return gaussian_blur(super().decode(latents), [2 * reach + 1, 2 * reach + 1], [self.sigma_px, self.sigma_px])


@dataclass
class OppositeBundle(Bundle):
    """A bundle that understands the opposite of one prompt; the score reads every text as it is.

    Attributes:
        asked: The prompt.
        understood: The prompt that the network gets in its place.
    """

    asked: str = ""
    understood: str = ""

    def embed_prompts(self, prompts: Sequence[str]) -> Tensor:
        """Embeddings of prompts, the one that is asked being another's."""
        return super().embed_prompts([self.understood if prompt == self.asked else prompt for prompt in prompts])


def blurred(folder: str | Path, *, sigma_px: float, **loading: Any) -> BlurredBundle:
    """A bundle from its folder, with a decoder that blurs; its hash is another one."""
    bundle = BlurredBundle.load(folder, **loading)
    assert isinstance(bundle, BlurredBundle)
    bundle.sigma_px, bundle.hash = sigma_px, content_hash({"of": bundle.hash, "blur_px": sigma_px})
    return bundle


def opposite(folder: str | Path, *, asked: str, understood: str | None = None, **loading: Any) -> OppositeBundle:
    """A bundle from its folder whose network gets another prompt than was asked; its hash is another one.

    Args:
        folder: Of the bundle.
        asked: The prompt.
        understood: The prompt in its place; that of a normal image where None.
        loading: As of `Bundle.load`.
    """
    understood = NORMAL if understood is None else understood
    bundle = OppositeBundle.load(folder, **loading)
    assert isinstance(bundle, OppositeBundle)
    bundle.asked, bundle.understood = asked, understood
    bundle.hash = content_hash({"of": bundle.hash, "asked": asked, "understood": understood})
    return bundle
