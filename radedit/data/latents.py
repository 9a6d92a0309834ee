"""Latents encoded once and kept on disk, served with their reports step by step (§5.1: the VAE is frozen)."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from radedit.data.cache import to_unit
from radedit.data.module import FilmData, StepSampler

logger = logging.getLogger(__name__)


class Latents(Dataset[dict[str, Any]]):
    """Cached latents and reports."""

    def __init__(self, latents: NDArray[np.float16], reports: Sequence[str]) -> None:
        self.latents, self.reports = latents, reports

    def __len__(self) -> int:
        return len(self.reports)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"latent": torch.from_numpy(np.array(self.latents[index])).float(), "report": self.reports[index]}


class LatentData(L.LightningDataModule):
    """Latents of the films of another data module.

    Args:
        films: Whose films are encoded.
        batch_size: Latents a step and device.
        seed: Names the order.
        cache: Folder of the encoded latents, float16.
    """

    def __init__(self, films: FilmData, *, batch_size: int, seed: int = 0, cache: str = ".cache/latents") -> None:
        super().__init__()
        self.source, self.batch_size, self.seed, self.cache = films, batch_size, seed, Path(cache)
        self.latents: dict[str, Latents] = {}
        self.encode: Callable[[Tensor], Tensor] | None = None
        self.encoder_hash = ""

    def use(self, encode: Callable[[Tensor], Tensor], encoder_hash: str) -> None:
        """Hand in the frozen encoder and a name for its weights, before `setup`."""
        self.encode, self.encoder_hash = encode, encoder_hash

    def setup(self, stage: str | None = None) -> None:
        self.source.setup(stage)
        for part, films in self.source.films.items():
            if part in self.latents:
                continue
            ids = "\n".join(record.id for record in films.records)
            digest = hashlib.sha256(f"{self.encoder_hash}{self.source.paths[part].name}{ids}".encode()).hexdigest()
            path = self.cache / f"{digest[:16]}.npy"
            if not path.exists():
                self._write(path, films.films)
            self.latents[part] = Latents(np.load(path, mmap_mode="r"), [r.report for r in films.records])

    def _write(self, path: Path, films: NDArray[np.uint8], batch: int = 64) -> None:
        if self.encode is None:
            raise ValueError("LatentData has no encoder; call `use` with the bundle's encoder before training.")
        path.parent.mkdir(parents=True, exist_ok=True)
        latents = [
            self.encode(to_unit(films[i : i + batch, :1])).cpu().half().numpy() for i in range(0, len(films), batch)
        ]
        partial = path.with_suffix(".partial.npy")
        np.save(partial, np.concatenate(latents))
        partial.replace(path)
        logger.info("Encoded %d films into %s", len(films), path)

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        first, rank, world_size = (
            (self.trainer.global_step, self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 0, 1)
        )
        latents = self.latents["train"]
        sampler = StepSampler(len(latents), self.batch_size, self.seed, first, rank, world_size)
        return DataLoader(latents, batch_sampler=sampler)

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        return DataLoader(self.latents["val"], batch_size=self.batch_size)
