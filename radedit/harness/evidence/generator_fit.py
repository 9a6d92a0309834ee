"""How good a generator is on images that it has never seen: in figures, beside those of another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from radedit.data.image.files import read_image, read_mask
from radedit.data.stress_set import read_rows
from radedit.editing.noise import record_randn
from radedit.editing.score import directional_similarity
from radedit.harness.evidence.results import Figure
from radedit.harness.statistics.means import clustered_mean
from radedit.harness.stress.scenario import Addition, Removal, Shift, StressData
from radedit.models.bundle.bundle import Bundle

NOISE_LEVELS = 8  # timesteps of each image, spread evenly
WEAK = 0.5  # our choice: of what a drawn abnormality changes, and of edits kept; below it a generator is called weak


@dataclass(frozen=True)
class Judgement:
    """How good a generator is.

    Attributes:
        figures: Name, value (an estimate), the rival's, unit and meaning of each, in the order of the report.
        weaknesses: Clauses that say why nothing should be concluded; empty where nothing speaks against it.
        remarks: Sentences that no figure tells, such as what the generator has learned from.
    """

    figures: list[Figure]
    weaknesses: list[str]
    remarks: list[str]


def judge(
    bundle: Bundle,
    scenario: Addition | Removal,
    data: StressData,
    stress_set: Path,
    threshold: float,
    *,
    rival: Bundle,
    remarks: Sequence[str] = (),
    batch: int = 16,
) -> Judgement:
    """Measure a generator on the images of a finished stress set.

    Args:
        bundle: The generator that made the set.
        scenario: What it added or removed. An addition is measured against its sham, in the upper half of m_edit,
            where a drawn one lies; a removal against the replay, whose text says nothing, in all of m_edit.
        data: Datasets that the set was made from.
        stress_set: Folder of the set.
        threshold: Editing scores at or above it were kept.
        rival: Another generator, such as the one that the training began with.
        remarks: As in `Judgement`.
        batch: Images at a time.
    """
    images = MeasuredImages.of(stress_set)
    ours, theirs = (reconstruction(which, images.images["source"], batch) for which in (bundle, rival))
    noise, noise_rival = (_noise_error(which, images, batch) for which in (bundle, rival))
    edit, keep = images.masks["m_edit"], images.masks["m_keep"]
    elsewhere = ~(edit | keep)
    base, where, place = "replay", edit, "m_edit"
    if isinstance(scenario, Addition):
        base, where, place = "sham", torch.stack([_upper_half(mask) for mask in edit]), "m_edit’s upper half"
    change = 255 * (images.images["edit"] - images.images[base])
    path = 255 * (images.images["edit"] - images.images["vae"])
    added = _mean(change, where)
    figures = [
        images.figure("PSNR of the VAE’s round trip", ours["psnr"], "dB", "higher is better", theirs["psnr"]),
        images.figure("SSIM of the VAE’s round trip", ours["ssim"], "", "1 is a perfect copy", theirs["ssim"]),
        images.figure(
            "Error of the predicted noise", noise, "", "mean square, empty prompt, each on its own VAE’s latents",
            noise_rival,
        ),
        images.figure(
            "Error of the inversion", _mean(255 * (images.images["replay"] - images.images["vae"]).abs(), None),
            "grey levels", "replay against round trip, mean absolute",
        ),
        images.figure(f"Edit less {base}, {place}", added, "grey levels", "what the prompt changes, signed"),
        images.figure(f"Edit less {base}, m_keep", _mean(change, keep), "grey levels", "should be 0"),
        images.figure(f"Edit less {base}, elsewhere", _mean(change, elsewhere), "grey levels", "should be near 0"),
        images.figure(
            "Pixels outside the masks that the edit changed by 10 grey levels or more",
            100 * _mean((path.abs() >= 10).float(), elsewhere), "%", "against the round trip",
        ),
    ]  # fmt: skip
    kept = np.array([row["kept"] for row in images.rows["edit"]], dtype=np.float64)
    figures.append(images.figure("Edits that the score kept", 100 * kept, "%", f"cosine of {threshold:g} and more"))
    weaknesses = []
    if kept.mean() < WEAK:
        weaknesses.append(f"the editing score kept only {kept.sum():.0f} of {len(kept)} edits")
    if "counterfactual" in images.images and isinstance(scenario, Addition):
        drawn = _mean(255 * (images.images["counterfactual"] - images.images["source"]), where)
        cosine = _score(bundle, scenario, images.images["source"], images.images["counterfactual"], batch)
        figures += [
            images.figure(
                f"Drawn into the same place, {scenario.added}", drawn, "grey levels", "the yardstick of the edit"
            ),
            images.figure("Its editing score", cosine, "", "cosine of Equation 5; undefined counts as 0"),
            images.figure("Drawn ones that the score would keep", 100.0 * (cosine >= threshold), "%", ""),
        ]
        if added.mean() < WEAK * drawn.mean():
            said = f"{added.mean():.1f}".replace("-", "\N{MINUS SIGN}")
            weaknesses.append(
                f"its edits add {said} grey levels where {scenario.added} that is drawn adds {drawn.mean():.1f}"
            )
    return Judgement(figures, weaknesses, list(remarks))


@dataclass(frozen=True)
class MeasuredImages:
    """A finished stress set, in memory: kind → images (n, 1, H, W), rows of the same order, and the sources' masks."""

    images: dict[str, Tensor]
    rows: dict[str, list[dict[str, Any]]]
    masks: dict[str, Tensor]

    @classmethod
    def of(cls, stress_set: Path) -> MeasuredImages:
        """Read those kinds that every record has."""
        rows: dict[str, list[dict[str, Any]]] = {}
        for row in read_rows(stress_set):
            rows.setdefault(row["attr_kind"], []).append(row)
        whole = {kind: found for kind, found in rows.items() if len(found) == len(rows["source"])}

        def stack(read: Callable[[Path], Tensor], paths: Sequence[str]) -> Tensor:
            return torch.stack([read(stress_set / path) for path in paths])

        images = {
            kind: stack(lambda path: read_image(path).pixels, [row["image"] for row in found])
            for kind, found in whole.items()
        }
        masks = {
            name: stack(read_mask, [row[f"mask_{name}"] for row in whole["source"]]) for name in ("m_edit", "m_keep")
        }
        return cls(images, whole, masks)

    def figure(self, name: str, values: ArrayLike, unit: str, meaning: str, rival: ArrayLike | None = None) -> Figure:
        """The mean over images, with an interval over patients, and the rival's."""
        patients = [row["patient_id"] for row in self.rows["source"]]
        return Figure(
            name=name,
            value=clustered_mean(values, patients),
            rival=None if rival is None else clustered_mean(rival, patients),
            unit=unit,
            meaning=meaning,
        )


def reconstruction(bundle: Bundle, images: Tensor, batch: int = 16) -> dict[str, NDArray[np.float64]]:
    """PSNR (dB) and SSIM of the autoencoder's round trip of each image, (n, 1, H, W)."""
    copies = torch.cat([bundle.decode(bundle.encode(x.to(bundle.device))).cpu() for x in images.split(batch)])
    mse = (copies - images).double().pow(2).mean(dim=(1, 2, 3))
    ssim = structural_similarity_index_measure(copies, images, reduction="none", data_range=1.0)
    assert isinstance(ssim, Tensor)
    return {"psnr": (-10 * mse.log10()).numpy(), "ssim": ssim.double().numpy()}


@torch.no_grad()
def _noise_error(bundle: Bundle, images: MeasuredImages, batch: int) -> NDArray[np.float64]:
    """Mean squared error of ε_θ(x_t, t, ∅) of each image's own latents, at timesteps spread evenly."""
    schedule = bundle.schedule(NOISE_LEVELS)
    f_theta = bundle.predictor(schedule)
    errors = []
    ids = [row["attr_record"] for row in images.rows["source"]]
    for first in range(0, len(ids), batch):
        x_0 = bundle.encode(images.images["source"][first : first + batch].to(bundle.device)).float()
        randn = record_randn(0, ids[first : first + batch], device=bundle.device)
        noise = randn((NOISE_LEVELS, *x_0.shape))
        error = torch.zeros(len(x_0))
        for t in range(1, NOISE_LEVELS + 1):
            alpha_bar = float(schedule.alpha_bar[t])
            x_t = alpha_bar**0.5 * x_0 + (1 - alpha_bar) ** 0.5 * noise[t - 1]
            error += (f_theta(x_t, t, None) - noise[t - 1]).pow(2).mean(dim=(1, 2, 3)).cpu() / NOISE_LEVELS
        errors.append(error)
    return torch.cat(errors).double().numpy()


def _score(bundle: Bundle, scenario: Shift, before: Tensor, after: Tensor, batch: int) -> NDArray[np.float64]:
    real, edited = bundle.embed_text([scenario.score_real, scenario.score_edit])
    one, other = (
        torch.cat([bundle.embed_image(x.to(bundle.device)) for x in images.split(batch)]) for images in (before, after)
    )
    return directional_similarity(one, other, real, edited).cpu().nan_to_num(0.0).double().numpy()


def _upper_half(mask: Tensor) -> Tensor:
    """The part of a mask (1, H, W) above the middle of its height."""
    rows = mask[0].any(dim=1).nonzero()[:, 0]
    upper = mask.clone()
    upper[:, int((rows.min() + rows.max() + 1) // 2) :] = False
    return upper


def _mean(values: Tensor, region: Tensor | None) -> NDArray[np.float64]:
    """Mean of each image inside its region; 0 where that is empty."""
    if region is None:
        return values.double().mean(dim=(1, 2, 3)).numpy()
    return ((values.double() * region).sum(dim=(1, 2, 3)) / region.sum(dim=(1, 2, 3)).clamp(min=1)).numpy()
