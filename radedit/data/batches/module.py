"""Batches for training, each a function of (seed, step, rank): a resumed run sees what an unbroken one would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler
from torch.utils.data import Dataset as TorchDataset

from radedit.data.batches.cache import cached_images, images_path
from radedit.data.checks.leaks import check_leaks
from radedit.data.views.first_records import FirstRecords
from radedit.types import Dataset, Record


class StepSampler(Sampler[list[int]]):
    """Endless batches of indices; every epoch is a fresh permutation drawn from (seed, epoch).

    Args:
        n: Size of the data set.
        batch_size: Records a step and rank.
        seed: Names the order.
        first_step: Where a resumed run goes on.
        rank, world_size: This process among all.
    """

    def __init__(
        self, n: int, batch_size: int, seed: int, first_step: int = 0, rank: int = 0, world_size: int = 1
    ) -> None:
        self.n, self.batch_size, self.seed, self.first_step = n, batch_size, seed, first_step
        self.rank, self.world_size = rank, world_size
        self._last: tuple[int, np.ndarray[Any, np.dtype[np.int64]]] | None = None

    def batch(self, step: int) -> list[int]:
        """Indices of one step's batch."""
        first = (step * self.world_size + self.rank) * self.batch_size
        positions = range(first, first + self.batch_size)
        orders = {epoch: self._order(epoch) for epoch in {p // self.n for p in positions}}
        return [int(orders[p // self.n][p % self.n]) for p in positions]

    def _order(self, epoch: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        if self._last is None or self._last[0] != epoch:  # drawing half a million at every step would take 20 ms
            self._last = epoch, np.random.default_rng([self.seed, epoch]).permutation(self.n)
        return self._last[1]

    def __iter__(self) -> Iterator[list[int]]:
        step = self.first_step
        while True:
            yield self.batch(step)
            step += 1


class CachedImages(TorchDataset[dict[str, Any]]):
    """Cached images with what is known of them; of the labels, those that every image has."""

    def __init__(self, records: Sequence[Record], images: Any, masks: Sequence[str]) -> None:
        self.records, self.images, self.masks = records, images, masks
        self.labels = [name for name in records[0].labels if all(name in record.labels for record in records)]

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> dict[str, Any]:
        image = torch.from_numpy(np.array(self.images[index]))
        record = self.records[index]
        return {
            "index": index,
            "image": image[:1].float() / 255,
            "masks": image[1:] > 127,
            "report": record.report,
            "labels": {name: record.labels[name] for name in self.labels},
        }


class ImageData(L.LightningDataModule):
    """Images of a data set, preprocessed, cached, and served step by step.

    Args:
        train: Data set to learn from.
        val: Data set to choose the best step by; of other patients.
        size: Side of the square images, px.
        batch_size: Images a step and device.
        seed: Names the order of the training images.
        masks: Masks served as further channels.
        cache: Folder of the caches.
        workers: Processes that fill the caches.
        limit: Images of each at most, for a dry run; all where None.
    """

    def __init__(
        self,
        train: Dataset,
        val: Dataset,
        *,
        size: int,
        batch_size: int,
        seed: int = 0,
        masks: Sequence[str] = (),
        cache: str = ".cache/images",
        workers: int = 2,
        limit: int | None = None,
    ) -> None:
        super().__init__()
        if limit is not None:
            train, val = FirstRecords(train, limit), FirstRecords(val, limit)
        check_leaks({"training": train.records, "validation": val.records})
        self.datasets = {"train": train, "val": val}
        self.size, self.batch_size, self.seed, self.masks = size, batch_size, seed, list(masks)
        self.cache, self.workers = Path(cache), workers
        self.images: dict[str, CachedImages] = {}
        self.paths = {
            part: images_path(self.cache, dataset, size, self.masks) for part, dataset in self.datasets.items()
        }

    def setup(self, stage: str | None = None) -> None:
        for part, dataset in self.datasets.items():
            if part not in self.images:
                records, images = cached_images(
                    dataset, self.size, self.paths[part], masks=self.masks, workers=self.workers
                )
                self.images[part] = CachedImages(records, images, self.masks)

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        first, rank, world_size = (
            (self.trainer.global_step, self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 0, 1)
        )
        images = self.images["train"]
        sampler = StepSampler(len(images), self.batch_size, self.seed, first, rank, world_size)
        return DataLoader(images, batch_sampler=sampler)

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        return DataLoader(self.images["val"], batch_size=self.batch_size)


def step_generator(*key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator bound to a key such as (seed, step, rank): training draws nothing from global state."""
    state = np.random.SeedSequence([int(k) for k in key]).generate_state(1, np.uint64)[0]
    return torch.Generator(device=device).manual_seed(int(state >> 1))


def randn_at(shape: Sequence[int], *key: int, like: Tensor) -> Tensor:
    """Standard normal noise bound to a key, drawn on the CPU, on the device of `like`."""
    return torch.randn(tuple(shape), generator=step_generator(*key)).to(like)
