"""All editors on the same images of known truth: at the paper's w and at their own best, with exact and wrong masks."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from radedit.data.io.atomic import whole_file
from radedit.data.io.progress import Progress
from radedit.data.io.table import escaped
from radedit.editing.editor import Editor
from radedit.editing.inversion import Trajectory
from radedit.editing.noise import record_randn
from radedit.harness.evidence.known_truth import KnownTruth, Regions, Truth, gap_closed, quality, reference_images
from radedit.harness.statistics.means import clustered_mean
from radedit.harness.stress.scenario import Removal
from radedit.masks import erode, shift, to_latent
from radedit.models.bundle.bundle import Bundle
from radedit.types import EditMasks, Sample

logger = logging.getLogger(__name__)

Strategy = Callable[[Sample], tuple[Tensor, Tensor]]
# of images of 512; our choice: a contour that misses the border, and one that is off
ERODED_PX, SHIFTED_PX = 10.0, 12.0
MASKED = ("radedit", "diffedit")  # editors that take a mask


@dataclass(frozen=True)
class Setup:
    """What stays the same for all editors.

    Attributes:
        bundle: Generator.
        scenario: Prompt, finding, shortcut.
        masks: Mask strategy.
        steps: T.
        spacing: Of these steps, see `Schedule.from_diffusers`.
        seed: Of the noise.
        block: Images at a time.
    """

    bundle: Bundle
    scenario: Removal
    masks: Strategy
    steps: int
    spacing: float = 1
    seed: int = 0
    block: int = 16


@dataclass
class Row:
    """One image under one editor, or one reference."""

    name: str
    w: float | None
    mask: str
    record: str
    patient: str
    measures: dict[str, float]


def edit_mask_variants(edit: Tensor) -> dict[str, Tensor]:
    """The exact mask, one that misses the border, and one that is off to a side; bool, (1, H, W)."""
    return {"exact": edit, "eroded": erode(edit, ERODED_PX), "shifted": shift(edit, SHIFTED_PX, 0.0)}


def run(
    setup: Setup,
    dataset: KnownTruth,
    editors: Mapping[str, Sequence[Editor]],
    *,
    masks: Sequence[str] = ("exact",),
    references: bool = True,
    pictures: dict[str, Tensor] | None = None,
) -> list[Row]:
    """Edit a data set with every editor and measure every image.

    Args:
        setup: What stays the same.
        dataset: Images with finding and shortcut.
        editors: Name → the editor at one or more guidance weights.
        masks: Which variants of m_edit; errors are measured in regions of the exact one. All but the exact one are
            tried at each editor's last weight only.
        references: Whether to measure the references too.
        pictures: Filled with the first block's images, by name, if given.

    Returns:
        A row for each image and editor.
    """
    bundle, schedule = setup.bundle, setup.bundle.schedule(setup.steps, setup.spacing)
    f_theta = bundle.predictor(schedule)
    c = bundle.embed_prompts([setup.scenario.prompt])
    ids = _loadable(dataset)
    rows: list[Row] = []
    tried = {
        (variant, name): at_weights if variant == "exact" else at_weights[-1:]
        for variant in masks
        for name, at_weights in editors.items()
        if variant == "exact" or at_weights[0].name in MASKED
    }
    with Progress(len(ids) * sum(map(len, tried.values())), "Editing", "images") as progress:
        for first in range(0, len(ids), setup.block):
            truth = Truth.of(
                dataset, ids[first : first + setup.block], bundle, setup.scenario.finding, setup.scenario.shortcut
            )
            drawn = [setup.masks(sample) for sample in truth.samples]
            regions = Regions.of(torch.stack([e for e, _ in drawn]), torch.stack([k for _, k in drawn]), bundle.factor)
            records = [sample.record for sample in truth.samples]
            randn = record_randn(setup.seed, [record.id for record in records], device=bundle.device)
            x_0 = bundle.encode(truth.source.to(bundle.device)).float()
            shown: dict[str, Tensor] = {"original": truth.source, "true counterfactual": truth.counterfactual}

            def note(
                name: str,
                w: float | None,
                mask: str,
                images: Tensor,
                truth: Truth = truth,
                regions: Regions = regions,
                records: Any = records,
            ) -> None:
                measured = quality(images, truth, regions)
                rows.extend(
                    Row(name, w, mask, record.id, record.patient_id, {key: float(v[i]) for key, v in measured.items()})
                    for i, record in enumerate(records)
                )

            if references:
                for name, images in reference_images(truth, regions).items():
                    note(name, None, "exact", images)
                    shown[name] = images
            trajectories: dict[str | None, Trajectory | None] = {}  # by kind; editors and masks share them
            for variant in masks:
                latent = [to_latent(edit_mask_variants(e)[variant], k, bundle.factor).masks for e, k in drawn]
                m = EditMasks(*(torch.stack(part).to(bundle.device) for part in zip(*latent, strict=True)))
                for name, at_weights in editors.items():
                    kind = at_weights[0].inversion
                    if (variant, name) in tried and kind not in trajectories:
                        trajectories[kind] = at_weights[0].invert(f_theta, x_0, schedule, randn)
                    for editor in tried.get((variant, name), ()):
                        latents = editor.edit(f_theta, x_0, None, c, m, schedule, randn, trajectory=trajectories[kind])
                        images = bundle.decode(latents).cpu()
                        note(name, editor.w, variant, images)
                        shown[f"{name}, w = {editor.w:g}" + ("" if variant == "exact" else f", {variant} mask")] = (
                            images
                        )
                        progress.add(len(records))
            if pictures is not None and not pictures:
                pictures.update(shown)
    return rows


def _loadable(dataset: KnownTruth) -> list[str]:
    """Ids of the images that can be loaded; the others are listed in the log.

    Raises:
        ValueError: If none can.
    """
    ids: list[str] = []
    for record in dataset.records:
        try:
            dataset.load(record)
        except (ValueError, OSError) as error:
            logger.warning("Skipped record %s: %s", record.id, error)
        else:
            ids.append(record.id)
    logger.info("%d images, %d skipped", len(ids), len(dataset.records) - len(ids))
    if not ids:
        raise ValueError(f"None of {len(dataset.records)} images can be loaded; the log says why.")
    return ids


def at_weight(editor: Editor, w: float) -> Editor:
    """The same editor with another guidance weight."""
    return Editor.of(partial(editor.edit, w=w))


def best_weights(rows: Sequence[Row]) -> dict[str, float]:
    """For each editor the weight of highest joint success, then of lowest error inside m_edit."""
    best: dict[str, tuple[tuple[float, float], float]] = {}
    for name, w in {(row.name, row.w) for row in rows if row.w is not None}:
        these = [row.measures for row in rows if row.name == name and row.w == w]
        success = sum(m["success"] for m in these) / len(these)
        error = sum(m["error_edit"] for m in these) / len(these)
        best[name] = max(best.get(name, ((-1.0, 0.0), 0.0)), ((success, -error), w))
    return {name: w for name, (_, w) in best.items()}


def summarise(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Mean and interval of every measure, for each editor, weight and mask; and how much of the gap it closes."""
    keys = list(dict.fromkeys((row.name, row.w, row.mask) for row in rows))
    table: list[dict[str, Any]] = []
    for name, w, mask in keys:
        these = [row for row in rows if (row.name, row.w, row.mask) == (name, w, mask)]
        patients = [row.patient for row in these]
        measures = {m: clustered_mean([row.measures[m] for row in these], patients).dict() for m in these[0].measures}
        table.append({"editor": name, "w": w, "mask": mask, "n": len(these), **measures})
    errors = {row["editor"]: row["error_edit"]["value"] for row in table if row["w"] is None}
    for row in table:
        row["gap_closed"] = gap_closed(errors | {"this": row["error_edit"]["value"]}, "this")
    return table


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """One line for each image and editor."""
    with whole_file(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        measures = list(rows[0].measures)
        writer.writerow(["editor", "w", "mask", "record", "patient", *measures])
        for row in rows:
            about = [row.name, row.w, row.mask, escaped(row.record), escaped(row.patient)]
            writer.writerow([*about, *(f"{row.measures[m]:.5g}" for m in measures)])
