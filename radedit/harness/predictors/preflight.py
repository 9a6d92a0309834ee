"""A model of the user's own on a few images, before long work: is it what was declared?

What it can catch: other predictions for the same images a second time or in another batch, another form of
prediction, numbers that are not finite, probabilities declared as logits or the other way round, the same prediction
for every image, a finding ranked the wrong way round (the index of the other class), and a range of grey levels for
which the model is no better than chance, or predicts the same for every image, where a common one serves it well.

What it cannot: a model that a wrong range harms a little, or that normalises its images itself; the order of three
channels, as images are grey and all three are equal; a wrong threshold; labels that mean something else. Twenty images
of each class are needed to tell a range from chance, and fewer are not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from radedit.data.image.transforms import preprocess
from radedit.harness.predictors.classify import TestedModel
from radedit.harness.predictors.segment import THRESHOLD
from radedit.harness.statistics.estimate import Estimate
from radedit.harness.statistics.means import clustered_mean
from radedit.harness.statistics.ranks import auroc
from radedit.metrics import dice
from radedit.models.adapters.own_model import OwnModel
from radedit.types import Dataset, Sample

EACH = 50  # images with the finding and without; of a segmenter, images in all
FEWEST = 20  # of each, below which a range is not judged
AT_A_TIME = 16  # images in a batch
ALONE = 4  # images that are also predicted one by one
SAME = 0.02  # our choice: of the spread between images, what rounding may move; half precision moves 0.005
CLEARLY = 0.75  # our choice: accuracy of another range, where the declared one puts all images on one side
POOR_DICE = 0.5  # our choice: a segmenter below it may have been shown the wrong images
PLAIN = {"mean": None, "std": None}
IMAGENET = {"range": (0, 1), "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
RANGES = ((0, 1), (-1, 1), (0, 255), (-1024, 1024), (1, 0))


@dataclass(frozen=True)
class _Quality:
    estimate: Estimate  # AUROC or mean Dice
    accuracy: float = 0.0  # of a classifier, at its threshold
    one_sided: bool = False  # whether all images lie on one side of it

    @property
    def order(self) -> tuple[float, float]:
        """Of declarations that rank images equally well, the one with more right predictions."""
        return round(self.estimate.value, 2), self.accuracy


@dataclass(frozen=True)
class _Images:
    pixels: Tensor  # (N, 1, H, W)
    patients: list[str]
    truth: Tensor  # (N,) labels, or (N, K, H, W) masks


def check_first_images(tested_model: TestedModel, size: int) -> str:
    """Run a model on the first images of its in-distribution test set.

    Args:
        tested_model: With an `OwnModel`.
        size: Side of the images, px.

    Returns:
        What it made of them, a sentence.

    Raises:
        ValueError: If the images have no such label or masks, or the model is not what was declared.
    """
    model = tested_model.predictor
    assert isinstance(model, OwnModel)
    images = _first(tested_model.own_test, model, size)
    check_repeats(model, images.pixels[:AT_A_TIME])
    _check_numbers(model, torch.cat([model.numbers(part) for part in images.pixels.split(AT_A_TIME)]))
    declared = _quality(model, images)
    what = "mean Dice" if model.masks else "AUROC"
    n = len(images.patients)
    positive = n if model.masks else int(images.truth.sum())
    if positive < FEWEST or (not model.masks and n - positive < FEWEST):
        return f"{tested_model.name}: {n} images of its test set are too few to check the declared range."
    said = f"{tested_model.name} on {n} images of its in-distribution test set: {what} {_said(declared.estimate)}"
    high, low = declared.estimate.high, declared.estimate.low
    if not model.masks and high is not None and high < 0.5:
        raise ValueError(
            f"{said}. It ranks images the wrong way round: predictor.output.index may be of the other class, or "
            "predictor.input.range inverted. If it is meant so, say predictor.check=false."
        )
    poor = POOR_DICE if model.masks else 0.5
    if high is not None and low is not None and (high if model.masks else low) <= poor:
        best, changed = max(
            ((_quality(model.with_input(**other), images), other) for other in _others(model)), key=lambda x: x[0].order
        )
        if best.estimate.low is not None and best.estimate.low > max(poor, high):
            raise ValueError(
                f"{said}, but {_said(best.estimate)} with {_all_typed(changed)}. Declare the images that it was "
                "trained on; if these are right, say predictor.check=false."
            )
    elif declared.one_sided:
        _check_one_sided(model, images, said)
        return f"{said}; all of them lie on one side of its threshold, see predictor.output.threshold and .kind."
    return f"{said}."


def check_repeats(model: OwnModel, pixels: Tensor) -> None:
    """That a model's numbers on an image are a matter of the image alone.

    It predicts them a second time in reverse, and each of a few by itself.

    Args:
        model: The model.
        pixels: Images, shape (N, 1, H, W).

    Raises:
        ValueError: If it gives other numbers.
    """
    first = model.numbers(pixels)
    _check_finite(first)
    spread = first.std(0, keepdim=True) if len(first) > 1 else torch.zeros_like(first)
    allowed = (SAME * spread).clamp(min=1e-4) + 1e-4 * first.abs()
    alone = torch.cat([model.numbers(one) for one in pixels[:ALONE].split(1)])
    company = (
        "predicts otherwise for an image when others are in its batch",
        ("batch normalisation in training mode, a maximum or mean over the batch, dynamic quantisation"),
    )
    for numbers, (does, causes) in (
        (
            model.numbers(pixels),
            ("is asked twice about the same images and predicts otherwise", "dropout in training mode"),
        ),
        (model.numbers(pixels.flip(0)).flip(0), company),
        (alone, company),
    ):
        n = len(numbers)
        off = (numbers - first[:n]).abs() if numbers.shape == first[:n].shape else torch.tensor(torch.inf)
        if not bool((off <= allowed[:n]).all()):
            raise ValueError(
                f"The model {does}: its numbers differ by up to {float(off.max()):.3g}, so every figure would be "
                f"another with the next run. Causes are {causes}. Export it again after model.eval()."
            )


def first_images(dataset: Dataset, size: int, n: int = AT_A_TIME) -> Tensor:
    """The first images of a data set that can be read, shape (N, 1, size, size).

    Raises:
        ValueError: If there is none.
    """
    found: list[Tensor] = []
    for record in dataset.records:
        try:
            found.append(preprocess(dataset.load(record), size).image)
        except (ValueError, OSError):
            continue  # the test itself counts and lists it
        if len(found) == n:
            break
    if not found:
        raise ValueError("No image of the in-distribution test set can be read.")
    return torch.stack(found)


def _check_one_sided(model: OwnModel, images: _Images, said: str) -> None:
    """Refuse a model that ranks well but says the same of all images, if another declaration explains it."""
    remedy = "If it is right as it is, say predictor.check=false."
    k = model.numbers(images.pixels[:2]).shape[1]
    if model.output.kind == "softmax" and k > 2:
        raise ValueError(
            f"{said}, but every image lies on one side of the threshold. A softmax over {k} outputs is for classes "
            f"that exclude one another; for findings that do not, say predictor.output.kind=logit. {remedy}"
        )
    best, changed = max(
        ((_quality(model.with_input(**other), images), other) for other in _others(model)), key=lambda x: x[0].order
    )
    if best.accuracy >= CLEARLY:
        raise ValueError(
            f"{said}, but every image lies on one side of the threshold; with {_all_typed(changed)} its accuracy is "
            f"{best.accuracy:.2f}. Declare the images that it was trained on. {remedy}"
        )


def _first(dataset: Dataset, model: OwnModel, size: int) -> _Images:
    """The first images that can be judged, as many with the finding as without."""
    samples, left = [], {0: EACH, 1: EACH}
    for record in dataset.records:
        if model.label is not None and left.get(record.labels.get(model.label, -1), 0) == 0:
            continue
        try:
            sample = preprocess(dataset.load(record), size)
        except (ValueError, OSError):
            continue  # the test itself counts and lists it
        if model.label is not None:
            left[record.labels[model.label]] -= 1
        elif not set(model.masks) <= set(sample.masks):
            continue
        samples.append(sample)
        if not any(left.values()) or (model.masks and len(samples) == EACH):
            break
    if not samples:
        known = sorted({name for record in dataset.records for name in record.labels})
        wanted = f"label {model.label!r}; they have {', '.join(known) or 'none'}" if model.label else (
            f"all of the masks {', '.join(model.masks)}")  # fmt: skip
        raise ValueError(f"No image of the in-distribution test set has the {wanted}.")
    return _Images(
        torch.stack([sample.image for sample in samples]),
        [sample.record.patient_id for sample in samples],
        _truth(samples, model),
    )


def _truth(samples: Sequence[Sample], model: OwnModel) -> Tensor:
    if model.label is not None:
        return torch.tensor([sample.record.labels[model.label] for sample in samples])
    return torch.stack([torch.cat([sample.masks[name] for name in model.masks]) for sample in samples])


def _check_numbers(model: OwnModel, numbers: Tensor) -> None:
    """That a model's numbers are what they were declared to be."""
    kind, low, high = model.output.kind, float(numbers.min()), float(numbers.max())
    if kind == "probability" and not (low >= 0 and high <= 1):
        raise ValueError(
            f"The model's numbers go from {low:.3g} to {high:.3g}, so they are no probabilities. Say "
            "predictor.output.kind=logit, or softmax where classes exclude one another."
        )
    if kind != "probability" and low >= 0 and high <= 1 and len(numbers) >= FEWEST:
        raise ValueError(
            f"The model's numbers go from {low:.3g} to {high:.3g} on {len(numbers)} images, as probabilities do, but "
            f"predictor.output.kind is {kind}. Say predictor.output.kind=probability; if it is right, say "
            "predictor.check=false."
        )
    if len(numbers) >= 2 and float((numbers - numbers[:1]).abs().max()) < 1e-6:
        raise ValueError(
            f"The model predicts the same for all {len(numbers)} images. Declare the images that it was "
            "trained on, see predictor.input."
        )


def _check_finite(numbers: Tensor) -> None:
    if not bool(numbers.isfinite().all()):
        raise ValueError(
            "The model returns numbers that are not finite. Its weights may be damaged; or declare the images that "
            "it was trained on."
        )


def _quality(model: OwnModel, images: _Images) -> _Quality:
    """AUROC, or mean Dice of what it draws, with an interval over patients."""
    found = [model.predict(part) for part in images.pixels.split(AT_A_TIME)]
    if model.masks:
        drawn = torch.cat([one.masks for one in found if one.masks is not None]) >= THRESHOLD
        return _Quality(clustered_mean(dice(drawn, images.truth).mean(1).numpy(), images.patients))
    p = torch.cat([one.probability for one in found if one.probability is not None]).numpy()
    positive = images.truth.bool().numpy()
    whose = [[s for s, yes in zip(images.patients, positive, strict=True) if yes == side] for side in (True, False)]
    estimate = auroc(p[positive], p[~positive], whose[0], whose[1]) or Estimate(0.5, None, None, len(p))
    accuracy = float(((p >= THRESHOLD) == positive).mean())
    return _Quality(estimate, accuracy, one_sided=len({*(p >= THRESHOLD)}) == 1)


def _others(model: OwnModel) -> Iterator[dict[str, Any]]:
    """Common images that were not declared."""
    for range_ in RANGES:
        if model.input.mean is not None or model.input.range != tuple(map(float, range_)):
            yield {"range": range_, **(PLAIN if model.input.mean is not None else {})}
    if model.input.channels == 3 and model.input.mean is None:
        yield IMAGENET


def _all_typed(changed: dict[str, Any]) -> str:
    return " ".join(f"predictor.input.{name}={_typed(value)}" for name, value in changed.items())


def _typed(value: Sequence[float] | None) -> str:
    return "null" if value is None else str(list(value)).replace(" ", "")


def _said(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"
