"""Where things are drawn: an image's coordinates, curves on it, and the noise that textures it.

Coordinates are fractions of the field: x to the right (the patient's left), y downwards, both 0…1.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw
from scipy.special import comb

Array = NDArray[np.float32]
Points = NDArray[np.float64]

SUPERSAMPLING = 3
BLEND_PX = 0.7  # half-width of an anti-aliased edge, in pixels


@dataclass(frozen=True)
class Canvas:
    """Pixel grid of one image and the patient's pose on it.

    Attributes:
        size: Width and height in pixels.
        x, y: Anatomical coordinates of each pixel, shape (size, size).
        pose: Affine map from anatomical to image coordinates, shape (2, 3).
    """

    size: int
    x: Array
    y: Array
    pose: Points

    @classmethod
    def posed(cls, size: int, *, degrees: float, scale: float, shift: tuple[float, float]) -> Canvas:
        """An image on which the patient stands rotated by `degrees`, scaled and shifted (fractions of the field)."""
        angle = np.deg2rad(degrees)
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centre = np.array([0.5, 0.5])
        offset = centre + np.asarray(shift) - turn @ centre
        pose = np.hstack([turn, offset[:, None]])
        image_y, image_x = (np.mgrid[0:size, 0:size] + 0.5) / size
        inverse = np.linalg.inv(turn)
        x = inverse[0, 0] * (image_x - offset[0]) + inverse[0, 1] * (image_y - offset[1])
        y = inverse[1, 0] * (image_x - offset[0]) + inverse[1, 1] * (image_y - offset[1])
        return cls(size, x.astype(np.float32), y.astype(np.float32), pose)

    def soft(self, distance: Array, width: float = 0.0) -> Array:
        """1 where `distance` (fractions of the field, positive inside) is large, with an anti-aliased edge."""
        half = width + BLEND_PX / self.size
        return np.clip(0.5 + distance / (2 * half), 0.0, 1.0)

    def to_image(self, points: Points) -> Points:
        """Anatomical points, shape (n, 2), in image coordinates."""
        return points @ self.pose[:, :2].T + self.pose[:, 2]

    def strokes(self, curves: Sequence[tuple[Points, float, float]], *, posed: bool = True) -> Array:
        """Draw curves, later ones over earlier ones.

        Args:
            curves: Points (n, 2), width as a fraction of the field, and brightness 0…1 of each.
            posed: Whether the curves move with the patient.

        Returns:
            Brightness, shape (size, size), 0 where nothing was drawn.
        """
        side = self.size * SUPERSAMPLING
        image = Image.new("L", (side, side))
        draw = ImageDraw.Draw(image)
        points = np.vstack([curve for curve, _, _ in curves])
        on_image = (self.to_image(points) if posed else points) * side
        ends = np.cumsum([len(curve) for curve, _, _ in curves])
        for end, (curve, width, brightness) in zip(ends, curves, strict=True):
            xy = on_image[end - len(curve) : end].ravel().tolist()
            draw.line(xy, fill=round(255 * brightness), width=max(1, round(width * side)), joint="curve")
        return np.asarray(image.reduce(SUPERSAMPLING), dtype=np.float32) / np.float32(255)

    def polygon(self, points: Points, *, posed: bool = True) -> Array:
        """Fill a closed outline, anti-aliased; shape (size, size), 0…1."""
        side = self.size * SUPERSAMPLING
        image = Image.new("L", (side, side))
        on_image = (self.to_image(points) if posed else points) * side
        ImageDraw.Draw(image).polygon([(float(x), float(y)) for x, y in on_image], fill=255)
        return np.asarray(image.reduce(SUPERSAMPLING), dtype=np.float32) / np.float32(255)


def bezier(*control: ArrayLike, n: int = 24) -> Points:
    """Points on Bézier curves through their control points.

    Args:
        control: Each a point (x, y), or one point for each of m curves, shape (m, 2).
        n: Number of points along a curve.

    Returns:
        Shape (n, 2), or (m, n, 2).
    """
    points = np.stack(np.broadcast_arrays(*map(np.asarray, control)), axis=-2).astype(np.float64)
    return _bernstein(points.shape[-2] - 1, n) @ points


@functools.cache
def _bernstein(degree: int, n: int) -> Points:
    """Weights of the control points at each of n points of a curve, (n, degree + 1). Not to be written to."""
    s = np.linspace(0.0, 1.0, n)[:, None]
    k = np.arange(degree + 1)
    weights: Points = comb(degree, k) * s**k * (1 - s) ** (degree - k)
    return weights


def smooth_noise(rng: np.random.Generator, size: int, scale: float) -> Array:
    """Standardised smooth noise with features of about `scale` fractions of the field, shape (size, size).

    The same stream gives the same pattern at every resolution (it is drawn on a coarse grid and interpolated).
    """
    cells = max(3, round(1 / scale))
    coarse = Image.fromarray(rng.standard_normal((cells + 4, cells + 4)).astype(np.float32))
    box = (2, 2, 2 + cells, 2 + cells)
    field = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC, box=box))
    return (field - field.mean()) / (field.std() + 1e-6)


def smoothstep(value: Array, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, smooth between."""
    s = np.clip((value - low) / (high - low), 0.0, 1.0)
    return s * s * (3 - 2 * s)


def ellipse_distance(canvas: Canvas, cx: float, cy: float, rx: float, ry: float, degrees: float = 0.0) -> Array:
    """Approximate signed distance to an ellipse, positive inside, in fractions of the field."""
    angle = np.deg2rad(degrees)
    dx, dy = canvas.x - cx, canvas.y - cy
    along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
    radius = np.sqrt((along / rx) ** 2 + (across / ry) ** 2)
    return (1 - radius) * min(rx, ry)
