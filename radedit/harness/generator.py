"""How good a generator is on films that it has never seen: in figures, beside those of another one."""

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

from radedit.data.images import read_image, read_mask
from radedit.data.stress_set import read_rows
from radedit.editing.noise import record_randn
from radedit.editing.score import directional_similarity
from radedit.harness.scenario import Addition, Removal, Shift, StressData
from radedit.harness.statistics import clustered_mean
from radedit.models.bundle import Bundle

NOISE_LEVELS = 8  # timesteps of each film, spread evenly
WEAK = 0.5  # our choice: of what a drawn abnormality changes, and of edits kept; below it a generator is called weak


@dataclass(frozen=True)
class Judgement:
    """How good a generator is.

    Attributes:
        figures: Name, value (an estimate), the rival's, unit and meaning of each, in the order of the report.
        weaknesses: Clauses that say why nothing should be concluded; empty where nothing speaks against it.
        remarks: Sentences that no figure tells, such as what the generator has learned from.
    """

    figures: list[dict[str, Any]]
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
    """Measure a generator on the films of a finished stress set.

    Args:
        bundle: The generator that made the set.
        scenario: What it added or removed. An addition is measured against its sham, in the upper half of m_edit,
            where a drawn one lies; a removal against the replay, whose text says nothing, in all of m_edit.
        data: Readers that the set was made from.
        stress_set: Folder of the set.
        threshold: Editing scores at or above it were kept.
        rival: Another generator, such as the one that the training began with.
        remarks: As in `Judgement`.
        batch: Films at a time.
    """
    films = Films.of(stress_set)
    ours, theirs = (reconstruction(which, films.images["source"], batch) for which in (bundle, rival))
    noise, noise_rival = (_noise_error(which, films, batch) for which in (bundle, rival))
    edit, keep = films.masks["m_edit"], films.masks["m_keep"]
    elsewhere = ~(edit | keep)
    base, where, place = "replay", edit, "m_edit"
    if isinstance(scenario, Addition):
        base, where, place = "sham", torch.stack([_upper_half(mask) for mask in edit]), "m_edit’s upper half"
    change = 255 * (films.images["edit"] - films.images[base])
    path = 255 * (films.images["edit"] - films.images["vae"])
    added = _mean(change, where)
    figures = [
        films.figure("PSNR of the VAE’s round trip", ours["psnr"], "dB", "higher is better", theirs["psnr"]),
        films.figure("SSIM of the VAE’s round trip", ours["ssim"], "", "1 is a perfect copy", theirs["ssim"]),
        films.figure(
            "Error of the predicted noise", noise, "", "mean square, empty prompt, each on its own VAE’s latents",
            noise_rival,
        ),
        films.figure(
            "Error of the inversion", _mean(255 * (films.images["replay"] - films.images["vae"]).abs(), None),
            "grey levels", "replay against round trip, mean absolute",
        ),
        films.figure(f"Edit less {base}, {place}", added, "grey levels", "what the prompt changes, signed"),
        films.figure(f"Edit less {base}, m_keep", _mean(change, keep), "grey levels", "should be 0"),
        films.figure(f"Edit less {base}, elsewhere", _mean(change, elsewhere), "grey levels", "should be near 0"),
        films.figure(
            "Pixels outside the masks that the edit changed by 10 grey levels or more",
            100 * _mean((path.abs() >= 10).float(), elsewhere), "%", "against the round trip",
        ),
    ]  # fmt: skip
    kept = np.array([row["kept"] for row in films.rows["edit"]], dtype=np.float64)
    figures.append(films.figure("Edits that the score kept", 100 * kept, "%", f"cosine of {threshold:g} and more"))
    weaknesses = []
    if kept.mean() < WEAK:
        weaknesses.append(f"the editing score kept only {kept.sum():.0f} of {len(kept)} edits")
    if "twin" in films.images and isinstance(scenario, Addition):
        drawn = _mean(255 * (films.images["twin"] - films.images["source"]), where)
        cosine = _score(bundle, scenario, films.images["source"], films.images["twin"], batch)
        figures += [
            films.figure(
                f"Drawn into the same place, {scenario.added}", drawn, "grey levels", "the yardstick of the edit"
            ),
            films.figure("Its editing score", cosine, "", "cosine of Equation 5; undefined counts as 0"),
            films.figure("Drawn ones that the score would keep", 100.0 * (cosine >= threshold), "%", ""),
        ]
        if added.mean() < WEAK * drawn.mean():
            said = f"{added.mean():.1f}".replace("-", "\N{MINUS SIGN}")
            weaknesses.append(
                f"its edits add {said} grey levels where {scenario.added} that is drawn adds {drawn.mean():.1f}"
            )
    return Judgement(figures, weaknesses, list(remarks))


@dataclass(frozen=True)
class Films:
    """A finished stress set, in memory: kind → films (n, 1, H, W), rows of the same order, and the sources' masks."""

    images: dict[str, Tensor]
    rows: dict[str, list[dict[str, Any]]]
    masks: dict[str, Tensor]

    @classmethod
    def of(cls, stress_set: Path) -> Films:
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

    def figure(
        self, name: str, values: ArrayLike, unit: str, meaning: str, rival: ArrayLike | None = None
    ) -> dict[str, Any]:
        """The mean over films, with an interval over patients, and the rival's."""
        subjects = [row["subject_id"] for row in self.rows["source"]]
        both = [None if which is None else clustered_mean(which, subjects).dict() for which in (values, rival)]
        return {"name": name, "value": both[0], "rival": both[1], "unit": unit, "meaning": meaning}


def reconstruction(bundle: Bundle, films: Tensor, batch: int = 16) -> dict[str, NDArray[np.float64]]:
    """PSNR (dB) and SSIM of the autoencoder's round trip of each film, (n, 1, H, W)."""
    copies = torch.cat([bundle.decode(bundle.encode(x.to(bundle.device))).cpu() for x in films.split(batch)])
    mse = (copies - films).double().pow(2).mean(dim=(1, 2, 3))
    ssim = structural_similarity_index_measure(copies, films, reduction="none", data_range=1.0)
    assert isinstance(ssim, Tensor)
    return {"psnr": (-10 * mse.log10()).numpy(), "ssim": ssim.double().numpy()}


@torch.no_grad()
def _noise_error(bundle: Bundle, films: Films, batch: int) -> NDArray[np.float64]:
    """Mean squared error of ε_θ(x_t, t, ∅) of each film's own latents, at timesteps spread evenly."""
    schedule = bundle.schedule(NOISE_LEVELS)
    f_theta = bundle.predictor(schedule)
    errors = []
    ids = [row["attr_record"] for row in films.rows["source"]]
    for first in range(0, len(ids), batch):
        x_0 = bundle.encode(films.images["source"][first : first + batch].to(bundle.device)).float()
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
        torch.cat([bundle.embed_image(x.to(bundle.device)) for x in films.split(batch)]) for films in (before, after)
    )
    return directional_similarity(one, other, real, edited).cpu().nan_to_num(0.0).double().numpy()


def _upper_half(mask: Tensor) -> Tensor:
    """The part of a mask (1, H, W) above the middle of its height."""
    rows = mask[0].any(dim=1).nonzero()[:, 0]
    upper = mask.clone()
    upper[:, int((rows.min() + rows.max() + 1) // 2) :] = False
    return upper


def _mean(values: Tensor, region: Tensor | None) -> NDArray[np.float64]:
    """Mean of each film inside its region; 0 where that is empty."""
    if region is None:
        return values.double().mean(dim=(1, 2, 3)).numpy()
    return ((values.double() * region).sum(dim=(1, 2, 3)) / region.sum(dim=(1, 2, 3)).clamp(min=1)).numpy()
