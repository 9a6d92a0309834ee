"""Preprocessed films of a data set in one array on disk, made once and found again by content hash.

Training reads every film many times; drawing or decoding it once is enough. Grey levels are kept in 8 bits. The array
is filled block by block, so that a set need not fit into memory and a run that was stopped goes on.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor

from radedit.data.atomic import write_atomically
from radedit.data.blocks import rows_of, work_in_blocks
from radedit.data.file_lock import FileLock
from radedit.data.fingerprint import content_hash
from radedit.data.memory_map import new_array
from radedit.data.transforms import preprocess
from radedit.types import Reader, Record

logger = logging.getLogger(__name__)

BLOCK = 64  # films; 17 MB at 512 px


def films_path(folder: Path, reader: Reader, size: int, masks: Sequence[str] = ()) -> Path:
    """Where films of a data set are kept in a folder of caches."""
    return folder / f"{content_hash([fingerprint(reader), size, list(masks)])[:16]}.npy"


def cached_films(
    reader: Reader, size: int, path: Path, *, masks: Sequence[str] = (), workers: int = 2
) -> tuple[list[Record], NDArray[np.uint8]]:
    """Films and masks of a data set as a memory map.

    Args:
        reader: The data set.
        size: Side of the square films.
        path: Where the array is kept (`.npy`), see `films_path`; made if missing. If films could not be read it is
            copied once without them, which takes as much room again for a while.
        masks: Names of masks to keep as further channels, 0 or 255; a film without one has an empty mask.
        workers: Processes that load.

    Returns:
        Records whose films could be read, and their films, shape (n, 1 + len(masks), size, size), 0…255.

    Raises:
        ValueError: If no film could be read.
    """
    listed = path.with_suffix(".ids")
    if not (path.exists() and listed.exists()):
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), wait=True):
            if not (path.exists() and listed.exists()):
                _fill(reader, size, path, listed, tuple(masks), workers)
    by_id = {record.id: record for record in reader.records}
    return [by_id[id_] for id_ in listed.read_text().splitlines()], np.load(path, mmap_mode="r")


def _fill(reader: Reader, size: int, path: Path, listed: Path, masks: tuple[str, ...], workers: int) -> None:
    records = reader.records
    filled, blocks = path.with_suffix(".partial.npy"), path.with_suffix(".blocks")
    shape = (len(records), 1 + len(masks), size, size)
    if not (filled.exists() and blocks.exists()):
        shutil.rmtree(blocks, ignore_errors=True)
        new_array(filled, np.uint8, shape)
    work = partial(_write_block, reader, size, masks, filled)
    work_in_blocks(work, len(records), blocks, block=BLOCK, workers=workers, what="preprocess")
    kept: list[int] = []
    for number, row in enumerate(rows_of(blocks, len(records), BLOCK)):
        if row["error"]:
            logger.warning("Skipped record %s: %s", records[number].id, row["error"])
        else:
            kept.append(number)
    if not kept:
        raise ValueError(f"None of {len(records)} records could be read; the last reason: {row['error']}")
    _keep(filled, kept)
    write_atomically(listed, "\n".join(records[number].id for number in kept).encode())
    filled.replace(path)
    shutil.rmtree(blocks)
    logger.info("Cached %d of %d films in %s", len(kept), len(records), path)


def _write_block(
    reader: Reader, size: int, masks: tuple[str, ...], filled: Path, numbers: range
) -> list[dict[str, Any]]:
    """Write the films of a block to their places, and say which could not be read."""
    films, rows = open_memmap(filled, "r+"), []
    for number in numbers:
        film = _film(reader, size, masks, reader.records[number])
        if isinstance(film, str):
            rows.append({"error": film})
        else:
            films[number] = film
            rows.append({"error": ""})
    films.flush()
    return rows


def _keep(filled: Path, kept: Sequence[int]) -> None:
    """Leave the rest out of an array on disk, unless it was left out already."""
    films, fewer = np.load(filled, mmap_mode="r"), filled.with_suffix(".kept.npy")
    if len(films) == len(kept):
        return
    copy = new_array(fewer, np.uint8, (len(kept), *films.shape[1:]))
    for start in range(0, len(kept), BLOCK):
        copy[start : start + BLOCK] = films[kept[start : start + BLOCK]]
    copy.flush()
    fewer.replace(filled)


def _film(reader: Reader, size: int, masks: tuple[str, ...], record: Record) -> NDArray[np.uint8] | str:
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
