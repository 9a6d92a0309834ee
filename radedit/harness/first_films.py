"""A model of the user's own on a few films, before long work: is it what was declared?

What it can catch: another form of answer, numbers that are not finite, probabilities declared as logits or the other
way round, the same answer for every film, a finding ranked the wrong way round (the index of the other class), and a
range of grey levels for which the model is no better than chance where a common one serves it well.

What it cannot: a model that a wrong range harms a little, or that normalises its films itself; the order of three
channels, as films are grey and all three are equal; a wrong threshold; labels that mean something else. Twenty films of
each class are needed to tell a range from chance, and fewer are not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from radedit.data.transforms import preprocess
from radedit.harness.evaluate import Subject
from radedit.harness.ranks import auroc
from radedit.harness.segmentation import THRESHOLD
from radedit.harness.statistics import Estimate, clustered_mean
from radedit.metrics import dice
from radedit.models.adapters.own_model import OwnModel
from radedit.types import Reader, Sample

EACH = 50  # films with the finding and without; of a segmenter, films in all
FEWEST = 20  # of each, below which a range is not judged
AT_A_TIME = 16  # films in a batch
POOR_DICE = 0.5  # our choice: a segmenter below it may have been shown the wrong films
PLAIN = {"mean": None, "std": None}
IMAGENET = {"range": (0, 1), "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
RANGES = ((0, 1), (-1, 1), (0, 255), (-1024, 1024), (1, 0))


@dataclass(frozen=True)
class _Films:
    pixels: Tensor  # (N, 1, H, W)
    subjects: list[str]
    truth: Tensor  # (N,) labels, or (N, K, H, W) masks


def check_first_films(subject: Subject, size: int) -> str:
    """Ask a model about the first films of its ordinary test set.

    Args:
        subject: With an `OwnModel`.
        size: Side of the films, px.

    Returns:
        What it made of them, a sentence.

    Raises:
        ValueError: If the films have no such label or masks, or the model is not what was declared.
    """
    model = subject.predictor
    assert isinstance(model, OwnModel)
    films = _first(subject.own_test, model, size)
    _check_numbers(model, torch.cat([model.numbers(part) for part in films.pixels.split(AT_A_TIME)]))
    declared = _quality(model, films)
    what = "mean Dice" if model.masks else "AUROC"
    n = len(films.subjects)
    positive = n if model.masks else int(films.truth.sum())
    if positive < FEWEST or (not model.masks and n - positive < FEWEST):
        return f"{subject.name}: {n} films of its ordinary test set are too few to check the declared range by."
    said = f"{subject.name} on {n} films of its ordinary test set: {what} {_said(declared)}"
    if not model.masks and declared.high is not None and declared.high < 0.5:
        raise ValueError(
            f"{said}. It ranks films the wrong way round: predictor.output.index may be of the other class, or "
            "predictor.input.range inverted. If it is meant so, say predictor.check=false."
        )
    poor = POOR_DICE if model.masks else 0.5
    bounded = declared.low is not None and declared.high is not None
    if bounded and (declared.high if model.masks else declared.low) <= poor:  # type: ignore[operator]
        best, changed = max(
            ((_quality(model.with_input(**other), films), other) for other in _others(model)), key=lambda x: x[0].value
        )
        if best.low is not None and best.low > max(poor, declared.high or 0):
            typed = " ".join(f"predictor.input.{name}={_typed(value)}" for name, value in changed.items())
            raise ValueError(
                f"{said}, but {_said(best)} with {typed}. Declare the films that it was trained on; if these are "
                "right, say predictor.check=false."
            )
    return f"{said}."


def _first(reader: Reader, model: OwnModel, size: int) -> _Films:
    """The first films that can be judged, as many with the finding as without."""
    samples, left = [], {0: EACH, 1: EACH}
    for record in reader.records:
        if model.label is not None and left.get(record.labels.get(model.label, -1), 0) == 0:
            continue
        try:
            sample = preprocess(reader.load(record), size)
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
        known = sorted({name for record in reader.records for name in record.labels})
        wanted = f"label {model.label!r}; they have {', '.join(known) or 'none'}" if model.label else (
            f"all of the masks {', '.join(model.masks)}")  # fmt: skip
        raise ValueError(f"No film of the ordinary test set has the {wanted}.")
    return _Films(
        torch.stack([sample.image for sample in samples]),
        [sample.record.subject_id for sample in samples],
        _truth(samples, model),
    )


def _truth(samples: Sequence[Sample], model: OwnModel) -> Tensor:
    if model.label is not None:
        return torch.tensor([sample.record.labels[model.label] for sample in samples])
    return torch.stack([torch.cat([sample.masks[name] for name in model.masks]) for sample in samples])


def _check_numbers(model: OwnModel, numbers: Tensor) -> None:
    """That a model's numbers are what they were declared to be."""
    kind, low, high = model.output.kind, float(numbers.min()), float(numbers.max())
    if not bool(numbers.isfinite().all()):
        raise ValueError(
            "The model answers with numbers that are not finite. Declare the films that it was trained on."
        )
    if kind == "probability" and not (low >= 0 and high <= 1):
        raise ValueError(
            f"The model's numbers go from {low:.3g} to {high:.3g}, so they are no probabilities. Say "
            "predictor.output.kind=logit, or softmax where classes exclude one another."
        )
    if kind != "probability" and low >= 0 and high <= 1 and len(numbers) >= FEWEST:
        raise ValueError(
            f"The model's numbers go from {low:.3g} to {high:.3g} on {len(numbers)} films, as probabilities do, but "
            f"predictor.output.kind is {kind}. Say predictor.output.kind=probability; if it is right, say "
            "predictor.check=false."
        )
    if len(numbers) >= 2 and float((numbers - numbers[:1]).abs().max()) < 1e-6:
        raise ValueError(
            f"The model answers all of {len(numbers)} films alike. Declare the films that it was trained on, see "
            "predictor.input."
        )


def _quality(model: OwnModel, films: _Films) -> Estimate:
    """AUROC, or mean Dice of what it draws, with an interval over patients."""
    found = [model.predict(part) for part in films.pixels.split(AT_A_TIME)]
    if model.masks:
        drawn = torch.cat([one.masks for one in found if one.masks is not None]) >= THRESHOLD
        return clustered_mean(dice(drawn, films.truth).mean(1).numpy(), films.subjects)
    p = torch.cat([one.probability for one in found if one.probability is not None]).numpy()
    positive = films.truth.bool().numpy()
    whose = [[s for s, yes in zip(films.subjects, positive, strict=True) if yes == side] for side in (True, False)]
    return auroc(p[positive], p[~positive], whose[0], whose[1]) or Estimate(0.5, None, None, len(p))


def _others(model: OwnModel) -> Iterator[dict[str, Any]]:
    """Common films that were not declared."""
    for range_ in RANGES:
        if model.input.mean is not None or model.input.range != tuple(map(float, range_)):
            yield {"range": range_, **(PLAIN if model.input.mean is not None else {})}
    if model.input.channels == 3 and model.input.mean is None:
        yield IMAGENET


def _typed(value: Sequence[float] | None) -> str:
    return "null" if value is None else str(list(value)).replace(" ", "")


def _said(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"
