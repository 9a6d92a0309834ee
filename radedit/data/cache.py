"""Preprocessed films of a data set in one array on disk, made once and found again by content hash.

Training reads every film many times; drawing or decoding it once is enough. Grey levels are kept in 8 bits.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radedit.data.transforms import preprocess
from radedit.types import Reader, Record

logger = logging.getLogger(__name__)


def cached_films(
    reader: Reader, size: int, path: Path, *, masks: Sequence[str] = (), workers: int = 2
) -> tuple[list[Record], NDArray[np.uint8]]:
    """Films and masks of a data set as a memory map.

    Args:
        reader: The data set.
        size: Side of the square films.
        path: Where the array is kept (`.npy`); made if missing. Name it after the content hash of the reader.
        masks: Names of masks to keep as further channels, 0 or 255; a film without one has an empty mask.
        workers: Processes that load.

    Returns:
        Records whose films could be read, and their films, shape (n, 1 + len(masks), size, size), 0…255.
    """
    listed = path.with_suffix(".ids")
    by_id = {record.id: record for record in reader.records}
    if not (path.exists() and listed.exists()):
        path.parent.mkdir(parents=True, exist_ok=True)
        load = partial(_film, reader, size, tuple(masks))
        kept: list[str] = []
        films: list[NDArray[np.uint8]] = []
        with ProcessPoolExecutor(workers) as pool:
            for record, film in zip(reader.records, pool.map(load, reader.records, chunksize=32), strict=True):
                if isinstance(film, str):
                    logger.warning("Skipped record %s: %s", record.id, film)
                    continue
                kept.append(record.id)
                films.append(film)
        if not films:
            raise ValueError(f"None of {len(by_id)} records could be read; the last reason: {film}")
        partial_path = path.with_suffix(".partial.npy")
        np.save(partial_path, np.stack(films))
        listed.write_text("\n".join(kept))
        partial_path.replace(path)
        logger.info("Cached %d of %d films in %s", len(kept), len(by_id), path)
    records = [by_id[id_] for id_ in listed.read_text().splitlines()]
    return records, np.load(path, mmap_mode="r")


def _film(reader: Reader, size: int, masks: tuple[str, ...], record: Record) -> NDArray[np.uint8] | str:
    torch.set_num_threads(1)
    try:
        sample = preprocess(reader.load(record), size)
    except (ValueError, OSError) as error:
        return str(error)
    empty = torch.zeros_like(sample.image)
    channels = [sample.image, *(sample.masks.get(name, empty).float() for name in masks)]
    return (torch.cat(channels) * 255).round().byte().numpy()


def to_unit(films: NDArray[np.uint8]) -> Tensor:
    """Grey levels in [0, 1], float32, of 8-bit films."""
    return torch.from_numpy(np.array(films)).float() / 255


def fingerprint(reader: Reader) -> object:
    """What determines a reader's films, for content hashes."""
    return getattr(reader, "fingerprint", None) or [record.id for record in reader.records]
