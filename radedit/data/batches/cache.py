"""Preprocessed images of a data set in one array on disk, made once and found again by content hash.

Training reads every image many times; drawing or decoding it once is enough. Grey levels are kept in 8 bits. The array
is filled block by block, so that a set need not fit into memory and a run that was stopped goes on.
"""

from __future__ import annotations

import hashlib
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

from radedit.data.image.transforms import preprocess
from radedit.data.io.atomic import write_atomically
from radedit.data.io.blocks import rows_of, work_in_blocks
from radedit.data.io.checksums import damaged, read_sums, write_sums
from radedit.data.io.file_hash import file_hashes
from radedit.data.io.file_lock import FileLock
from radedit.data.io.fingerprint import content_hash
from radedit.data.io.memory_map import new_array
from radedit.types import Dataset, Record

logger = logging.getLogger(__name__)

BLOCK = 64  # images; 17 MB at 512 px


def images_path(folder: Path, dataset: Dataset, size: int, masks: Sequence[str] = ()) -> Path:
    """Where images of a data set are kept in a folder of caches."""
    return folder / f"{content_hash([fingerprint(dataset), size, list(masks)])[:16]}.npy"


def cached_images(
    dataset: Dataset, size: int, path: Path, *, masks: Sequence[str] = (), workers: int = 2
) -> tuple[list[Record], NDArray[np.uint8]]:
    """Images and masks of a data set as a memory map.

    Args:
        dataset: The data set.
        size: Side of the square images.
        path: Where the array is kept (`.npy`), see `images_path`; made if missing. If images could not be read it is
            copied once without them, which takes as much room again for a while.
        masks: Names of masks to keep as further channels, 0 or 255; an image without one has an empty mask.
        workers: Processes that load.

    Returns:
        Records whose images could be read, and their images, shape (n, 1 + len(masks), size, size), 0…255.

    Raises:
        ValueError: If no image could be read.
    """
    listed = path.with_suffix(".ids")
    if not is_whole_cache(path, listed):
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), wait=True):
            if not is_whole_cache(path, listed):
                _fill(dataset, size, path, listed, tuple(masks), workers)
    by_id = {record.id: record for record in dataset.records}
    return [by_id[id_] for id_ in listed.read_text(encoding="utf-8").split("\n")], np.load(path, mmap_mode="r")


def seal_cache(path: Path, *files: Path) -> None:
    """Write checksums of an array and of what belongs to it, before it takes its place as `path`."""
    whole = file_hashes(files, "whole")
    write_sums(path.with_suffix(".sha256"), {path.name if f == files[0] else f.name: whole[f] for f in files})


def is_whole_cache(path: Path, *others: Path) -> bool:
    """Whether an array, and what belongs to it, is there and as it was written; else it is to be made again."""
    sums = path.with_suffix(".sha256")
    if not all(file.exists() for file in (path, *others)):
        return False
    try:
        wrong = damaged(path.parent, read_sums(sums)) if sums.exists() else []  # none: of an earlier version
    except ValueError:
        wrong = [sums.name]
    if wrong:
        logger.warning("%s was changed since it was written, so it is made again.", path.parent / wrong[0])
    return not wrong


def _fill(dataset: Dataset, size: int, path: Path, listed: Path, masks: tuple[str, ...], workers: int) -> None:
    records = dataset.records
    filled, blocks = path.with_suffix(".partial.npy"), path.with_suffix(".blocks")
    shape = (len(records), 1 + len(masks), size, size)
    if not (filled.exists() and blocks.exists()):
        shutil.rmtree(blocks, ignore_errors=True)
        new_array(filled, np.uint8, shape)
    work = partial(_write_block, dataset, size, masks, filled)
    work_in_blocks(work, len(records), blocks, block=BLOCK, workers=workers, what="Preprocessing")
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
    seal_cache(path, filled, listed)
    filled.replace(path)
    shutil.rmtree(blocks)
    logger.info("Cached %d of %d images in %s", len(kept), len(records), path)


def _write_block(
    dataset: Dataset, size: int, masks: tuple[str, ...], filled: Path, numbers: range
) -> list[dict[str, Any]]:
    """Write the images of a block to their places, and say which could not be read."""
    images, rows = open_memmap(filled, "r+"), []
    for number in numbers:
        image = _image(dataset, size, masks, dataset.records[number])
        if isinstance(image, str):
            rows.append({"error": image})
        else:
            images[number] = image
            rows.append({"error": ""})
    images.flush()
    return rows


def _keep(filled: Path, kept: Sequence[int]) -> None:
    """Leave the rest out of an array on disk, unless it was left out already."""
    images, fewer = np.load(filled, mmap_mode="r"), filled.with_suffix(".kept.npy")
    if len(images) == len(kept):
        return
    copy = new_array(fewer, np.uint8, (len(kept), *images.shape[1:]))
    for start in range(0, len(kept), BLOCK):
        copy[start : start + BLOCK] = images[kept[start : start + BLOCK]]
    copy.flush()
    fewer.replace(filled)


def _image(dataset: Dataset, size: int, masks: tuple[str, ...], record: Record) -> NDArray[np.uint8] | str:
    try:
        sample = preprocess(dataset.load(record), size)
    except (ValueError, OSError) as error:
        return str(error)
    empty = torch.zeros_like(sample.image)
    channels = [sample.image, *(sample.masks.get(name, empty).float() for name in masks)]
    return (torch.cat(channels) * 255).round().byte().numpy()


def to_unit(images: NDArray[np.uint8]) -> Tensor:
    """Grey levels in [0, 1], float32, of 8-bit images."""
    return torch.from_numpy(np.array(images)).float() / 255


def fingerprint(dataset: Dataset) -> object:
    """What determines a dataset's images, for content hashes; of one that can't say so, the images themselves."""
    found = getattr(dataset, "fingerprint", None)
    return found or _of_content(dataset)


def _of_content(dataset: Dataset) -> str:
    """Digest of all images and masks, read once for each dataset."""
    known = getattr(dataset, "__dict__", {})
    if "_content" not in known:
        logger.info("%s has no fingerprint, so all of its images are read to name them.", type(dataset).__name__)
        digest = hashlib.sha256()
        for record in dataset.records:
            digest.update(content_hash(record).encode())
            try:
                sample = dataset.load(record)
            except (ValueError, OSError) as error:
                digest.update(str(error).encode())
                continue
            for name, pixels in {"": sample.image, **sample.masks}.items():
                digest.update(f"{name} {tuple(pixels.shape)} {pixels.dtype}".encode())
                digest.update(pixels.contiguous().cpu().numpy().tobytes())
        if not hasattr(dataset, "__dict__"):
            return digest.hexdigest()
        known["_content"] = digest.hexdigest()
    return str(known["_content"])
