"""Nouns and protocols that every layer shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor


class NoisePredictor(Protocol):
    """f_θ of Eq. 3: predicts the noise in `x_t`.

    A plain function is enough. A network that offers `pair(x_t, t, c) -> (eps_cond, eps_uncond)` as well
    returns both halves of classifier-free guidance in one call; editors ask for it through `predict_pair`.
    """

    def __call__(self, x_t: Tensor, t: int | Tensor, c: Tensor | None) -> Tensor:
        """Predict noise.

        Args:
            x_t: Noisy latents, shape (B, C, h, w).
            t: Inference step 1…T, an int or a long tensor of shape (B,).
            c: Text embedding, shape (B, L, D); None is ∅, the encoded empty string.

        Returns:
            Predicted noise, shape (B, C, h, w).
        """
        ...


class Randn(Protocol):
    """Source of standard normal draws, bound to the records of one batch (row i is record i's own stream)."""

    def __call__(self, shape: Sequence[int]) -> Tensor:
        """Draw noise of `shape` = (T, B, C, h, w) or (B, C, h, w)."""
        ...


class EditMasks(NamedTuple):
    """Where to edit and what to keep, at latent resolution; each (B, 1, h, w), 0 or 1."""

    edit: Tensor
    keep: Tensor


class Box(NamedTuple):
    """Axis-aligned box in pixels of its image: left, top, width, height."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Record:
    """What is known of an image before it is loaded.

    Attributes:
        id: Unique within its data set; noise streams are bound to it.
        patient_id: Patient; statistics resample these, splits never share them.
        labels: Finding → 0 or 1; a finding that was not read is absent.
        report: Impression, or a list of findings; empty if there is none.
        attributes: Anything else a scenario may select or report by (view, hospital, source, licence, …).
    """

    id: str
    patient_id: str
    labels: Mapping[str, int] = field(default_factory=dict)
    report: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """A loaded record.

    Attributes:
        record: Its metadata.
        image: Grey levels in [0, 1], float32, shape (1, H, W).
        masks: Name → bool tensor of shape (1, H, W).
        boxes: Name → boxes in pixels of `image`.
    """

    record: Record
    image: Tensor
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    boxes: Mapping[str, Sequence[Box]] = field(default_factory=dict)


@runtime_checkable
class Dataset(Protocol):
    """A data set: records first (cheap), samples on demand.

    `load` raises `ValueError` for an unreadable record; long runs skip it, count it and list it.
    """

    @property
    def records(self) -> Sequence[Record]: ...

    def load(self, record: Record) -> Sample:
        """Read one record's pixels and masks, in the image's own geometry."""
        ...
