"""Batches for training, each a function of (seed, step, rank): a resumed run sees what an unbroken one would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from radedit.data.cache import cached_films, films_path
from radedit.data.first import First
from radedit.data.leaks import check_leaks
from radedit.types import Reader, Record


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


class Films(Dataset[dict[str, Any]]):
    """Cached films with what is known of them; of the labels, those that every film has."""

    def __init__(self, records: Sequence[Record], films: Any, masks: Sequence[str]) -> None:
        self.records, self.films, self.masks = records, films, masks
        self.labels = [name for name in records[0].labels if all(name in record.labels for record in records)]

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> dict[str, Any]:
        film = torch.from_numpy(np.array(self.films[index]))
        record = self.records[index]
        return {
            "index": index,
            "image": film[:1].float() / 255,
            "masks": film[1:] > 127,
            "report": record.report,
            "labels": {name: record.labels[name] for name in self.labels},
        }


class FilmData(L.LightningDataModule):
    """Films of a data set, preprocessed, cached, and served step by step.

    Args:
        train: Data set to learn from.
        val: Data set to choose the best step by; of other patients.
        size: Side of the square films, px.
        batch_size: Films a step and device.
        seed: Names the order of the training films.
        masks: Masks served as further channels.
        cache: Folder of the caches.
        workers: Processes that fill the caches.
        limit: Films of each at most, for a dry run; all where None.
    """

    def __init__(
        self,
        train: Reader,
        val: Reader,
        *,
        size: int,
        batch_size: int,
        seed: int = 0,
        masks: Sequence[str] = (),
        cache: str = ".cache/films",
        workers: int = 2,
        limit: int | None = None,
    ) -> None:
        super().__init__()
        if limit is not None:
            train, val = First(train, limit), First(val, limit)
        check_leaks({"training": train.records, "validation": val.records})
        self.readers = {"train": train, "val": val}
        self.size, self.batch_size, self.seed, self.masks = size, batch_size, seed, list(masks)
        self.cache, self.workers = Path(cache), workers
        self.films: dict[str, Films] = {}
        self.paths = {part: films_path(self.cache, reader, size, self.masks) for part, reader in self.readers.items()}

    def setup(self, stage: str | None = None) -> None:
        for part, reader in self.readers.items():
            if part not in self.films:
                records, films = cached_films(
                    reader, self.size, self.paths[part], masks=self.masks, workers=self.workers
                )
                self.films[part] = Films(records, films, self.masks)

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        first, rank, world_size = (
            (self.trainer.global_step, self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 0, 1)
        )
        films = self.films["train"]
        sampler = StepSampler(len(films), self.batch_size, self.seed, first, rank, world_size)
        return DataLoader(films, batch_sampler=sampler)

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        return DataLoader(self.films["val"], batch_size=self.batch_size)


def step_generator(*key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator bound to a key such as (seed, step, rank): training draws nothing from global state."""
    state = np.random.SeedSequence([int(k) for k in key]).generate_state(1, np.uint64)[0]
    return torch.Generator(device=device).manual_seed(int(state >> 1))


def randn_at(shape: Sequence[int], *key: int, like: Tensor) -> Tensor:
    """Standard normal noise bound to a key, drawn on the CPU, on the device of `like`."""
    return torch.randn(tuple(shape), generator=step_generator(*key)).to(like)
