"""From a case to an image: brightness, the hospital's response, marker and collimator, and exact masks."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from radedit.phantom.anatomy import SIDES, clavicles, mediastinum, ribs, soft_tissue, trunk, vessels
from radedit.phantom.canvas import Array, Canvas, smooth_noise, smoothstep
from radedit.phantom.findings import Effect, Mask
from radedit.phantom.world import Case

RENDERER = 1  # to be raised with every change of a picture: caches and stress sets carry it
LUNG_AIR = 0.38  # brightness that a full lung takes away
PNEUMOTHORAX_AIR = 0.085  # and bare air on top of it


@dataclass(frozen=True)
class Phantom:
    """A synthetic phantom.

    Attributes:
        image: Grey levels in [0, 1], shape (size, size); both ends are always reached (collimator, marker).
        masks: `left_lung`, `right_lung`, `lungs`, `heart`, and one for every finding that is present.
        boxes: Finding → (x, y, width, height) in pixels, one for each separate lesion.
    """

    image: Array
    masks: dict[str, Mask]
    boxes: dict[str, list[tuple[float, float, float, float]]]


@dataclass(frozen=True)
class Hospital:
    """What a hospital does to every image: response, collimation, marker."""

    gamma: float
    contrast: float
    border: tuple[float, float]  # collimated share of the field: top and bottom, left and right
    marker: str
    marker_at: tuple[float, float]
    boxed: bool


HOSPITAL_LOOKS = {
    "A": Hospital(1.00, 1.00, (0.012, 0.012), "L", (0.915, 0.075), False),
    "B": Hospital(0.80, 0.86, (0.060, 0.012), "R", (0.075, 0.125), True),
    "C": Hospital(1.12, 1.05, (0.012, 0.030), "L", (0.900, 0.110), True),
    "D": Hospital(0.92, 0.95, (0.020, 0.020), "R", (0.085, 0.075), False),
}


def render(case: Case, size: int = 128) -> Phantom:
    """Draw an image of `case` at `size` × `size` pixels."""
    canvas = _pose(case, size)
    anatomy = case.anatomy
    heart = anatomy.heart_distance(canvas, case.shown_heart_scale)
    lungs = {side: anatomy.lung_distance(canvas, side) for side in SIDES}  # also what lies behind the heart
    effects = {name: finding.draw(anatomy, canvas) for name, finding in case.findings.items()}

    zero = np.zeros((size, size), np.float32)
    fill = np.clip(sum((e.fill for e in effects.values() if e.fill is not None), zero), 0, 0.97)
    bare = sum((e.air for e in effects.values() if e.air is not None), zero)
    added = sum((e.add for e in effects.values() if e.add is not None), zero)

    texture = smooth_noise(case.stream("texture"), size, 0.018)
    air, markings = zero, zero
    for side in SIDES:
        inside = canvas.soft(lungs[side], 0.004)
        air = air + inside * (0.74 + 0.26 * smoothstep(lungs[side], 0.0, 0.085))
        markings = markings + inside * (0.16 * vessels(anatomy, canvas, side) + 0.010 * texture)
    cardiac = smoothstep(heart, -0.006 - 0.5 / size, 0.028 + 0.5 / size)
    present = (1 - bare) * (1 - 0.75 * fill) * (1 - 0.6 * cardiac)
    brightness = soft_tissue(anatomy, canvas) + mediastinum(anatomy, canvas)
    brightness -= LUNG_AIR * air * (1 - fill) * (1 - 0.88 * cardiac) + PNEUMOTHORAX_AIR * bare
    brightness += markings * present
    brightness += 0.07 * smoothstep(heart, 0.0, 0.10)
    brightness += 0.078 * anatomy.rib_contrast * ribs(anatomy, canvas) + 0.085 * clavicles(anatomy, canvas)
    brightness = np.maximum(brightness, 0.05) * trunk(anatomy, canvas) + added

    image = _expose(case, brightness)
    masks: dict[str, Mask] = {f"{side}_lung": (lungs[side] > 0) & (heart < 0) for side in SIDES}
    masks["lungs"] = masks["left_lung"] | masks["right_lung"]
    masks["heart"] = heart > 0
    for effect in effects.values():
        masks |= effect.masks
    boxes = {name: _boxes(effect) for name, effect in effects.items() if effect.parts}
    if "covid" in boxes:
        boxes["opacities"] = boxes.pop("covid")
    return Phantom(image, masks, boxes)


def _pose(case: Case, size: int) -> Canvas:
    rng = case.stream("pose", case.image_number)
    degrees, scale, shift = rng.normal(0, 1.3), rng.normal(0.985, 0.02), rng.normal(0, 0.012, 2)
    return Canvas.posed(size, degrees=degrees, scale=scale, shift=(shift[0], shift[1] + 0.015))


def _expose(case: Case, brightness: Array) -> Array:
    """Image response, grain, marker and collimator of the case's hospital."""
    size = brightness.shape[0]
    look, appearance = HOSPITAL_LOOKS[case.hospital], case.world.appearance
    rng = case.stream("exposure", case.image_number)
    level = (brightness + rng.normal(0, 0.008) - 0.08) / 0.86
    level = 0.5 + look.contrast * rng.normal(1, 0.02) * (level - 0.5)
    image = np.clip(level, 0.0, 1.2) / 1.2
    image = (1.22 * image / (1 + 0.22 * image)) ** (look.gamma * appearance.gamma * rng.normal(1, 0.02))
    grain = rng.standard_normal((512, 512), dtype=np.float32)
    if size < 512:  # the same grain at every resolution, averaged
        grain = np.asarray(Image.fromarray(grain).resize((size, size), Image.Resampling.BOX)) * (512 / size) ** 0.5
    elif size > 512:
        grain = ndimage.zoom(grain, size / 512, order=1)
    image = np.clip(image + appearance.noise * grain, 0.015, 0.97)
    image = np.maximum(image, 1.0 * _marker(look, size))
    top, side = (max(1, round(share * size)) for share in look.border)
    image[:top] = image[-top:] = 0.0
    image[:, :side] = image[:, -side:] = 0.0
    return image.astype(np.float32)


@functools.cache
def _marker(look: Hospital, size: int) -> Array:
    """The laterality letter, 1 where lead lies on the image; it always reaches 1 somewhere. Not to be written to."""
    scale = 4
    side = size * scale
    picture = Image.new("L", (side, side))
    draw = ImageDraw.Draw(picture)
    x, y = (p * side for p in look.marker_at)
    height = 0.062 * side
    draw.text(
        (x, y), look.marker, fill=255, anchor="mm", font=ImageFont.load_default(height), stroke_width=0.006 * side
    )
    if look.boxed:
        h = 0.62 * height
        draw.rectangle((x - h, y - h, x + h, y + h), outline=255, width=max(scale, round(0.008 * side)))
    marker = np.asarray(picture.reduce(scale), dtype=np.float32) / 255
    return marker / marker.max()


def _boxes(effect: Effect) -> list[tuple[float, float, float, float]]:
    boxes = []
    for part in effect.parts:
        for rows, columns in ndimage.find_objects(part.astype(np.int8)):
            boxes.append(
                (
                    float(columns.start),
                    float(rows.start),
                    float(columns.stop - columns.start),
                    float(rows.stop - rows.start),
                )
            )
    return boxes
