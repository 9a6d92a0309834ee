"""Where the centre square of a resized image lies in the original, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from radedit.data.image.coverage import resize_mask
from radedit.types import Box


@dataclass(frozen=True)
class Geometry:
    """Resize of the short side to `size`, then the centre square (App. A, B: steps 1 and 2).

    Roundings are torchvision's: the long side is rounded down, half a pixel of margin to the even side.

    Attributes:
        height: Height of the original, px.
        width: Width of the original, px.
        size: Side of the square, px.
    """

    height: int
    width: int
    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size is {self.size} px. Allowed is 1 and more; the paper uses 512.")
        if self.height < 1 or self.width < 1:
            raise ValueError(f"An image of {self.width}×{self.height} px has no pixels. Check how it was loaded.")

    @classmethod
    def of(cls, image: Tensor, size: int) -> Geometry:
        """Geometry for an image of shape (…, H, W)."""
        return cls(image.shape[-2], image.shape[-1], size)

    @property
    def resized(self) -> tuple[int, int]:
        """Height and width after the resize, px."""
        short = min(self.height, self.width)
        return self.size * self.height // short, self.size * self.width // short

    @property
    def corner(self) -> tuple[int, int]:
        """Top and left of the square in the resized image, px."""
        height, width = self.resized
        return round((height - self.size) / 2), round((width - self.size) / 2)

    def image(self, image: Tensor) -> Tensor:
        """Resize (bilinear, antialiased) and crop an image (1, H, W) to (1, size, size), grey levels as they are."""
        self._check(image)
        return self._square(_resize(image, self.resized))

    def mask(self, mask: Tensor) -> Tensor:
        """Resize and crop a bool mask (1, H, W) to (1, size, size); see `resize_mask` for thin structures."""
        self._check(mask)
        return resize_mask(mask, self.resized, (*self.corner, self.size, self.size))

    def boxes(self, boxes: Sequence[Box]) -> list[Box]:
        """Boxes in px of the square, clipped to it; one that lies wholly outside is left out."""
        (height, width), (top, left) = self.resized, self.corner
        moved = []
        for box in boxes:
            x_0, x_1 = (x * width / self.width - left for x in (box.x, box.x + box.width))
            y_0, y_1 = (y * height / self.height - top for y in (box.y, box.y + box.height))
            x_0, x_1, y_0, y_1 = (min(max(value, 0.0), float(self.size)) for value in (x_0, x_1, y_0, y_1))
            if x_1 > x_0 and y_1 > y_0:
                moved.append(Box(x_0, y_0, x_1 - x_0, y_1 - y_0))
        return moved

    def restore(self, edited: Tensor, original: Tensor, where: Tensor | None = None) -> Tensor:
        """Put an edited square back into its original, at the original's resolution and grey range.

        Outside the square the original is untouched. Inside, the square's [0, 1] is mapped back to the range that the
        original has there, and resampled: where the original was finer, its finest detail is not in the square.

        Args:
            edited: Grey levels in [0, 1], shape (1, size, size).
            original: The image that the square was taken from, grey levels in [0, 1], shape (1, H, W).
            where: Weight of the edit, in [0, 1], shape (1, size, size): 1 takes the edit, 0 keeps the original, in
                between they are blended. Everywhere 1 where None.

        Returns:
            Grey levels in [0, 1], shape (1, H, W).

        Raises:
            ValueError: If a shape is not as above.
        """
        self._check(original)
        square = (1, self.size, self.size)
        where = torch.ones_like(edited) if where is None else where.to(edited)
        for name, tensor in {"edited": edited, "where": where}.items():
            if tuple(tensor.shape) != square:
                raise ValueError(f"{name} has shape {tuple(tensor.shape)}; allowed is {square}, as `image` returns it.")
        resized = _resize(original, self.resized)
        low, high = self._square(resized).aminmax()
        weight = torch.zeros_like(resized)
        self._square(resized).copy_(low + edited * (high - low))
        self._square(weight).copy_(where)
        resized, weight = (_resize(x, (self.height, self.width)) for x in (resized, weight))
        return torch.lerp(original, resized, weight.clamp(0, 1)).clamp(0, 1)

    def _square(self, resized: Tensor) -> Tensor:
        top, left = self.corner
        return resized[:, top : top + self.size, left : left + self.size]

    def _check(self, image: Tensor) -> None:
        if tuple(image.shape) != (1, self.height, self.width):
            raise ValueError(
                f"Got shape {tuple(image.shape)} for a geometry of (1, {self.height}, {self.width}). "
                "Make one geometry per image: Geometry.of(image, size)."
            )


def _resize(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear with antialias; always a new tensor."""
    if tuple(image.shape[-2:]) == tuple(size):
        return image.clone()
    return interpolate(image[None], size, mode="bilinear", antialias=True, align_corners=False)[0]


def check_mask_size(what: str, mask: Tensor, size: tuple[int, int]) -> None:
    """Raise a `ValueError` beginning with `what` if `mask` (1, H, W) is not of the image's `size` (H, W)."""
    height, width = mask.shape[-2:]
    if (height, width) != tuple(size):
        raise ValueError(
            f"{what} is {width}×{height} but its image is {size[1]}×{size[0]}. "
            "Apply the same resize and crop to both; see radedit.data.image.transforms.preprocess."
        )
