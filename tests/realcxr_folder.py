"""A folder in realcxr's layout: phantoms of several sizes stand for radiographs, so that nobody's are needed."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radedit.phantom.render import render
from radedit.phantom.world import Case, World

SHAPES = ((96, 96), (96, 112), (128, 104))  # height and width of the images, px, in turn
SOURCES = ("cohen", "hannover", "cohen", "nih")  # of patients, in turn
VIEWS = ("PA", "AP", "AP supine")
FINDINGS = ("COVID-19", "No Finding", "Pneumothorax; Effusion", "")
COLUMNS = (
    "file", "source", "licence", "licence_url", "attribution", "url", "view", "finding_labels", "label_source",
    "subject_id", "reviewer_flags", "mask", "mask_source", "other_masks",
)  # fmt: skip


def write_realcxr(folder: Path, n: int = 24, *, joined: int = 0) -> Path:
    """Write two tiers of `n` images in all, two of each patient, every fifth without masks.

    Args:
        folder: Made by this.
        n: Images.
        joined: How many of the first images have lungs that touch, so that they can't be told apart.
    """
    cases = [World(seed=7).case("realcxr", i // 2, i % 2) for i in range(n)]
    for tier, chosen in (("", range(0, n, 2)), ("noncommercial", range(1, n, 2))):
        _write_tier(folder / tier, {i: cases[i] for i in chosen}, tier, joined)
    return folder


def _write_tier(folder: Path, cases: dict[int, Case], tier: str, joined: int) -> None:
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    rows, boxes = [], []
    for i, case in cases.items():
        height, width = SHAPES[i % len(SHAPES)]
        radiograph = render(case, max(height, width))
        name, masked = f"image_{i:03d}", i % 5 != 4
        image = (255 * _cut(radiograph.image, height, width)).round().astype(np.uint8)
        Image.fromarray(image).save(folder / "images" / f"{name}.jpg", quality=95)
        if masked:
            lungs = _cut(radiograph.masks["lungs"], height, width)
            lungs[height // 2] |= i < joined
            Image.fromarray(255 * lungs.astype(np.uint8)).save(folder / "masks" / f"{name}.png")
            boxes += [
                {"file": f"images/{name}.jpg", "label": f"{side}_lung"}
                | _box(_cut(radiograph.masks[f"{side}_lung"], height, width))
                for side in ("left", "right")
            ]
        values = {
            "file": f"images/{name}.jpg",
            "source": SOURCES[(i // 2) % len(SOURCES)],
            "licence": "CC BY-NC-SA" if tier else "CC BY 4.0",
            "licence_url": "https://creativecommons.org/licenses/",
            "attribution": f"Drawn, number {i}",
            "url": f"https://example.org/{i}",
            "view": VIEWS[i % len(VIEWS)],
            "finding_labels": FINDINGS[i % len(FINDINGS)],
            "subject_id": f"subject-{i // 2}",
            "mask": f"masks/{name}.png" if masked else "",
        }
        rows.append({column: values.get(column, "") for column in COLUMNS})
    tables: dict[str, list[dict[str, Any]]] = {"manifest.csv": rows, "boxes.csv": boxes}
    for file, table in tables.items():
        with (folder / file).open("w", newline="") as handle:
            writer = csv.DictWriter(handle, list(table[0]))
            writer.writeheader()
            writer.writerows(table)


def _cut(array: NDArray[np.generic], height: int, width: int) -> NDArray[np.generic]:
    """The middle of a square image."""
    top, left = ((side - wanted) // 2 for side, wanted in zip(array.shape, (height, width), strict=True))
    return array[top : top + height, left : left + width].copy()


def _box(mask: NDArray[np.generic]) -> dict[str, int]:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    x, y = int(columns[0]), int(rows[0])
    return {"x": x, "y": y, "w": int(columns[-1]) + 1 - x, "h": int(rows[-1]) + 1 - y}
