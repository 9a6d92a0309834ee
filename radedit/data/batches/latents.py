"""Latents encoded once and kept on disk, served with their reports step by step (§5.1: the VAE is frozen)."""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, default_collate
from torch.utils.data import Dataset as TorchDataset

from radedit.data.batches.cache import is_whole_cache, seal_cache, to_unit
from radedit.data.batches.module import ImageData, StepSampler
from radedit.data.io.atomic import write_atomically
from radedit.data.io.file_lock import FileLock
from radedit.data.io.memory_map import new_array
from radedit.data.io.progress import tracked
from radedit.types import Record

logger = logging.getLogger(__name__)

Encode = Callable[[Tensor], Tensor]  # grey levels in [0, 1], shape (B, 1, H, W) → latents (B, C, h, w)
Draw = Callable[[dict[str, Any], int, int], dict[str, Any]]  # a batch, its step and its rank → what is trained on


def latents_path(folder: Path, encoder_hash: str, images: Path, records: Sequence[Record]) -> Path:
    """Where latents of cached images are kept in a folder of caches; of the images' path only the name counts."""
    ids = "\n".join(record.id for record in records)
    return folder / f"{hashlib.sha256(f'{encoder_hash}{images.name}{ids}'.encode()).hexdigest()[:16]}.npy"


def write_latents(path: Path, images: NDArray[np.uint8], encode: Encode, *, batch: int = 64) -> None:
    """Encode cached images, unless they are encoded already, going on where an earlier run was stopped.

    Args:
        path: Where the latents are kept, float16, shape (n, C, h, w); see `latents_path`.
        images: From `cached_images`; the first channel is encoded.
        encode: The frozen encoder.
        batch: Images at a time.
    """
    if is_whole_cache(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock"), wait=True):  # another rank or job may be at it
        if not is_whole_cache(path):
            _encode(path, images, encode, batch)


def _encode(path: Path, images: NDArray[np.uint8], encode: Encode, batch: int) -> None:
    filled, noted = path.with_suffix(".partial.npy"), path.with_suffix(".encoded")
    done = int(noted.read_text()) if filled.exists() and noted.exists() else 0
    starts = range(done, len(images), batch)
    for start in tracked(starts, len(starts), "Encoding", "batches"):
        latents = encode(to_unit(images[start : start + batch, :1])).cpu().half().numpy()
        if start == 0:
            new_array(filled, np.float16, (len(images), *latents.shape[1:]))
        array = open_memmap(filled, "r+")
        array[start : start + len(latents)] = latents
        array.flush()
        write_atomically(noted, str(start + len(latents)).encode())
    seal_cache(path, filled)
    filled.replace(path)
    noted.unlink()
    logger.info("Encoded %d images into %s", len(images), path)


class Latents(TorchDataset[dict[str, Any]]):
    """Cached latents and reports."""

    def __init__(self, latents: NDArray[np.float16], reports: Sequence[str]) -> None:
        self.latents, self.reports = latents, reports

    def __len__(self) -> int:
        return len(self.reports)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"latent": torch.from_numpy(np.array(self.latents[index])).float(), "report": self.reports[index]}


class Steps(TorchDataset[dict[str, Any]]):
    """Batches by their step, drawn wherever they are loaded."""

    def __init__(self, latents: Latents, sampler: StepSampler, draw: Draw) -> None:
        self.latents, self.sampler, self.draw = latents, sampler, draw

    def __getitem__(self, step: int) -> dict[str, Any]:
        batch = default_collate([self.latents[i] for i in self.sampler.batch(step)])
        return self.draw(batch, step, self.sampler.rank)


class From(Sampler[int]):
    """All steps from a first one."""

    def __init__(self, first: int) -> None:
        self.first = first

    def __iter__(self) -> Iterator[int]:
        return itertools.count(self.first)


class LatentData(L.LightningDataModule):
    """Latents of the images of another data module.

    Args:
        images: Whose images are encoded.
        batch_size: Latents a step and device.
        seed: Names the order.
        cache: Folder of the encoded latents, float16.
        loaders: Processes that load and draw the batches ahead of the training; 0 does it in between.
    """

    def __init__(
        self, images: ImageData, *, batch_size: int, seed: int = 0, cache: str = ".cache/latents", loaders: int = 0
    ) -> None:
        super().__init__()
        self.loaders = loaders
        self.source, self.batch_size, self.seed, self.cache = images, batch_size, seed, Path(cache)
        self.latents: dict[str, Latents] = {}
        self.encode: Encode | None = None
        self.encoder_hash = ""
        self.draw: Draw = _nothing

    def use(self, encode: Encode, encoder_hash: str, draw: Draw | None = None) -> None:
        """Hand in the frozen encoder, a name for its weights, and what is drawn for each batch, before `setup`."""
        self.encode, self.encoder_hash, self.draw = encode, encoder_hash, draw or _nothing

    def setup(self, stage: str | None = None) -> None:
        self.source.setup(stage)
        for part, images in self.source.images.items():
            if part in self.latents:
                continue
            path = latents_path(self.cache, self.encoder_hash, self.source.paths[part], images.records)
            if not is_whole_cache(path):
                if self.encode is None:
                    raise ValueError("LatentData has no encoder; call `use` with the bundle's encoder before training.")
                write_latents(path, images.images, self.encode)
            self.latents[part] = Latents(np.load(path, mmap_mode="r"), [r.report for r in images.records])

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        first, rank, world_size = (
            (self.trainer.global_step, self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 0, 1)
        )
        latents = self.latents["train"]
        sampler = StepSampler(len(latents), self.batch_size, self.seed, first, rank, world_size)
        if self.loaders:
            os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads do not survive a fork
        return DataLoader(
            Steps(latents, sampler, self.draw), batch_size=None, sampler=From(first), num_workers=self.loaders,
            pin_memory=torch.cuda.is_available(), worker_init_fn=_ignore_ctrl_c,
        )  # fmt: skip

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        return DataLoader(self.latents["val"], batch_size=self.batch_size)


def _nothing(batch: dict[str, Any], step: int, rank: int) -> dict[str, Any]:
    return batch


def _ignore_ctrl_c(worker: int) -> None:
    """A terminal signals all processes: the training finishes its step, for which it needs batches still."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
