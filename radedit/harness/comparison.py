"""The paper's side-by-side pictures (Figures 2, 3, 10 and 11) with numbers, on drawn films with known truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from radedit.data.readers.phantom import PhantomReader
from radedit.data.transforms import preprocess
from radedit.editing.inversion import Trajectory
from radedit.editing.noise import record_randn
from radedit.harness.editors import Editor
from radedit.harness.oracle import low_pass, shows
from radedit.harness.statistics import clustered_mean
from radedit.masks import to_latent
from radedit.models.bundle import Bundle
from radedit.phantom.render import HOSPITAL_LOOKS
from radedit.types import EditMasks, Sample

MARKER_HALF = 0.05  # half the side of the square around a marker, a share of the film
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
        reader: Films that are edited.
        masks: Mask strategy.
        columns: Caption → how.
        removed: Finding that the edit should remove; empty if it adds one.
        beside: Finding that should stay, such as a drain; empty if there is none.
        measures: Which of `MEASURES` are told.
    """

    figure: str
    claim: str
    reader: PhantomReader
    masks: Callable[[Sample], tuple[Tensor, Tensor]]
    columns: Mapping[str, Column]
    measures: Sequence[str]
    removed: str = ""
    beside: str = ""

    def __post_init__(self) -> None:
        if unknown := set(self.measures) - set(MEASURES):
            raise ValueError(f"Unknown measures {sorted(unknown)}; allowed are {', '.join(MEASURES)}.")


@dataclass(frozen=True)
class Films:
    """Edited films with what they are compared with, each (B, 1, H, W).

    Attributes:
        samples: Sources.
        source_vae: Round trips of the sources.
        edited: By one column.
        m_edit: Pixels to be edited, bool.
        twin_vae: Round trips of the films without `removed`.
        neither_vae: And without `beside`.
    """

    samples: Sequence[Sample]
    source_vae: Tensor
    edited: Tensor
    m_edit: Tensor
    twin_vae: Tensor | None = None
    neither_vae: Tensor | None = None


def gone(films: Films) -> Tensor:
    """Whether the finding is gone."""
    assert films.twin_vae is not None
    return 100 * (~shows(films.edited, films.source_vae, films.twin_vae)).float()


def kept(films: Films) -> Tensor:
    """Whether what should stay, such as a drain, is there still."""
    assert films.twin_vae is not None and films.neither_vae is not None
    beside = (films.source_vae, films.twin_vae)
    return 100 * shows(films.edited, films.twin_vae, films.neither_vae, beside=beside).float()


def changed_outside(films: Films) -> Tensor:
    """Mean change outside m_edit, grey levels."""
    change = 255 * (low_pass(films.edited) - low_pass(films.source_vae)).abs()
    outside = (~films.m_edit).float()
    return (change * outside).flatten(1).sum(1) / outside.flatten(1).sum(1)


def seam(films: Films) -> Tensor:
    """How much more the edit changes films just inside m_edit's border than just outside, grey levels.

    An editor that may not touch the outside leaves all of its change to stop at the border.
    """
    change = 255 * (films.edited - films.source_vae)
    mask = films.m_edit.float()
    kernel = 2 * SEAM_PX + 1
    near = torch.nn.functional.max_pool2d(mask, kernel, 1, SEAM_PX) - mask
    inner = mask + torch.nn.functional.max_pool2d(-mask, kernel, 1, SEAM_PX)

    def mean(where: Tensor) -> Tensor:
        return (change.abs() * where).flatten(1).sum(1) / where.flatten(1).sum(1).clamp(min=1)

    return mean(inner) - mean(near)


def marker(films: Films) -> Tensor:
    """Mean change in the square around the hospital's laterality marker, grey levels."""
    change = 255 * (films.edited - films.source_vae).abs()
    side = change.shape[-1]
    values = []
    for film, sample in zip(change, films.samples, strict=True):
        x, y = HOSPITAL_LOOKS[str(sample.record.attributes["hospital"])].marker_at
        top, left = (max(0, round((centre - MARKER_HALF) * side)) for centre in (y, x))
        size = round(2 * MARKER_HALF * side)
        values.append(film[0, top : top + size, left : left + size].mean())
    return torch.stack(values)


def marker_left(films: Films) -> Tensor:
    """Contrast of the marker's square after the edit, per cent of that before: its brightest less its median."""
    side = films.edited.shape[-1]
    shares = []
    for before, after, sample in zip(films.source_vae, films.edited, films.samples, strict=True):
        x, y = HOSPITAL_LOOKS[str(sample.record.attributes["hospital"])].marker_at
        top, left = (max(0, round((centre - MARKER_HALF) * side)) for centre in (y, x))
        size = round(2 * MARKER_HALF * side)
        contrast = [
            (square.quantile(0.98) - square.median()).clamp(min=1e-3)
            for square in (film[0, top : top + size, left : left + size] for film in (before, after))
        ]
        shares.append(100 * contrast[1] / contrast[0])
    return torch.stack(shares)


MEASURES: Mapping[str, Callable[[Films], Tensor]] = {
    "gone": gone,
    "kept": kept,
    "changed_outside": changed_outside,
    "seam": seam,
    "marker": marker,
    "marker_left": marker_left,
}
MEANINGS = {
    "gone": "finding gone, % of films",
    "kept": "kept what should stay, % of films",
    "changed_outside": "mean change outside m_edit, grey levels",
    "seam": "change inside m_edit’s border less that outside, grey levels",
    "marker": "mean change around the laterality marker, grey levels",
    "marker_left": "contrast of the marker that is left, %",
}


def compare(
    comparison: Comparison, bundle: Bundle, *, steps: int, seed: int, block: int
) -> tuple[list[dict[str, Any]], dict[str, Tensor]]:
    """Edit all films in every way, and measure them.

    Args:
        comparison: What is compared.
        bundle: Generator.
        steps: T.
        seed: Of the noise, which all columns share.
        block: Films at a time.

    Returns:
        A row for each column, with the mean of every measure and its interval over patients; and pictures: caption →
        films (n, H, W), of the first block.
    """
    schedule = bundle.schedule(steps)
    f_theta = bundle.predictor(schedule)
    columns = {
        caption: (Editor.of(column.editor), bundle.embed_prompts([column.prompt]))
        for caption, column in comparison.columns.items()
    }
    values: dict[str, dict[str, list[float]]] = {c: {m: [] for m in comparison.measures} for c in columns}
    pictures: dict[str, Tensor] = {}
    records = list(comparison.reader.records)
    for first in range(0, len(records), block):
        samples = [preprocess(comparison.reader.load(r), bundle.size) for r in records[first : first + block]]
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
            films = Films(samples, source_vae, edited, torch.stack([e & ~k for e, k in drawn]), **truth)
            for name in comparison.measures:
                values[caption][name].extend(MEASURES[name](films).tolist())
            shown[caption] = edited
        pictures = pictures or {caption: films[:, 0] for caption, films in shown.items()}
    subjects = [record.subject_id for record in records]
    rows = [
        {"column": caption, "n": len(records), **{m: clustered_mean(v, subjects).dict() for m, v in measured.items()}}
        for caption, measured in values.items()
    ]
    return rows, pictures


def _truth(comparison: Comparison, samples: Sequence[Sample], bundle: Bundle) -> dict[str, Tensor]:
    """Round trips of the true films without `removed`, and without `beside`, too."""
    if not comparison.removed:
        return {}

    def vae(**do: int) -> Tensor:
        reader = comparison.reader.twin(**do)
        films = torch.stack([preprocess(reader.load(sample.record), bundle.size).image for sample in samples])
        return bundle.decode(bundle.encode(films.to(bundle.device))).cpu()

    found = {"twin_vae": vae(**{comparison.removed: 0})}
    if comparison.beside:
        found["neither_vae"] = vae(**{comparison.removed: 0, comparison.beside: 0})
    return found
