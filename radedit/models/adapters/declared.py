"""What a user declares of a model: the images that it takes, and what its numbers mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn.functional import interpolate

LAYOUTS = ("nchw", "nhwc")
KINDS = ("probability", "logit", "softmax")


class _Declared:
    """Made from a config's mapping, whose keys it checks."""

    @classmethod
    def of(cls, spec: Self | Mapping[str, Any]) -> Self:
        """From a mapping of its attributes.

        Raises:
            ValueError: If a key is not one of them.
        """
        if isinstance(spec, cls):
            return spec
        assert isinstance(spec, Mapping)
        known = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        if unknown := [name for name in spec if name not in known]:
            raise ValueError(
                f"predictor.{cls.__name__.lower()} has the key {unknown[0]!r}. Allowed are {', '.join(known)}."
            )
        return cls(**spec)


@dataclass(frozen=True)
class Input(_Declared):
    """The images that a model takes.

    Attributes:
        size: Side, px.
        range: What the darkest and the brightest grey level become, e.g. [0, 1], [-1, 1], [0, 255] or [-1024, 1024].
        mean, std: One number a channel (or one for all, with or without brackets): what is then subtracted, and divided
            by. None for neither.
        channels: 1, or 3 that are equal.
        layout: `nchw` (torch), or `nhwc` (TensorFlow, as ONNX files of it often are).

    Raises:
        ValueError: If one of them is not as said here.
    """

    size: int
    range: Sequence[float] = (0.0, 1.0)
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    channels: int = 1
    layout: str = "nchw"

    def __post_init__(self) -> None:
        for name in ("range", "mean", "std"):
            value: Any = getattr(self, name)
            if value is None:
                continue
            numbers = [value] if isinstance(value, int | float) else value  # one for all channels
            try:
                object.__setattr__(self, name, tuple(float(number) for number in numbers))
            except (TypeError, ValueError) as error:
                raise ValueError(f"predictor.input.{name} is {value!r}; allowed are numbers in brackets.") from error
        if type(self.size) is not int or self.size < 1:
            raise ValueError(f"predictor.input.size is {self.size!r}; allowed are whole numbers of px.")
        if len(self.range) != 2 or self.range[0] == self.range[1]:
            raise ValueError(f"predictor.input.range is {list(self.range)}; allowed are two numbers, as [0, 1].")
        if self.channels not in (1, 3):
            raise ValueError(f"predictor.input.channels is {self.channels}; allowed are 1 and 3.")
        if self.layout not in LAYOUTS:
            raise ValueError(f"predictor.input.layout is {self.layout!r}; allowed are {' and '.join(LAYOUTS)}.")
        if (self.mean is None) != (self.std is None):
            raise ValueError("predictor.input has one of mean and std; give both, or neither.")
        for name in ("mean", "std"):
            value = getattr(self, name)
            if value is not None and len(value) not in (1, self.channels):
                raise ValueError(f"predictor.input.{name} has {len(value)} numbers for {self.channels} channels.")
        if self.std is not None and not all(number > 0 for number in self.std):
            raise ValueError(f"predictor.input.std is {list(self.std)}; allowed are numbers above 0.")

    def prepare(self, images: Tensor) -> Tensor:
        """A batch as the model takes it.

        Args:
            images: Grey levels in [0, 1], shape (B, 1, H, W).
        """
        if images.shape[-2:] != (self.size, self.size):
            images = interpolate(images, (self.size, self.size), mode="bilinear", antialias=True, align_corners=False)
        low, high = self.range
        batch = (low + (high - low) * images).repeat(1, self.channels, 1, 1)
        if self.mean is not None and self.std is not None:
            mean, std = (batch.new_tensor(value).view(1, -1, 1, 1) for value in (self.mean, self.std))
            batch = (batch - mean) / std
        return batch.permute(0, 2, 3, 1).contiguous() if self.layout == "nhwc" else batch

    def extremes(self) -> list[float]:
        """What the darkest grey level becomes in each channel, and then the brightest."""
        mean, std = (list(value) * (self.channels // len(value)) for value in (self.mean or (0,), self.std or (1,)))
        return [(grey - m) / s for grey in self.range for m, s in zip(mean, std, strict=True)]

    def shape(self) -> tuple[int, int, int]:
        """Of one image as the model takes it."""
        sides = (self.size, self.size)
        return (*sides, self.channels) if self.layout == "nhwc" else (self.channels, *sides)


@dataclass(frozen=True)
class Output(_Declared):
    """What a model's numbers mean.

    Attributes:
        kind: `probability`, `logit` (of each output by itself), or `softmax` (log-odds of classes that exclude one
            another).
        index: Which output is the finding: its position, or its name where the model's file has names. None where
            there is one only, or where its name is the label's. Of no meaning for masks.
        item: Which tensor is meant where the model returns several: a position, or a name.
        threshold: Probability from which on the model calls the finding present.

    Raises:
        ValueError: If one of them is not as said here.
    """

    kind: str = "logit"
    index: int | str | None = None
    item: int | str | None = None
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"predictor.output.kind is {self.kind!r}; allowed are {', '.join(KINDS)}.")
        if not 0 < self.threshold < 1:
            raise ValueError(f"predictor.output.threshold is {self.threshold}; allowed is 0 < threshold < 1.")

    def probabilities(self, numbers: Tensor) -> Tensor:
        """Probabilities of a model's numbers, shape (B, K) or (B, K, H, W)."""
        if self.kind == "probability":
            return numbers
        return numbers.sigmoid() if self.kind == "logit" else numbers.softmax(1)

    def centred(self, probability: Tensor) -> Tensor:
        """Probabilities, bent in two straight pieces such that the threshold lies at 0.5, where all else has it."""
        if self.threshold == 0.5:
            return probability
        above = 1 - (1 - probability) / (2 * (1 - self.threshold))
        return torch.where(probability < self.threshold, probability / (2 * self.threshold), above)
