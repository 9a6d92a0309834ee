"""Blur and noise of the same size as an edit: what one would test with who has no generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from radedit.phantom.world import stream

Embed = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Corruption:
    """An image blurred, then with noise added; both grow with one strength.

    Attributes:
        blur_px: Standard deviation of the blur at strength 1, px.
        noise: Standard deviation of the noise at strength 1, in units of the grey range.
        strongest: Beyond it nothing is tried.
        seed: Of the noise.
    """

    blur_px: float = 1.0
    noise: float = 0.05
    strongest: float = 16.0
    seed: int = 0

    def __call__(self, image: Tensor, id_: str, strength: float) -> Tensor:
        """Corrupt one image, grey levels in [0, 1], shape (1, H, W); the noise is the record's own."""
        sigma = strength * self.blur_px
        if sigma < 1e-3:
            return image
        reach = min(int(4 * sigma + 0.5), min(image.shape[-2:]) - 1)
        blurred = gaussian_blur(image, [2 * reach + 1, 2 * reach + 1], [sigma, sigma])
        drawn = stream("corruption", self.seed, id_).standard_normal(tuple(image.shape), dtype="float32")
        return (blurred + strength * self.noise * torch.from_numpy(drawn)).clamp(0, 1)


@dataclass(frozen=True)
class Match:
    """How strong a corruption is that moves images as far as the edits did.

    Attributes:
        strength: Of the corruption.
        of_edit, of_corruption: Mean distance that the image encoder sees, Euclidean, between embeddings of length 1.
        pixels_edit, pixels_corruption: Mean absolute change of grey levels, of 255.
        reached: Whether the distance could be matched.
    """

    strength: float
    of_edit: float
    of_corruption: float
    pixels_edit: float
    pixels_corruption: float
    reached: bool


def match(
    corruption: Corruption,
    images: Tensor,
    ids: Sequence[str],
    before: Tensor,
    after: Tensor,
    embed: Embed,
    *,
    tolerance: float = 0.005,
) -> Match:
    """Find the strength at which corrupting images moves them, on average, as far as editing moved others.

    Distance is what the score's image encoder sees: between embeddings, not between pixels, as a small bright thing
    that is gone weighs nothing in a mean over pixels.

    Args:
        corruption: What is done.
        images: To be corrupted, shape (N, 1, H, W).
        ids: Their records.
        before: Images that were edited, shape (M, 1, H, W).
        after: Their edits.
        embed: Image → embedding of length 1, shape (·, P).
        tolerance: Relative error of the distance at which the search, by halves, ends.
    """
    wanted = _distance(embed, before, after)

    def corrupted(strength: float) -> Tensor:
        return torch.stack([corruption(image, id_, strength) for image, id_ in zip(images, ids, strict=True)])

    def distance(strength: float) -> float:
        return _distance(embed, images, corrupted(strength))

    low, high = 0.0, corruption.strongest
    reached = distance(high) >= wanted
    while reached and high - low > 1e-4:
        middle = (low + high) / 2
        found = distance(middle)
        low, high = (middle, high) if found < wanted else (low, middle)
        if abs(found - wanted) <= tolerance * wanted:
            high = middle
            break
    images_corrupted = corrupted(high)
    return Match(
        strength=high,
        of_edit=wanted,
        of_corruption=_distance(embed, images, images_corrupted),
        pixels_edit=255 * float((after - before).abs().mean()),
        pixels_corruption=255 * float((images_corrupted - images).abs().mean()),
        reached=reached,
    )


@torch.no_grad()
def _distance(embed: Embed, before: Tensor, after: Tensor) -> float:
    pairs = zip(before.split(64), after.split(64), strict=True)
    return float(torch.cat([(embed(y) - embed(x)).norm(dim=1) for x, y in pairs]).mean())
