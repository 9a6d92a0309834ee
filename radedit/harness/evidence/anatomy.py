"""What an edit does where no mask is (Section 6): pixels, the heart, and the lungs before and after.

Heart and lungs are measured by a segmenter that no scenario tests. And how much it does inside m_edit: an edit that is
far denser than the finding really is makes a predictor fail where the real shift would not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from radedit.data.image.files import read_image, read_mask
from radedit.data.stress_set import read_rows
from radedit.harness.predictors.segment import Segments, drawn
from radedit.harness.statistics.estimate import Estimate
from radedit.harness.statistics.means import clustered_mean

LUNGS, HEART = ("right_lung", "left_lung"), "heart"
CHANGED = 8 / 255  # a pixel that changes by more has changed; our choice: the round trip's own noise stays below
BATCH = 32


def heart_width(masks: Tensor) -> Tensor:
    """Greatest horizontal extent, px, shape (B,), of hearts bool (B, H, W); 0 where there is none."""
    columns = masks.any(dim=-2)
    position = torch.arange(columns.shape[-1])
    last = torch.where(columns, position, -1).amax(-1)
    first = torch.where(columns, position, columns.shape[-1]).amin(-1)
    return (last - first + 1).clamp(min=0)


def anatomy(stress_set: Path, segmenter: Segments | None) -> dict[str, Estimate]:
    """Means over all edits, each with an interval over patients, against the autoencoder's round trip of the source.

    Args:
        stress_set: A finished set.
        segmenter: Draws right lung, left lung and heart; without one only pixels are counted.

    Returns:
        `change_inside`: mean change inside m_edit, grey levels of 255, either sign; where there are true
        counterfactuals, `true_change_inside` is theirs, against the source. `changed_outside`: per cent of the pixels
        outside both masks that changed by more than 8 grey levels. With a segmenter, heart width and lung area before
        and after, per cent of the image's width and area.
    """
    rows = read_rows(stress_set)
    paths = {(row["attr_record"], row["attr_kind"]): stress_set / row["image"] for row in rows}
    sources = {row["attr_record"]: row for row in rows if row["attr_kind"] == "source"}
    patients = {record: row["patient_id"] for record, row in sources.items()}
    records = [record for record, _ in paths if _ == "edit"]
    found: dict[str, list[float]] = {}
    for first in range(0, len(records), BATCH):
        chunk = records[first : first + BATCH]
        before, after = (_images(paths, chunk, kind) for kind in ("vae", "edit"))
        size = (before.shape[-2], before.shape[-1])
        masks = [
            torch.stack([read_mask(stress_set / sources[record][f"mask_m_{name}"], size) for record in chunk])
            for name in ("edit", "keep")
        ]
        found.setdefault("change_inside", []).extend(_inside(after - before, masks[0]))
        if all((record, "counterfactual") in paths for record in chunk):
            truly = _images(paths, chunk, "counterfactual") - _images(paths, chunk, "source")
            found.setdefault("true_change_inside", []).extend(_inside(truly, masks[0]))
        outside = ~(masks[0] | masks[1])
        changed = ((after - before).abs() > CHANGED) & outside
        share = 100 * changed.flatten(1).sum(1) / outside.flatten(1).sum(1).clamp(min=1)
        found.setdefault("changed_outside", []).extend(share.tolist())
        if segmenter is not None:
            for when, images in (("before", before), ("after", after)):
                for name, values in _measures(segmenter, images).items():
                    found.setdefault(f"{name}_{when}", []).extend(values.tolist())
    return {name: _mean(values, [patients[record] for record in records]) for name, values in found.items()}


def _images(paths: Mapping[tuple[str, str], Path], records: Sequence[str], kind: str) -> Tensor:
    return torch.stack([read_image(paths[record, kind]).pixels for record in records])


def _inside(change: Tensor, mask: Tensor) -> list[float]:
    """Mean change of each image inside its mask, grey levels of 255; 0 where the mask is empty."""
    totals = (change * mask).flatten(1).sum(1) / mask.flatten(1).sum(1).clamp(min=1)
    return (255 * totals).tolist()


def _measures(segmenter: Segments, images: Tensor) -> dict[str, Tensor]:
    parts = drawn(segmenter, images, (*LUNGS, HEART))
    side = images.shape[-1]
    lungs = parts[:, :2].any(1).flatten(1).sum(1)
    return {"heart_width": 100 * heart_width(parts[:, 2]) / side, "lung_area": 100 * lungs / side**2}


def _mean(values: Sequence[float], patients: Sequence[str]) -> Estimate:
    return clustered_mean(np.asarray(values), patients)
