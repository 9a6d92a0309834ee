"""Augmentations of Appendices B and C, in torchvision's words, drawn from a key instead of global state."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2.functional import gaussian_blur, horizontal_flip

from radedit.data.batches.module import step_generator

Augmentation = Callable[[Any, Any], tuple[Tensor, Tensor]]
BILINEAR = v2.InterpolationMode.BILINEAR


def augment(images: Tensor, masks: Tensor, transform: Augmentation | None, *key: int) -> tuple[Tensor, Tensor]:
    """Transform every image of a batch differently, its masks with it.

    Args:
        images: Grey levels in [0, 1], shape (B, 1, H, W).
        masks: Shape (B, K, H, W), bool; K may be 0.
        transform: Takes and returns an image and its masks, and draws from torch's generator; None changes nothing.
        key: Names the draws, e.g. (seed, step, rank). The global generator is left as it was.

    Returns:
        Images and masks of the same shapes.
    """
    if transform is None:
        return images, masks
    with torch.random.fork_rng(devices=[images.device] if images.is_cuda else []):
        torch.manual_seed(step_generator(*key).initial_seed())
        if isinstance(transform, LightBatch):
            return transform(images, masks)
        pairs = [transform(tv_tensors.Image(x), tv_tensors.Mask(m)) for x, m in zip(images, masks, strict=True)]
    return torch.stack([x.as_subclass(Tensor) for x, _ in pairs]), torch.stack(
        [m.as_subclass(Tensor) for _, m in pairs]
    )


def appendix_b(size: int, flip: float = 0.5) -> v2.Compose:
    """For classifiers (App. B).

    Args:
        size: Side of the images, px.
        flip: Probability of a flip; 0 where labels or masks name a side, which flips swap.
    """
    return v2.Compose([
        *_shared(flip),
        v2.RandomResizedCrop(size, scale=(0.8, 1.0), ratio=(1.0, 1.0), interpolation=BILINEAR),
        v2.GaussianNoise(sigma=0.05),
    ])  # fmt: skip


def appendix_c(size: int, flip: float = 0.5, swap: Sequence[int] | None = None) -> v2.Compose:
    """For segmenters (App. C): as Appendix B, but a scale around 1, and elastic.

    Args:
        size: Side of the images, px.
        flip: Probability of a flip; 0 where labels name a side, which flips swap.
        swap: Order of the masks of a flipped image: [1, 0] where they are the right and the left of something. None
            where they name no side.

    Note:
        A crop can't be larger than its image, so the scale s ∼ U(0.9, 1.1) is read as a zoom. Albumentations' elastic
        transform has no "scale"; 0.15 is read as its strength α, as a share of the image's side. There, uniform noise
        in [−1, 1], blurred by σ, times α is a displacement in pixels; torchvision's is in halves of a pixel. The paper
        gives no σ: size / 50 is our choice.
    """
    return v2.Compose([
        *_shared(flip, swap),
        v2.RandomAffine(0, scale=(0.9, 1.1), interpolation=BILINEAR),
        v2.ElasticTransform(alpha=2 * 0.15 * size, sigma=size / 50),
        v2.GaussianNoise(sigma=0.05),
    ])  # fmt: skip


def light(flip: float = 0.5) -> v2.Compose:
    """For phantoms and small sets (our choice): little of everything, and blur, which a VAE does to images too.

    Args:
        flip: Probability of a flip; 0 where labels or masks name a side, which flips swap.
    """
    return v2.Compose([
        v2.RandomHorizontalFlip(flip),
        v2.RandomAffine(3, translate=(0.03, 0.03), scale=(0.95, 1.05), interpolation=BILINEAR),
        v2.ColorJitter(brightness=0.1, contrast=0.1),
        v2.RandomApply([v2.GaussianBlur(5, sigma=(0.3, 1.0))], p=0.5),
        v2.GaussianNoise(sigma=0.01),
    ])  # fmt: skip


@dataclass(frozen=True)
class LightBatch:
    """As `light`, for all images of a batch at once, which takes a tenth of the time.

    Each image draws its own numbers, but for the width of the blur, which a batch shares.

    Attributes:
        flip: Probability of a flip; 0 where labels or masks name a side, which flips swap.
    """

    flip: float = 0.5

    def __call__(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        n = len(images)

        def uniform(low: float, high: float) -> Tensor:
            return (low + (high - low) * torch.rand(n)).to(images)

        angle, scale = uniform(-1, 1) * math.radians(3), uniform(0.95, 1.05)
        across, down = scale * angle.cos(), scale * angle.sin()
        mirror = 1 - 2 * (uniform(0, 1) < self.flip).to(images)
        theta = torch.stack(
            [
                torch.stack([mirror * across, -down, uniform(-0.06, 0.06)], dim=1),  # 3 % of a side that is 2 wide
                torch.stack([mirror * down, across, uniform(-0.06, 0.06)], dim=1),
            ],
            dim=1,
        )
        both = torch.cat([images, masks.to(images)], dim=1)
        both = grid_sample(both, affine_grid(theta, list(both.shape), align_corners=False), align_corners=False)
        x = both[:, :1]
        brightness, contrast = (uniform(0.9, 1.1)[:, None, None, None] for _ in range(2))
        x = x * brightness
        mean = x.mean((1, 2, 3), keepdim=True)
        x = (mean + contrast * (x - mean)).clamp(0, 1)
        blurs, sigma = uniform(0, 1) < 0.5, float(uniform(0.3, 1.0)[0])
        if blurs.any():
            x[blurs] = gaussian_blur(x[blurs], [5, 5], [sigma, sigma])
        return (x + 0.01 * torch.randn(x.shape).to(x)).clamp(0, 1), both[:, 1:] > 0.5


@dataclass(frozen=True)
class SidedFlip:
    """A flip after which masks of the right and the left are again those of the right and the left of what one sees.

    Attributes:
        p: Probability.
        swap: Order of the masks of a flipped image.
    """

    p: float
    swap: tuple[int, ...]

    def __call__(self, image: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        if torch.rand(1) >= self.p:
            return image, masks
        flipped = horizontal_flip(masks)
        if len(flipped):
            flipped = tv_tensors.wrap(flipped[list(self.swap)], like=masks)
        return horizontal_flip(image), flipped


def _shared(flip: float = 0.5, swap: Sequence[int] | None = None) -> list[Augmentation]:
    return [
        v2.RandomHorizontalFlip(flip) if swap is None else SidedFlip(flip, tuple(swap)),
        v2.RandomAffine(30, shear=(-15, 15), interpolation=BILINEAR),
        v2.ColorJitter(brightness=(0.8, 1.2), contrast=(0.8, 1.2)),
    ]
