"""Findings: each drawn from its own stream, so that adding one changes nothing else of the picture.

A finding says what it is (`describe`, for reports) and what it does to the image (`draw`, an `Effect`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from radedit.phantom.anatomy import SIDES, Anatomy, Side, sign
from radedit.phantom.canvas import Array, Canvas, bezier, ellipse_distance, smooth_noise, smoothstep

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Effect:
    """What a finding does to an image; arrays of shape (size, size).

    Attributes:
        fill: Share of the lung's air that is replaced by fluid or tissue, 0…1.
        air: Share of the lung that is bare air: no vessels, no texture, and darker, 0…1.
        add: Brightness added on top of everything (tubes, wires, lines, metal).
        masks: Name → where it is.
        parts: Separate lesions, from which boxes are made.
    """

    fill: Array | None = None
    air: Array | None = None
    add: Array | None = None
    masks: dict[str, Mask] = field(default_factory=dict)
    parts: tuple[Mask, ...] = ()


class Finding(Protocol):
    """One finding of one patient."""

    def describe(self) -> dict[str, str]:
        """Words that a report may use: side, size, lobe, severity."""
        ...

    def draw(self, anatomy: Anatomy, canvas: Canvas) -> Effect:
        """Its effect on an image."""
        ...


def _pick_side(rng: np.random.Generator) -> Side:
    return SIDES[int(rng.random() < 0.5)]


def _grade(value: float, low: float, high: float, words: tuple[str, str, str]) -> str:
    return words[0] if value < low else words[1] if value < high else words[2]


@dataclass(frozen=True)
class Pneumothorax:
    """Air between lung and chest wall: dark, without markings, bounded by the pleural line."""

    side: Side
    depth: float  # how far the lateral border has come in
    drop: float  # how far the apex has come down
    waviness: float
    seed: int

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Pneumothorax:
        side = _pick_side(rng)
        size = rng.uniform(0.0, 1.0)
        return cls(side, 0.055 + 0.085 * size, 0.07 + 0.13 * size, rng.uniform(0.003, 0.008), int(rng.integers(2**31)))

    def describe(self) -> dict[str, str]:
        return {"side": self.side, "size": _grade(self.depth, 0.08, 0.112, ("small", "moderate", "large"))}

    def draw(self, anatomy: Anatomy, canvas: Canvas) -> Effect:
        rng = np.random.default_rng(self.seed)
        wave = self.waviness * smooth_noise(rng, canvas.size, 0.15)
        lung = anatomy.lung_distance(canvas, self.side)
        across = (canvas.x - anatomy.midline) * sign(self.side)
        apex = anatomy.apex + self.drop
        taper = 1 - 0.75 * smoothstep(canvas.y, 0.40, 0.76)
        edge = anatomy.lateral(canvas.y, apex) - self.depth * taper - across + wave
        retracted = np.minimum(edge, canvas.y - apex + wave)
        retracted = np.where(
            canvas.y < apex + 0.05, np.minimum(retracted, across - anatomy.medial(canvas.y, apex)), retracted
        )
        air = canvas.soft(lung) * (1 - canvas.soft(retracted))
        line = np.exp(-((retracted / (0.0035 + 0.25 / canvas.size)) ** 2)) * canvas.soft(lung - 0.006)
        mask = (lung > 0) & (retracted < 0.004)
        return Effect(air=air, add=0.085 * line, masks={"pneumothorax": mask})


@dataclass(frozen=True)
class Drain:
    """Chest drain: a radio-opaque tube from the lateral wall towards the apex, with a sentinel gap."""

    side: Side
    entry: float  # y at the chest wall
    tip: tuple[float, float]  # across, y
    bow: float
    calibre: float
    contrast: float

    @classmethod
    def sample(cls, rng: np.random.Generator, side: Side) -> Drain:
        tip = (rng.uniform(0.10, 0.2), rng.uniform(0.19, 0.36))
        return cls(
            side,
            rng.uniform(0.50, 0.68),
            tip,
            rng.uniform(-0.05, 0.09),
            rng.uniform(0.018, 0.024),
            rng.uniform(0.2, 0.3),
        )

    def describe(self) -> dict[str, str]:
        return {"side": self.side}

    def draw(self, anatomy: Anatomy, canvas: Canvas) -> Effect:
        s, mid = sign(self.side), anatomy.midline
        wall = float(anatomy.lateral(np.float32(self.entry)))
        start = (mid + s * (wall + 0.14), self.entry + 0.13)
        gate = (mid + s * (wall - 0.01), self.entry)
        bend = (mid + s * (0.6 * wall + self.bow), 0.5 * (self.entry + self.tip[1]) - 0.06)
        tip = (mid + s * self.tip[0], self.tip[1])
        course = np.vstack([bezier(start, gate, n=6)[:-1], bezier(gate, bend, tip, n=30)])
        tube = canvas.strokes([(course, self.calibre, 1.0)])
        lumen = canvas.strokes([(course, 0.42 * self.calibre, 1.0)])
        gap = course[24:26]  # the sentinel eye interrupts the stripe
        stripe = canvas.strokes([(course, 0.30 * self.calibre, 1.0), (gap, 0.5 * self.calibre, 0.0)])
        add = self.contrast * (0.95 * tube - 0.35 * lumen + 0.5 * stripe)
        return Effect(add=add, masks={"drain": tube > 0.35})


@dataclass(frozen=True)
class Consolidation:
    """Dense air-space opacity of one lobe; it hides the lung's border where it touches it."""

    side: Side
    lobe: str
    density: float
    spread: float
    seed: int

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Consolidation:
        side = _pick_side(rng)
        lobe = str(
            rng.choice(
                ["upper", "lower", "middle"] if side == "right" else ["upper", "lower"],
                p=[0.5, 0.35, 0.15] if side == "right" else [0.6, 0.4],
            )
        )
        return cls(side, lobe, rng.uniform(0.62, 0.92), rng.uniform(0.85, 1.25), int(rng.integers(2**31)))

    def describe(self) -> dict[str, str]:
        return {"side": self.side, "lobe": self.lobe}

    def draw(self, anatomy: Anatomy, canvas: Canvas) -> Effect:
        rng = np.random.default_rng(self.seed)
        s, mid, base = sign(self.side), anatomy.midline, anatomy.dome[SIDES.index(self.side)]
        jitter = rng.normal(0, 0.012, 2)
        cx, cy, rx, ry = {
            "upper": (0.25, 0.30, 0.135, 0.125),
            "middle": (0.20, 0.55, 0.12, 0.075),
            "lower": (0.25, base - 0.07, 0.15, 0.11),
        }[self.lobe]
        blob = ellipse_distance(canvas, mid + s * (cx + jitter[0]), cy + jitter[1], rx * self.spread, ry * self.spread)
        ragged = blob + 0.016 * smooth_noise(rng, canvas.size, 0.1) + 0.006 * smooth_noise(rng, canvas.size, 0.04)
        fissure = 0.46 + jitter[1] + 0.1 * ((canvas.x - mid) * s - 0.2)  # an upper lobe ends at its fissure
        if self.lobe == "upper":
            ragged = np.minimum(ragged, fissure - canvas.y + 0.012)
        elif self.lobe == "middle":
            ragged = np.minimum(ragged, canvas.y - fissure + 0.012)
        patchy = 1 + 0.08 * smooth_noise(rng, canvas.size, 0.05)
        fill = np.clip(self.density * smoothstep(ragged, -0.03, 0.05) * patchy, 0, 0.97)
        inside = anatomy.lung_distance(canvas, self.side) > 0
        mask = (fill > 0.3 * self.density) & inside
        return Effect(fill=np.where(s * (canvas.x - mid) > 0, fill, 0), masks={"consolidation": mask}, parts=(mask,))


@dataclass(frozen=True)
class Oedema:
    """Pulmonary oedema: perihilar (bat-wing) haze on both sides, worse towards the bases."""

    severity: float
    seed: int

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Oedema:
        return cls(rng.uniform(0.34, 0.74), int(rng.integers(2**31)))

    def describe(self) -> dict[str, str]:
        return {"severity": _grade(self.severity, 0.46, 0.6, ("mild", "moderate", "severe"))}

    def draw(self, anatomy: Anatomy, canvas: Canvas) -> Effect:
        rng = np.random.default_rng(self.seed)
        fill = np.zeros_like(canvas.x)
        for side in SIDES:
            x, y = anatomy.hilum(side)
            reach = ((canvas.x - x - sign(side) * 0.06) / 0.17) ** 2 + ((canvas.y - y - 0.08) / 0.22) ** 2
            here = (canvas.x - anatomy.midline) * sign(side) > 0
            fill += np.where(here, np.exp(-reach), 0)
        mottle = 1 + 0.14 * smooth_noise(rng, canvas.size, 0.06) + 0.10 * smooth_noise(rng, canvas.size, 0.025)
        fill = np.clip(self.severity * fill * mottle, 0, 0.8)
        inside = np.maximum(*(anatomy.lung_distance(canvas, side) for side in SIDES)) > 0
        mask = (fill > 0.35 * self.severity) & inside
        return Effect(fill=fill, masks={"oedema": mask}, parts=(mask,))


@dataclass(frozen=True)
class Covid:
    """COVID-19 pneumonia: several ragged ground-glass opacities, peripheral and basal, on both sides."""

    patches: tuple[tuple[Side, float, float, float, float], ...]  # side, reach to the wall 0…1, y, radius, density
    seed: int

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Covid:
        n = int(rng.integers(3, 7))
        sides = [SIDES[i % 2] for i in range(n)]
        patches = tuple(
            (s, rng.uniform(0.6, 0.95), rng.uniform(0.36, 0.68), rng.uniform(0.05, 0.095), rng.uniform(0.34, 0.6))
            for s in sides
        )
        return cls(patches, int(rng.integers(2**31)))

    def describe(self) -> dict[str, str]:
        return {"extent": {3: "mild", 4: "moderate", 5: "moderate"}.get(len(self.patches), "severe")}

    def draw(self, anatomy: Anatomy, canvas: Canvas) -> Effect:
        rng = np.random.default_rng(self.seed)
        fill = np.zeros_like(canvas.x)
        parts = []
        for side, reach, y, radius, density in self.patches:
            wall, inner = float(anatomy.lateral(np.float32(y))), anatomy.mediastinum
            across = inner + (wall - inner) * reach - 0.3 * radius
            blob = ellipse_distance(canvas, anatomy.midline + sign(side) * across, y, radius, 1.15 * radius)
            ragged = blob + 0.014 * smooth_noise(rng, canvas.size, 0.06)
            patch = density * smoothstep(ragged, -0.025, 0.045) * (1 + 0.12 * smooth_noise(rng, canvas.size, 0.03))
            fill = np.maximum(fill, np.clip(patch, 0, 0.85))
            parts.append((patch > 0.3 * density) & (anatomy.lung_distance(canvas, side) > 0))
        mask = np.logical_or.reduce(parts)
        return Effect(fill=fill, masks={"opacities": mask}, parts=tuple(part for part in parts if part.any()))


@dataclass(frozen=True)
class Pacemaker:
    """Pectoral generator with two leads to the right atrium and ventricle."""

    side: Side
    height: float
    tilt: float

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Pacemaker:
        return cls("left" if rng.random() < 0.85 else "right", rng.uniform(0.245, 0.295), rng.uniform(-18, 18))

    def describe(self) -> dict[str, str]:
        return {"side": self.side}

    def draw(self, anatomy: Anatomy, canvas: Canvas) -> Effect:
        s, mid = sign(self.side), anatomy.midline
        cx, cy = mid + s * (anatomy.chest - 0.055), self.height
        angle = np.deg2rad(self.tilt)
        dx, dy = canvas.x - cx, canvas.y - cy
        along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
        corner = ((np.abs(along) / 0.056) ** 3.2 + (np.abs(across) / 0.047) ** 3.2) ** (1 / 3.2)
        can = canvas.soft((1 - corner) * 0.047)
        header = canvas.soft(np.minimum(0.030 - np.abs(along), 0.012 - np.abs(across + 0.050)))
        inner = canvas.soft((0.72 - corner) * 0.047)
        vein = (mid + s * 0.12, anatomy.clavicle + 0.005)
        cava = (mid - 0.045, 0.33)
        atrium, ventricle = (mid - 0.075, 0.555), (mid + 0.095, anatomy.dome[1] - 0.045)
        to_atrium = bezier((cx, cy - 0.05), (cx - s * 0.04, vein[1] - 0.02), vein, cava, (mid - 0.06, 0.62), atrium)
        to_ventricle = bezier(
            (cx, cy - 0.05), (cx - s * 0.03, vein[1] - 0.035), vein, cava, (mid - 0.09, 0.70), ventricle
        )
        leads = canvas.strokes([(to_atrium, 0.0085, 1.0), (to_ventricle, 0.0085, 1.0)])
        add = 0.52 * can - 0.10 * inner + 0.34 * header * (1 - can) + 0.26 * leads * (1 - can)
        device = (can > 0.5) | (header > 0.5)
        return Effect(add=add, masks={"pacemaker": device | (leads > 0.35)}, parts=(device,))
