"""How good a generator is, in figures, on phantoms of patients that it never saw: what its model card says."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.functional.classification import binary_auroc

from radedit.data.image.transforms import preprocess
from radedit.data.io.progress import tracked
from radedit.editing.inversion import invert
from radedit.editing.noise import record_randn
from radedit.editing.radedit import edit, replay
from radedit.harness.evidence.generator_fit import reconstruction
from radedit.harness.statistics.means import clustered_mean
from radedit.models.bundle.bundle import PARTS, Bundle
from radedit.phantom.reports import NORMAL, SIDES, phrasebook
from radedit.studies.generator.realism import halves, kernel_distance
from radedit.types import Dataset, EditMasks, Sample

logger = logging.getLogger(__name__)

LATERAL = {"pneumothorax": -1, "consolidation": 1}  # findings of one side, and whether they darken or brighten a lung
BATCH = 16


@dataclass(frozen=True)
class Examination:
    """What to examine a generator with.

    Attributes:
        images: Any images, with reports and labels.
        healthy: Images without any finding, on which reactions to sentences are measured.
        steps: T.
        w: Guidance weight.
        n_sentences: Sentences of each kind and finding.
        n_samples: Images drawn from noise, by the reports of as many of `images`, to be compared with all of them.
        guidance: Weight with which they are drawn.
        seed: Of all noise.
    """

    images: Dataset
    healthy: Dataset
    steps: int
    w: float
    n_sentences: int
    n_samples: int = 64
    guidance: float = 3.0
    seed: int = 0

    def run(self, bundle: Bundle) -> dict[str, Any]:
        """Every figure, as JSON has it."""
        bundle.require("vae", "unet", "text_encoder", "tokenizer", "image_encoder")
        samples = _load(self.images, bundle)
        images = torch.stack([sample.image for sample in samples])
        reconstructed = reconstruction(bundle, images)
        texts = [samples[i % len(samples)].record.report for i in range(self.n_samples)]
        made = draw(bundle, texts, steps=self.steps, w=self.guidance, seed=self.seed)
        return {
            "parameters": {part: count(getattr(bundle, part)) for part in PARTS},
            "images": len(samples),
            "reconstruction": {name: float(values.mean()) for name, values in reconstructed.items()},
            "kernel_distance": {
                "samples": kernel_distance(bundle, images, made),
                "other patients": kernel_distance(
                    bundle, *halves(images.unbind(), [sample.record.patient_id for sample in samples])
                ),
            },
            "noise": noise_prediction(bundle, samples, self.seed),
            "joint_space": joint_space(bundle, samples),
            "reaction": self.reaction(bundle),
        }

    def reaction(self, bundle: Bundle) -> list[dict[str, Any]]:
        """For each finding of one side, and for trained and held-out sentences, whether the named lung changes.

        Healthy images are edited as a whole by RadEdit, with a sentence that names one lung. The edit reacts rightly
        if, against the replay, that lung turns darker (pneumothorax) or brighter (consolidation), and does so more than
        the other lung.
        """
        samples = _load(self.healthy, bundle)
        schedule = bundle.schedule(self.steps)
        f_theta = bundle.predictor(schedule)
        images = torch.stack([sample.image for sample in samples]).to(bundle.device)
        lungs = {side: torch.stack([sample.masks[f"{side}_lung"] for sample in samples]) for side in SIDES}
        randn = record_randn(self.seed, [sample.record.id for sample in samples], device=bundle.device)
        x_0 = bundle.encode(images).float()
        everywhere = torch.ones_like(x_0[:, :1])
        masks = EditMasks(everywhere, 0 * everywhere)
        trajectory = invert(f_theta, x_0, None, schedule, randn, steps_per_call=4)
        before = bundle.decode(replay(f_theta, x_0, None, masks, schedule, randn, w=self.w, trajectory=trajectory))
        patients = [sample.record.patient_id for sample in samples]
        rows = []
        asked = list(product(LATERAL.items(), (False, True)))
        for (finding, sign), held_out in tracked(asked, len(asked), "Editing", "prompts"):
            right: list[bool] = []
            changes: dict[str, list[float]] = {"named": [], "other": []}
            texts = sentences(finding, held_out)[: self.n_sentences]
            for text, side in product(texts, SIDES):
                c = bundle.embed_prompts([text[side]])
                x = edit(f_theta, x_0, None, c, masks, schedule, randn, w=self.w, trajectory=trajectory)
                change = 255 * (bundle.decode(x) - before).cpu()
                named, other = (_mean(change, lungs[s]) for s in (side, next(s for s in SIDES if s != side)))
                right += ((sign * named > 0) & (sign * named > sign * other)).tolist()
                changes["named"] += named.tolist()
                changes["other"] += other.tolist()
            owners = patients * (len(right) // len(patients))
            rows.append(
                {
                    "finding": finding,
                    "sentences": "held out" if held_out else "trained",
                    "n_sentences": len(texts),
                    "n": len(right),
                    "right": clustered_mean(right, owners).dict(),
                    "change_named": clustered_mean(changes["named"], owners).dict(),
                    "change_other": clustered_mean(changes["other"], owners).dict(),
                }
            )
        return rows


def sentences(finding: str, held_out: bool) -> list[dict[str, str]]:
    """Templates that name a side, each filled for both sides."""
    book = phrasebook()
    grades = {"size": "large", "lobe": "upper"}
    return [
        {side: template.fill(book.slots({**grades, "side": side})) for side in SIDES}
        for template in book.findings[finding].templates(held_out)
        if "side" in template.slots
    ]


@torch.no_grad()
def noise_prediction(bundle: Bundle, samples: Sequence[Sample], seed: int) -> dict[str, float]:
    """Mean squared error of the predicted noise at random steps: with the image's report, another's, and none."""
    T = 1000  # noqa: N806 — the paper's symbol
    f_theta = bundle.predictor(bundle.schedule(T))
    generator = torch.Generator().manual_seed(seed)
    reports = [sample.record.report for sample in samples]
    error = {"report": 0.0, "another": 0.0, "none": 0.0}
    for first in range(0, len(samples), BATCH):
        images = torch.stack([sample.image for sample in samples[first : first + BATCH]])
        x_0 = bundle.encode(images.to(bundle.device)).float()
        t = torch.randint(1, T + 1, (len(images),), generator=generator)
        noise = torch.randn(x_0.shape, generator=generator).to(x_0)
        t = t.to(x_0.device)
        x_t = f_theta.schedule.add_noise(x_0, t, noise)
        own = reports[first : first + BATCH]
        others = [reports[(first + i + len(reports) // 2) % len(reports)] for i in range(len(own))]
        for name, texts in {"report": own, "another": others, "none": [""] * len(own)}.items():
            eps = f_theta(x_t, t, bundle.embed_prompts(texts))
            error[name] += float((eps - noise).pow(2).mean(dim=(1, 2, 3)).sum()) / len(samples)
    return error


def joint_space(bundle: Bundle, samples: Sequence[Sample]) -> dict[str, float]:
    """AUROC of each finding that some images have: is the image nearer to its name than to a normal report?

    Of images that were not read for a finding, nothing is said.
    """
    images = torch.cat(
        [bundle.embed_image(torch.stack([s.image for s in part]).to(bundle.device)) for part in _parts(samples)]
    ).cpu()
    result = {}
    for finding in phrasebook().findings:
        read = [i for i, sample in enumerate(samples) if finding in sample.record.labels]
        target = torch.tensor([samples[i].record.labels[finding] for i in read])
        if 0 < int(target.sum()) < len(target):
            present, normal = bundle.embed_text([f"{finding.capitalize()}.", NORMAL]).cpu()
            result[finding] = float(binary_auroc(images[read] @ (present - normal), target))
    return result


def count(module: nn.Module) -> int:
    """Parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def _load(dataset: Dataset, bundle: Bundle) -> list[Sample]:
    samples = []
    for record in dataset.records:
        try:
            samples.append(preprocess(dataset.load(record), bundle.size))
        except (ValueError, OSError) as error:
            logger.warning("Skipped record %s: %s", record.id, error)
    return samples


def _parts(samples: Sequence[Sample]) -> list[Sequence[Sample]]:
    return [samples[first : first + BATCH] for first in range(0, len(samples), BATCH)]


def _mean(values: Tensor, region: Tensor) -> Tensor:
    return (values * region).flatten(1).sum(1) / region.flatten(1).sum(1)


def draw_samples(bundle: Bundle, prompts: Sequence[str], n: int, *, steps: int, w: float, seed: int) -> Tensor:
    """Images from noise alone, `n` for each prompt, by the same noise for every prompt: (prompts, n, H, W)."""
    names = [str(i) for i in range(n)] * len(prompts)
    drawn = draw(bundle, [p for p in prompts for _ in range(n)], steps=steps, w=w, seed=seed, names=names)
    return drawn[:, 0].unflatten(0, (len(prompts), n))


def draw(
    bundle: Bundle, prompts: Sequence[str], *, steps: int, w: float, seed: int, names: Sequence[str] | None = None
) -> Tensor:
    """An image from noise alone for each prompt, by the reverse process of Eq. 4 with guidance: (n, 1, H, W).

    Args:
        bundle: The generator.
        prompts: Texts.
        steps: T.
        w: Guidance weight.
        seed: Of the noise.
        names: What names the noise of each; their positions where None.
    """
    schedule = bundle.schedule(steps)
    f_theta = bundle.predictor(schedule)
    assert bundle.unet is not None
    side, channels = bundle.size // bundle.factor, int(bundle.unet.config["in_channels"])
    names = [str(i) for i in range(len(prompts))] if names is None else names
    images = []
    starts = range(0, len(prompts), BATCH)
    for first in tracked(starts, len(starts), "Drawing from noise", "blocks"):
        part = slice(first, first + BATCH)
        randn = record_randn(seed, list(names[part]), device=bundle.device)
        z = randn((steps + 1, len(prompts[part]), channels, side, side))
        c = bundle.embed_prompts(prompts[part])
        x_t = z[steps]
        for t in range(steps, 0, -1):
            eps_cond, eps_uncond = f_theta.pair(x_t, t, c)
            x_t = schedule.mean(x_t, t, eps_uncond + w * (eps_cond - eps_uncond)) + schedule.sigma(t) * z[t - 1]
        images.append(bundle.decode(x_t).cpu())
    return torch.cat(images)
