"""How good an edit is where the true counterfactual is known: on phantoms, or on findings drawn onto real images.

Errors are low-pass absolute differences to the true counterfactual in grey levels of 255, inside m_edit, inside m_keep,
at the border of m_edit, and elsewhere. Hidden texture can't be guessed, so editors are measured between *no edit* and
the *re-rendered counterfactual*: the truth with another texture inside m_edit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from radedit.data.image.transforms import preprocess
from radedit.harness.evidence.oracle import low_pass, shows
from radedit.models.bundle.bundle import Bundle
from radedit.types import Dataset, Record, Sample

ELSEWHERE_LIMIT = 4.0  # grey levels: more mean change outside both masks than this is not "nothing else changed"
BORDER_CELLS = 2
VARIANCE_WINDOW_PX = 7


class KnownTruth(Dataset, Protocol):
    """A data set whose images are also known without each of their findings."""

    @property
    def size(self) -> int:
        """Side of its images, px."""
        ...

    def counterfactual(self, record: Record, *, without: Collection[str], other_texture: bool = False) -> Tensor:
        """The image of a record without some of its findings, (1, size, size); with another fine texture if asked."""
        ...


@dataclass(frozen=True)
class Truth:
    """What is known of a batch of images; images are (B, 1, H, W) in [0, 1].

    Attributes:
        samples: The source images with their masks.
        source, counterfactual: With and without the finding, both with the shortcut.
        source_vae, counterfactual_vae: Their round trips.
        neither_vae: Round trip of the image with neither.
        rerendered: The counterfactual with another texture.
    """

    samples: list[Sample]
    source: Tensor
    counterfactual: Tensor
    source_vae: Tensor
    counterfactual_vae: Tensor
    neither_vae: Tensor
    rerendered: Tensor

    @classmethod
    def of(cls, dataset: KnownTruth, ids: Sequence[str], bundle: Bundle, finding: str, shortcut: str) -> Truth:
        """Draw and encode the images of some records.

        Raises:
            ValueError: If the dataset's images have another size than the generator's.
        """
        if dataset.size != bundle.size:
            raise ValueError(
                f"Images are drawn at {dataset.size} px, but the generator works at {bundle.size}. Say size=…."
            )
        records = [record for record in dataset.records if record.id in set(ids)]
        samples = [preprocess(dataset.load(record), bundle.size) for record in records]

        def images(*without: str, other_texture: bool = False) -> Tensor:
            return torch.stack(
                [dataset.counterfactual(r, without=without, other_texture=other_texture) for r in records]
            )

        def vae(x: Tensor) -> Tensor:
            return bundle.decode(bundle.encode(x.to(bundle.device))).cpu()

        source, counterfactual = torch.stack([sample.image for sample in samples]), images(finding)
        rerendered = images(finding, other_texture=True)
        return cls(
            samples,
            source,
            counterfactual,
            vae(source),
            vae(counterfactual),
            vae(images(finding, shortcut)),
            rerendered,
        )


@dataclass(frozen=True)
class Regions:
    """Where errors are averaged, bool, (B, 1, H, W)."""

    edit: Tensor
    keep: Tensor
    border: Tensor
    elsewhere: Tensor

    @classmethod
    def of(cls, edit: Tensor, keep: Tensor, factor: int) -> Regions:
        """From masks at the images' resolution, (B, 1, H, W), and the pixels of a latent cell."""
        edit = edit & ~keep
        near = torch.stack([_near_edge(mask, BORDER_CELLS * factor) for mask in edit])
        return cls(edit, keep, near & ~keep, ~(edit | keep | near))


def _near_edge(mask: Tensor, radius_px: float) -> Tensor:
    inside, outside = (ndimage.distance_transform_edt(m[0].numpy()) for m in (mask, ~mask))
    return torch.from_numpy(np.maximum(inside, outside) <= radius_px)[None]


def reference_images(truth: Truth, regions: Regions) -> dict[str, Tensor]:
    """What editors are measured against."""
    return {
        "no edit": truth.source_vae,
        "local mean fill": torch.stack([_mean_fill(f, m) for f, m in zip(truth.source_vae, regions.edit, strict=True)]),
        "VAE of the counterfactual": truth.counterfactual_vae,
        "re-rendered counterfactual": torch.where(regions.edit, truth.rerendered, truth.counterfactual),
    }


def _mean_fill(image: Tensor, mask: Tensor) -> Tensor:
    """The image with its mask filled by the mean of its surroundings, near ones most."""
    outside, grey = (~mask[0]).float().numpy(), image[0].numpy()
    sigma = 0.06 * grey.shape[0]
    mean = ndimage.gaussian_filter(grey * outside, sigma) / np.maximum(ndimage.gaussian_filter(outside, sigma), 1e-3)
    return torch.where(mask, torch.from_numpy(mean)[None].float(), image)


def quality(images: Tensor, truth: Truth, regions: Regions) -> dict[str, Tensor]:
    """Measures of each image, each of shape (B,).

    `error_*` against the true counterfactual and `change_keep` against the source, in grey levels of 255: m_keep keeps
    what the finding did to it, too. `variance_ratio` of local variance against the counterfactual's inside m_edit; 1 is
    right. `gone`, `kept` and `clean` are 0 or 1, and `success` is all three: finding gone, shortcut kept, nothing else
    changed.
    """
    error = 255 * (low_pass(images) - low_pass(truth.counterfactual)).abs()
    measures = {
        f"error_{name}": _mean(error, getattr(regions, name)) for name in ("edit", "keep", "border", "elsewhere")
    }
    change = 255 * (low_pass(images) - low_pass(truth.source_vae)).abs()
    measures["change_keep"] = _mean(change, regions.keep)
    ratio = _mean(_variance(images), regions.edit) / _mean(_variance(truth.counterfactual), regions.edit).clamp(
        min=1e-9
    )
    gone = ~shows(images, truth.source_vae, truth.counterfactual_vae)
    kept = shows(
        images, truth.counterfactual_vae, truth.neither_vae, beside=(truth.source_vae, truth.counterfactual_vae)
    )
    clean = _mean(change, regions.elsewhere) <= ELSEWHERE_LIMIT
    verdicts = {"gone": gone, "kept": kept, "clean": clean, "success": gone & kept & clean}
    return measures | {"variance_ratio": ratio} | {name: verdict.float() for name, verdict in verdicts.items()}


def _mean(values: Tensor, region: Tensor) -> Tensor:
    return (values * region).flatten(1).sum(1) / region.flatten(1).sum(1).clamp(min=1)


def _variance(images: Tensor) -> Tensor:
    """Variance in a window around each pixel."""
    size = VARIANCE_WINDOW_PX
    mean = torch.nn.functional.avg_pool2d(images, size, 1, size // 2, count_include_pad=False)
    square = torch.nn.functional.avg_pool2d(images**2, size, 1, size // 2, count_include_pad=False)
    return (square - mean**2).clamp(min=0)


def gap_closed(error: Mapping[str, float], name: str) -> float:
    """Share of the gap from *no edit* to the *re-rendered counterfactual* that a row closes inside m_edit."""
    return (error["no edit"] - error[name]) / (error["no edit"] - error["re-rendered counterfactual"])
