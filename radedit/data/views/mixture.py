"""Several data sets as one, and a small data set as a larger one."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from radedit.data.batches.cache import fingerprint
from radedit.data.image.transforms import preprocess
from radedit.types import Dataset, Record, Sample

logger = logging.getLogger(__name__)


class Mixture:
    """The records of several data sets, one set after the other.

    Args:
        datasets: Name → data set; ids become `<name>/<id>`.
        published: Number of images in the mixture that this one follows, logged beside ours.
    """

    def __init__(self, datasets: Mapping[str, Dataset], published: int | None = None) -> None:
        self.datasets = dict(datasets)
        self._origin = {
            f"{name}/{record.id}": (dataset, record) for name, dataset in datasets.items() for record in dataset.records
        }
        self._records = [replace(record, id=id_) for id_, (_, record) in self._origin.items()]
        logger.info(self.describe(published))

    @property
    def records(self) -> Sequence[Record]:
        return self._records

    @property
    def excluded(self) -> Mapping[str, int]:
        """Set and reason → number of images that the set left out."""
        return {
            f"{name}: {reason}": count
            for name, dataset in self.datasets.items()
            for reason, count in getattr(dataset, "excluded", {}).items()
        }

    def describe(self, published: int | None = None) -> str:
        """How many images there are of each set, and beside how many were published."""
        counts = {name: len(dataset.records) for name, dataset in self.datasets.items()}
        parts = ", ".join(
            f"{name} {count:,} ({100 * count / len(self.records):.1f} %)" for name, count in counts.items()
        )
        beside = f"; the published mixture has {published:,}" if published is not None else ""
        return f"Mixture of {len(self.records):,} images: {parts}{beside}."

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        return {name: fingerprint(dataset) for name, dataset in self.datasets.items()}

    def load(self, record: Record) -> Sample:
        dataset, original = self._origin[record.id]
        return replace(dataset.load(original), record=record)


class Moved:
    """Each record several times, every time turned, zoomed and shifted a little, as patients stand before the plate.

    A few hundred images are soon known by heart, and latents are encoded once, so that they can't be augmented later.
    Sides stay as they are: nothing is mirrored.

    Args:
        dataset: The data set.
        copies: Images of each record; the first is as it was.
        size: Side of the square images, px.
        degrees: Standard deviation of the turn.
        zoom: And of the logarithm of the zoom.
        shift: And of the shift along each axis, a share of the image's side.
        seed: Names the movements, with the record's id.
    """

    def __init__(
        self,
        dataset: Dataset,
        copies: int,
        *,
        size: int,
        degrees: float = 2.0,
        zoom: float = 0.03,
        shift: float = 0.015,
        seed: int = 0,
    ) -> None:
        self.dataset, self.copies, self.size, self.seed = dataset, copies, size, seed
        self.degrees, self.zoom, self.shift = degrees, zoom, shift
        self._origin = {
            f"{record.id}~{copy}" if copy else record.id: (record, copy)
            for record in dataset.records
            for copy in range(copies)
        }
        self._last: Sample | None = None  # copies follow one another, so an image is read once for all of them
        self._records = [replace(record, id=id_) for id_, (record, _) in self._origin.items()]

    @property
    def records(self) -> Sequence[Record]:
        return self._records

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        how = {key: getattr(self, key) for key in ("copies", "size", "degrees", "zoom", "shift", "seed")}
        return {"moved": how, "of": fingerprint(self.dataset)}

    def load(self, record: Record) -> Sample:
        """One image, preprocessed to `size`; its boxes are left out, since they would not be upright."""
        original, copy = self._origin[record.id]
        if self._last is None or self._last.record != original:
            self._last = replace(preprocess(self.dataset.load(original), self.size), record=original)
        sample = self._last
        if copy:
            grid = self._grid(record.id)
            masks = {name: _sampled(mask.float(), grid) >= 0.5 for name, mask in sample.masks.items()}
            sample = Sample(record, _sampled(sample.image, grid).clamp(0, 1), masks)
        return replace(sample, record=record, boxes={})

    def _grid(self, id_: str) -> Tensor:
        digest = hashlib.sha256(f"{self.seed}\n{id_}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
        turn, zoom, right, down = torch.randn(4, generator=generator).tolist()
        angle, scale = math.radians(self.degrees * turn), math.exp(self.zoom * zoom)
        cosine, sine = math.cos(angle) / scale, math.sin(angle) / scale
        # In half-widths of the image, as torch has it.
        theta = torch.tensor([[cosine, -sine, 2 * self.shift * right], [sine, cosine, 2 * self.shift * down]])
        return affine_grid(theta[None], [1, 1, self.size, self.size], align_corners=False)


def _sampled(image: Tensor, grid: Tensor) -> Tensor:
    return grid_sample(image[None], grid, padding_mode="border", align_corners=False)[0]
