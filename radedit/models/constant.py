"""Predictors that never look at the image: what any measure gives for them is known beforehand."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from radedit.models.predictors import Prediction


class ConstantClassifier:
    """Says the same of every image.

    Args:
        label: The finding that it predicts.
        probability: What it says, 0…1.
        size: Side of its images, px.
    """

    def __init__(self, label: str, probability: float, *, size: int) -> None:
        self.label, self.masks, self.size = label, (), size
        self.probability = probability

    @property
    def hash(self) -> str:
        """Names the prediction."""
        return hashlib.sha256(f"{self.label} {self.probability}".encode()).hexdigest()

    def predict(self, images: Tensor) -> Prediction:
        """The same for all, shape (B,)."""
        return Prediction(torch.full((len(images),), float(self.probability)), None)


class ConstantSegmenter:
    """Draws the same masks on every image.

    Args:
        masks: Name → mask, bool, shape (size, size).
    """

    def __init__(self, masks: dict[str, Tensor]) -> None:
        self.label, self.masks = None, tuple(masks)
        self.drawn = torch.stack([mask.float() for mask in masks.values()])
        self.size = self.drawn.shape[-1]

    @property
    def hash(self) -> str:
        """Names the masks."""
        return hashlib.sha256(repr(self.masks).encode() + self.drawn.byte().numpy().tobytes()).hexdigest()

    def predict(self, images: Tensor) -> Prediction:
        """The same for all, shape (B, K, size, size)."""
        return Prediction(None, self.drawn.expand(len(images), -1, -1, -1))
