"""How far a generator's samples are from images that were taken: the kernel inception distance, with its uncertainty.

Its usual features are those of an ImageNet network, which has to be downloaded and has never seen a radiograph. Ours
are those of the bundle's own image encoder, the one that scores edits, so that values of two bundles with different
encoders can't be compared, nor ours with published ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.image.kid import KernelInceptionDistance

from radedit.models.bundle.bundle import Bundle

SUBSETS = 100  # the standard deviation over so many subsets is the uncertainty


class Embedding(nn.Module):
    """The image encoder of a bundle, for images in [0, 1], shape (B, 1, H, W)."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__()
        self.bundle = bundle

    def forward(self, images: Tensor) -> Tensor:
        return self.bundle.embed_image(images.to(self.bundle.device)).cpu()


def kernel_distance(bundle: Bundle, real: Tensor, made: Tensor, *, batch: int = 16, seed: int = 0) -> dict[str, Any]:
    """KID between two sets of images (Bińkowski et al. 2018), by the features of a bundle's image encoder.

    Args:
        bundle: Whose image encoder.
        real: Images that were taken, shape (n, 1, H, W), in [0, 1].
        made: Images to be compared with them, likewise.
        batch: Images at a time.
        seed: Of the subsets.

    Returns:
        `value` and `deviation`, the mean and standard deviation over subsets of half of the smaller set's images;
        `n_real` and `n_made`.

    Raises:
        ValueError: If a set has fewer than four images.
    """
    fewest = min(len(real), len(made))
    if fewest < 4:
        raise ValueError(f"There are {len(real)} and {len(made)} images to compare. At least four of each are needed.")
    distance = KernelInceptionDistance(Embedding(bundle), subsets=SUBSETS, subset_size=fewest // 2)
    for images, is_real in ((real, True), (made, False)):
        for part in images.split(batch):
            distance.update(part, real=is_real)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        value, deviation = distance.compute()
    return {"value": float(value), "deviation": float(deviation), "n_real": len(real), "n_made": len(made)}


def halves(images: Sequence[Tensor], patients: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Images of every other patient, and of the rest: what a perfect generator's distance would be."""
    order = {patient: position for position, patient in enumerate(sorted(set(patients)))}
    one, other = (
        [image for image, patient in zip(images, patients, strict=True) if order[patient] % 2 == which]
        for which in (0, 1)
    )
    return torch.stack(one), torch.stack(other)
