"""One patient's chest: shape from one seed, drawn as what an X-ray loses on its way through.

Brightness is additive (log attenuation), so findings add to it or take from it before the image's response.
Sides are the patient's: the left lung is at larger x, the right of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from radedit.phantom.canvas import Array, Canvas, Points, bezier, ellipse_distance, smooth_noise, smoothstep

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("right", "left")
RIB_CONTRAST = (0.7, 1.25)  # of the oldest and of the youngest
AGES = (90, 20)  # years: bone loses mineral in between
SIZES = ("small", "medium", "large")
RISE = 0.03  # of the diaphragm of a patient who lies


def sign(side: Side) -> int:
    """Direction of a side along x."""
    return 1 if side == "left" else -1


@dataclass(frozen=True)
class Anatomy:
    """Shape of one patient's chest; lengths are fractions of the field."""

    midline: float
    chest: float  # half-width of the thoracic cage
    apex: float  # y of the lungs' tops
    apex_offset: float  # of the apices from the midline
    dome: tuple[float, float]  # y of the diaphragm's domes, right and left
    angle_depth: float  # of the costophrenic angles below the domes
    mediastinum: float  # half-width
    heart_width: float  # transverse cardiac diameter / (2 × chest), a cardiothoracic ratio
    heart_tilt: float
    rib_spacing: float
    rib_slope: float
    rib_phase: float
    rib_contrast: float
    fat: float  # soft tissue over the lungs
    breast: float
    gastric_bubble: float
    clavicle: float  # y of the clavicles' inner ends
    texture_seed: int
    age: int = 0  # years; causes the ribs' contrast

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Anatomy:
        """A random adult."""
        female = rng.random() < 0.5
        dome = rng.normal(0.70, 0.03)
        drawn = cls(
            midline=0.5 + rng.normal(0, 0.008),
            chest=float(np.clip(rng.normal(0.385, 0.016), 0.345, 0.425)),
            apex=float(np.clip(rng.normal(0.125, 0.015), 0.09, 0.165)),
            apex_offset=rng.uniform(0.12, 0.15),
            dome=(dome, dome + rng.uniform(0.012, 0.04)),
            angle_depth=rng.uniform(0.09, 0.14),
            mediastinum=rng.uniform(0.052, 0.068),
            heart_width=float(np.clip(rng.normal(0.46, 0.025), 0.40, 0.51)),
            heart_tilt=rng.uniform(20, 36),
            rib_spacing=rng.uniform(0.074, 0.09),
            rib_slope=rng.uniform(0.25, 0.5),
            rib_phase=rng.uniform(0, 1),
            rib_contrast=rng.uniform(*RIB_CONTRAST),
            fat=rng.uniform(0.0, 1.0),
            breast=rng.uniform(0.4, 1.0) if female else 0.0,
            gastric_bubble=rng.uniform(0.0, 1.0) if rng.random() < 0.6 else 0.0,
            clavicle=rng.uniform(0.165, 0.205),
            texture_seed=int(rng.integers(2**31)),
        )
        return replace(drawn, age=round(float(np.interp(drawn.rib_contrast, RIB_CONTRAST, AGES))))

    @property
    def sex(self) -> str:
        """`F` or `M`; causes the breasts."""
        return "F" if self.breast else "M"

    @property
    def body_size(self) -> str:
        """One of `SIZES`, a third of all patients each; causes the soft tissue over the lungs."""
        return SIZES[min(2, int(3 * self.fat))]

    def supine(self) -> Anatomy:
        """The same chest lying down, as an AP view shows it: the diaphragm is higher."""
        return replace(self, dome=(self.dome[0] - RISE, self.dome[1] - RISE))

    def lateral(self, y: Array | np.float32, apex: float | None = None, inset: float = 0.0) -> Array:
        """Distance from the midline to the chest wall at height y; `apex` and `inset` describe a retracted lung."""
        apex = self.apex if apex is None else apex
        u = np.clip((y - apex) / (0.80 - apex), 0.0, 1.2)
        rise = np.sqrt(np.clip(1 - np.clip(1 - 1.25 * u, 0, 1) ** 2.3, 0, 1))
        widening = 0.045 * (u - 0.45)
        return self.apex_offset + (self.chest - inset - self.apex_offset - 0.02) * rise + widening

    def medial(self, y: Array, apex: float | None = None) -> Array:
        """Distance from the midline to the lungs' inner border at height y."""
        apex = self.apex if apex is None else apex
        u = np.clip((y - apex) / 0.14, 0.0, 1.0)
        return self.apex_offset - (self.apex_offset - self.mediastinum) * np.sqrt(1 - (1 - u) ** 2)

    def diaphragm(self, x: Array, side: Side) -> Array:
        """y of the diaphragm at x."""
        centre = self.midline + sign(side) * 0.5 * self.chest
        half = 0.5 * self.chest
        offset = (x - centre) * sign(side) / half
        drop = np.where(offset > 0, self.angle_depth * np.abs(offset) ** 2.2, 0.055 * np.abs(offset) ** 2)
        return self.dome[SIDES.index(side)] + drop

    def heart_distance(self, canvas: Canvas, scale: float = 1.0) -> Array:
        """Signed distance to the heart's outline, positive inside; `scale` widens it (cardiomegaly)."""
        width = self.heart_width * self.chest * scale  # half of the transverse diameter
        base = self.dome[1] + 0.012
        left_extent, right_extent = 1.36 * width, 0.64 * width
        ry = 0.140 * (0.6 + 0.4 * scale)
        left = ellipse_distance(
            canvas, self.midline + 0.36 * left_extent, base - 0.78 * ry, 0.66 * left_extent, ry, self.heart_tilt
        )
        right = ellipse_distance(canvas, self.midline - right_extent + 0.085, base - 0.115, 0.085, 0.125, -8)
        waist = ellipse_distance(canvas, self.midline + 0.03, base - 0.22, 0.075, 0.12, 0)
        return np.maximum(np.maximum(left, right), waist)

    def lung_distance(self, canvas: Canvas, side: Side, *, apex_drop: float = 0.0, inset: float = 0.0) -> Array:
        """Signed distance to a lung's outline, positive inside; a part of it lies behind the heart.

        Args:
            canvas: The image.
            side: The patient's side.
            apex_drop: How far the apex has come down (a retracted lung).
            inset: How far the lateral border has come in (a retracted lung).
        """
        apex = self.apex + apex_drop
        across = (canvas.x - self.midline) * sign(side)
        inside = np.minimum(self.lateral(canvas.y, apex, inset) - across, across - self.medial(canvas.y, apex))
        return np.minimum(inside, np.minimum(canvas.y - apex, self.diaphragm(canvas.x, side) - canvas.y))

    def hilum(self, side: Side) -> tuple[float, float]:
        """Where the vessels of a lung begin."""
        return self.midline + sign(side) * (self.mediastinum + 0.025), 0.43 - 0.015 * (side == "left")


def vessels(anatomy: Anatomy, canvas: Canvas, side: Side) -> Array:
    """Branching shadows from the hilum, tapering towards the periphery; 0…1, shape (size, size)."""
    rng = np.random.default_rng([anatomy.texture_seed, 11, SIDES.index(side)])
    s, hilum, n = sign(side), np.array(anatomy.hilum(side)), 9

    def towards(angle: Points, length: Points) -> Points:
        return length[..., None] * np.stack([s * np.cos(angle), np.sin(angle)], axis=-1)

    angles = np.deg2rad(np.linspace(-84, 80, n) + rng.normal(0, 6, n))
    ends = hilum + towards(angles, rng.uniform(0.75, 1.05, n) * (0.25 + 0.08 * np.sin(np.abs(angles))))
    trunks = bezier(np.broadcast_to(hilum, (n, 2)), 0.5 * (hilum + ends) + rng.normal(0, 0.028, (n, 2)), ends, n=9)

    roots = np.repeat(trunks[:, 2:7], 2, axis=1).reshape(-1, 2)  # two twigs leave a trunk at each of five places
    turns = np.repeat(angles, 10) + np.tile([-1.0, 1.0], 5 * n) * rng.uniform(0.35, 0.8, 10 * n)
    tips = roots + towards(turns, rng.uniform(0.05, 0.11, 10 * n))
    twigs = bezier(roots, 0.5 * (roots + tips) + rng.normal(0, 0.006, roots.shape), tips, n=5)

    widths, levels = rng.uniform(0.0035, 0.006, 10 * n), rng.uniform(0.2, 0.38, 10 * n)
    thin = [(twig, float(width), float(level)) for twig, width, level in zip(twigs, widths, levels, strict=True)]
    thick = [(trunk[i : i + 2], 0.0165 * (1 - i / 9) + 0.003, 0.85 - 0.075 * i) for trunk in trunks for i in range(8)]
    return canvas.strokes(thin + thick)


def ribs(anatomy: Anatomy, canvas: Canvas) -> Array:
    """Posterior and (fainter) anterior ribs with brighter margins; about 0…1, shape (size, size)."""
    rng = np.random.default_rng([anatomy.texture_seed, 12])
    wobble = 0.006 * smooth_noise(rng, canvas.size, 0.3)
    across = np.abs(canvas.x - anatomy.midline)
    cage = anatomy.lateral(canvas.y, anatomy.apex - 0.035) + 0.03
    rel = np.clip(across / np.maximum(cage, 0.05), 0, 1.2)
    posterior = canvas.y + wobble - anatomy.rib_slope * across + 0.55 * across**2 + 0.25 * rel**8 * across
    anterior = canvas.y + wobble + 0.75 * across - 0.6 * across**2

    def bands(height: Array, spacing: float, phase: float, fill: float) -> Array:
        u = (height / spacing + phase) % 1.0
        distance = (fill / 2 - np.abs(u - 0.5)) * spacing
        body = canvas.soft(distance, 0.004)
        margin = np.exp(-((distance / 0.0045) ** 2))
        return 0.7 * body + 0.45 * margin

    spine_gap = smoothstep(across, 0.02, 0.06)
    inside = smoothstep(cage - across, -0.012, 0.008) * smoothstep(canvas.y, anatomy.apex - 0.05, anatomy.apex + 0.0)
    fade_down = 1 - smoothstep(canvas.y, 0.74, 0.92)
    back = bands(posterior, anatomy.rib_spacing, anatomy.rib_phase, 0.44) * spine_gap
    front = bands(anterior, anatomy.rib_spacing * 1.12, anatomy.rib_phase + 0.3, 0.40)
    front *= smoothstep(across, 0.10, 0.2) * smoothstep(canvas.y, 0.24, 0.34) * (1 - smoothstep(canvas.y, 0.6, 0.74))
    return (back + 0.38 * front) * inside * fade_down


def clavicles(anatomy: Anatomy, canvas: Canvas) -> Array:
    """Two S-shaped bars; 0…1, shape (size, size)."""
    curves: list[tuple[Points, float, float]] = []
    for side in SIDES:
        s = sign(side)
        x0, y0 = anatomy.midline + s * 0.035, anatomy.clavicle + 0.02
        bar = bezier((x0, y0), (x0 + s * 0.1, y0 + 0.015), (x0 + s * 0.2, y0 - 0.07), (x0 + s * 0.36, y0 - 0.065))
        curves += [(bar, 0.030, 1.0), (bar, 0.018, 0.72)]
    return canvas.strokes(curves)


def trunk(anatomy: Anatomy, canvas: Canvas) -> Array:
    """1 inside the body (neck, shoulders, trunk), 0 in the air around it, soft-edged."""
    across = np.abs(canvas.x - anatomy.midline)
    half = 0.115 + 0.52 * smoothstep(canvas.y, 0.035, 0.21)
    return smoothstep(half - across, -0.01, 0.03)


def soft_tissue(anatomy: Anatomy, canvas: Canvas) -> Array:
    """Body without lungs, bones and heart: thickness of neck, shoulders, chest wall and abdomen."""
    rng = np.random.default_rng([anatomy.texture_seed, 13])
    across = np.abs(canvas.x - anatomy.midline)
    wall = 0.60 + 0.03 * anatomy.fat - 0.30 * smoothstep(across, 0.34, 0.56)
    wall += 0.02 * smooth_noise(rng, canvas.size, 0.12) + 0.008 * smooth_noise(rng, canvas.size, 0.03)
    for side in SIDES:
        below = canvas.soft(canvas.y - anatomy.diaphragm(canvas.x, side), 0.006)
        here = (canvas.x - anatomy.midline) * sign(side) > 0
        wall += np.where(here, 0.12 * below * (1 - smoothstep(across, 0.33, 0.46)), 0)
    if anatomy.breast:
        for side in SIDES:
            mound = ellipse_distance(canvas, anatomy.midline + sign(side) * 0.21, 0.62, 0.17, 0.15)
            wall += 0.045 * anatomy.breast * smoothstep(mound, -0.01, 0.07)
    return wall


def mediastinum(anatomy: Anatomy, canvas: Canvas) -> Array:
    """Spine, trachea, great vessels, aortic knuckle and hila, as brightness to add."""
    across = canvas.x - anatomy.midline
    added = 0.085 * smoothstep(anatomy.mediastinum + 0.012 - np.abs(across), -0.012, 0.03)
    added *= smoothstep(canvas.y, 0.02, 0.16)
    discs = 0.5 + 0.5 * np.cos(2 * np.pi * (canvas.y / 0.052 + anatomy.rib_phase))
    added += (0.022 + 0.026 * discs) * np.exp(-((across / 0.034) ** 4))
    bifurcation = 0.375
    airway = [
        (np.array([[anatomy.midline, 0.0], [anatomy.midline - 0.004, bifurcation]]), 0.034, 1.0),
        (bezier((anatomy.midline, bifurcation - 0.01), (anatomy.midline - 0.05, 0.425), n=6), 0.024, 0.8),
        (bezier((anatomy.midline, bifurcation - 0.01), (anatomy.midline + 0.06, 0.42), n=6), 0.020, 0.7),
    ]
    added -= 0.10 * canvas.strokes(airway)
    knuckle = ellipse_distance(canvas, anatomy.midline + anatomy.mediastinum - 0.004, 0.335, 0.038, 0.042)
    added += 0.11 * smoothstep(knuckle, -0.004, 0.03)
    for side in SIDES:
        x, y = anatomy.hilum(side)
        added += 0.10 * np.exp(-(((canvas.x - x) / 0.03) ** 2) - (((canvas.y - y) / 0.05) ** 2))
    return added
