"""The paper's side-by-side pictures (Figures 2, 3, 10 and 11) with numbers, on phantoms with known truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from radedit.data.datasets.phantom import PhantomDataset
from radedit.data.image.transforms import preprocess
from radedit.data.io.progress import tracked
from radedit.editing.editor import Editor
from radedit.editing.inversion import Trajectory
from radedit.editing.noise import record_randn
from radedit.harness.evidence.oracle import low_pass, shows
from radedit.harness.statistics.means import clustered_mean
from radedit.masks import to_latent
from radedit.models.bundle.bundle import Bundle
from radedit.phantom.render import HOSPITAL_LOOKS
from radedit.types import EditMasks, Sample

MARKER_HALF = 0.05  # half the side of the square around a marker, a share of the image
SEAM_PX = 2  # on either side of m_edit's border


@dataclass(frozen=True)
class Column:
    """One way to edit: an editor, its guidance weight among its arguments, and a prompt."""

    editor: Any
    prompt: str


@dataclass(frozen=True)
class Comparison:
    """One of the paper's figures.

    Attributes:
        figure: Of the paper.
        claim: What it shows there.
        dataset: Images that are edited.
        masks: Mask strategy.
        columns: Caption → how.
        removed: Finding that the edit should remove; empty if it adds one.
        beside: Finding that should stay, such as a drain; empty if there is none.
        measures: Which of `MEASURES` are shown.
    """

    figure: str
    claim: str
    dataset: PhantomDataset
    masks: Callable[[Sample], tuple[Tensor, Tensor]]
    columns: Mapping[str, Column]
    measures: Sequence[str]
    removed: str = ""
    beside: str = ""

    def __post_init__(self) -> None:
        if unknown := set(self.measures) - set(MEASURES):
            raise ValueError(f"Unknown measures {sorted(unknown)}; allowed are {', '.join(MEASURES)}.")


@dataclass(frozen=True)
class ComparisonImages:
    """Edited images with what they are compared with, each (B, 1, H, W).

    Attributes:
        samples: Sources.
        source_vae: Round trips of the sources.
        edited: By one column.
        m_edit: Pixels to be edited, bool.
        counterfactual_vae: Round trips of the images without `removed`.
        neither_vae: And without `beside`.
    """

    samples: Sequence[Sample]
    source_vae: Tensor
    edited: Tensor
    m_edit: Tensor
    counterfactual_vae: Tensor | None = None
    neither_vae: Tensor | None = None


def gone(images: ComparisonImages) -> Tensor:
    """Whether the finding is gone."""
    assert images.counterfactual_vae is not None
    return 100 * (~shows(images.edited, images.source_vae, images.counterfactual_vae)).float()


def kept(images: ComparisonImages) -> Tensor:
    """Whether what should stay, such as a drain, is there still."""
    assert images.counterfactual_vae is not None and images.neither_vae is not None
    beside = (images.source_vae, images.counterfactual_vae)
    return 100 * shows(images.edited, images.counterfactual_vae, images.neither_vae, beside=beside).float()


def changed_outside(images: ComparisonImages) -> Tensor:
    """Mean change outside m_edit, grey levels."""
    change = 255 * (low_pass(images.edited) - low_pass(images.source_vae)).abs()
    outside = (~images.m_edit).float()
    return (change * outside).flatten(1).sum(1) / outside.flatten(1).sum(1)


def seam(images: ComparisonImages) -> Tensor:
    """How much more the edit changes images just inside m_edit's border than just outside, grey levels.

    An editor that may not touch the outside leaves all of its change to stop at the border.
    """
    change = 255 * (images.edited - images.source_vae)
    mask = images.m_edit.float()
    kernel = 2 * SEAM_PX + 1
    near = torch.nn.functional.max_pool2d(mask, kernel, 1, SEAM_PX) - mask
    inner = mask + torch.nn.functional.max_pool2d(-mask, kernel, 1, SEAM_PX)

    def mean(where: Tensor) -> Tensor:
        return (change.abs() * where).flatten(1).sum(1) / where.flatten(1).sum(1).clamp(min=1)

    return mean(inner) - mean(near)


def marker(images: ComparisonImages) -> Tensor:
    """Mean change in the square around the hospital's laterality marker, grey levels."""
    change = 255 * (images.edited - images.source_vae).abs()
    side = change.shape[-1]
    values = []
    for image, sample in zip(change, images.samples, strict=True):
        x, y = HOSPITAL_LOOKS[str(sample.record.attributes["hospital"])].marker_at
        top, left = (max(0, round((centre - MARKER_HALF) * side)) for centre in (y, x))
        size = round(2 * MARKER_HALF * side)
        values.append(image[0, top : top + size, left : left + size].mean())
    return torch.stack(values)


def marker_left(images: ComparisonImages) -> Tensor:
    """Contrast of the marker's square after the edit, per cent of that before: its brightest less its median."""
    side = images.edited.shape[-1]
    shares = []
    for before, after, sample in zip(images.source_vae, images.edited, images.samples, strict=True):
        x, y = HOSPITAL_LOOKS[str(sample.record.attributes["hospital"])].marker_at
        top, left = (max(0, round((centre - MARKER_HALF) * side)) for centre in (y, x))
        size = round(2 * MARKER_HALF * side)
        contrast = [
            (square.quantile(0.98) - square.median()).clamp(min=1e-3)
            for square in (image[0, top : top + size, left : left + size] for image in (before, after))
        ]
        shares.append(100 * contrast[1] / contrast[0])
    return torch.stack(shares)


MEASURES: Mapping[str, Callable[[ComparisonImages], Tensor]] = {
    "gone": gone,
    "kept": kept,
    "changed_outside": changed_outside,
    "seam": seam,
    "marker": marker,
    "marker_left": marker_left,
}
MEANINGS = {
    "gone": "finding gone, % of images",
    "kept": "kept what should stay, % of images",
    "changed_outside": "mean change outside m_edit, grey levels",
    "seam": "change inside m_edit’s border less that outside, grey levels",
    "marker": "mean change around the laterality marker, grey levels",
    "marker_left": "contrast of the marker that is left, %",
}


def compare(
    comparison: Comparison, bundle: Bundle, *, steps: int, seed: int, block: int
) -> tuple[list[dict[str, Any]], dict[str, Tensor]]:
    """Edit all images in every way, and measure them.

    Args:
        comparison: What is compared.
        bundle: Generator.
        steps: T.
        seed: Of the noise, which all columns share.
        block: Images at a time.

    Returns:
        A row for each column, with the mean of every measure and its interval over patients; and pictures: caption →
        images (n, H, W), of the first block.
    """
    schedule = bundle.schedule(steps)
    f_theta = bundle.predictor(schedule)
    columns = {
        caption: (Editor.of(column.editor), bundle.embed_prompts([column.prompt]))
        for caption, column in comparison.columns.items()
    }
    values: dict[str, dict[str, list[float]]] = {c: {m: [] for m in comparison.measures} for c in columns}
    pictures: dict[str, Tensor] = {}
    records = list(comparison.dataset.records)
    starts = range(0, len(records), block)
    for first in tracked(starts, len(starts), comparison.figure, "blocks"):
        samples = [preprocess(comparison.dataset.load(r), bundle.size) for r in records[first : first + block]]
        drawn = [comparison.masks(sample) for sample in samples]
        latent = [to_latent(edit, keep, bundle.factor).masks for edit, keep in drawn]
        masks = EditMasks(*(torch.stack(part).to(bundle.device) for part in zip(*latent, strict=True)))
        randn = record_randn(seed, [sample.record.id for sample in samples], device=bundle.device)
        source = torch.stack([sample.image for sample in samples])
        x_0 = bundle.encode(source.to(bundle.device)).float()
        truth = _truth(comparison, samples, bundle)
        source_vae = bundle.decode(x_0).cpu()
        shown: dict[str, Tensor] = {"original": source}
        trajectories: dict[str | None, Trajectory | None] = {}
        for caption, (editor, c) in columns.items():
            if editor.inversion not in trajectories:
                trajectories[editor.inversion] = editor.invert(f_theta, x_0, schedule, randn)
            shared = trajectories[editor.inversion]
            latents = editor.edit(f_theta, x_0, None, c, masks, schedule, randn, trajectory=shared)
            edited = bundle.decode(latents).cpu()
            images = ComparisonImages(samples, source_vae, edited, torch.stack([e & ~k for e, k in drawn]), **truth)
            for name in comparison.measures:
                values[caption][name].extend(MEASURES[name](images).tolist())
            shown[caption] = edited
        pictures = pictures or {caption: images[:, 0] for caption, images in shown.items()}
    patients = [record.patient_id for record in records]
    rows = [
        {"column": caption, "n": len(records), **{m: clustered_mean(v, patients).dict() for m, v in measured.items()}}
        for caption, measured in values.items()
    ]
    return rows, pictures


def _truth(comparison: Comparison, samples: Sequence[Sample], bundle: Bundle) -> dict[str, Tensor]:
    """Round trips of the true images without `removed`, and without `beside`, too."""
    if not comparison.removed:
        return {}

    def vae(**do: int) -> Tensor:
        dataset = comparison.dataset.intervene(**do)
        images = torch.stack([preprocess(dataset.load(sample.record), bundle.size).image for sample in samples])
        return bundle.decode(bundle.encode(images.to(bundle.device))).cpu()

    found = {"counterfactual_vae": vae(**{comparison.removed: 0})}
    if comparison.beside:
        found["neither_vae"] = vae(**{comparison.removed: 0, comparison.beside: 0})
    return found
