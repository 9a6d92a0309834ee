"""Giving images away blinded: shuffled, renamed, each once, and nothing in a file that tells what it shows."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from radedit.data.blinded.dicom_write import WHAT, new_uid, write_dicom
from radedit.data.blinded.key import DIGITS, EXPORT, Item, Key, digest_of
from radedit.data.image.files import write_png
from radedit.data.image.transforms import preprocess
from radedit.data.io.progress import Progress
from radedit.data.io.table import write_table
from radedit.types import Dataset, Record

logger = logging.getLogger(__name__)

FORMATS = ("dicom", "png")
SUFFIX = {"dicom": ".dcm", "png": ".png"}
IMAGES, ANSWERS = "images", "answers.csv"
ABOUT = ("id", "file", "sop_instance_uid", EXPORT)  # columns that the table to fill has of every image


def draw_key(sets: Mapping[str, Dataset], *, scenario: str, stress_set: str, size: int, seed: int, format: str) -> Key:
    """Look at all images once, and give each an id by chance.

    Args:
        sets: Name of a set of the stress test → its images.
        scenario: Name of the stress test.
        stress_set: Hash of the set.
        size: Side that images are preprocessed to, px, as models of radedit see them.
        seed: Of the order.
        format: `dicom` or `png`.

    Returns:
        The key. Images that can't be read are left out, as the test leaves them out, and logged.

    Raises:
        ValueError: If there is no such format, or no image.
    """
    if format not in FORMATS:
        raise ValueError(f"format is {format!r}; allowed are {', '.join(FORMATS)} and parquet.")
    shows: dict[str, dict[str, list[str]]] = {}
    for name, record, image in _images(sets, size, "Looking at"):
        shows.setdefault(digest_of(image), {}).setdefault(name, []).append(record.id)
    if not shows:
        raise ValueError("There is no image to export.")
    digests = np.random.default_rng(seed).permutation(sorted(shows)).tolist()
    width = max(4, len(str(len(digests))))
    items = []
    for number, digest in enumerate(digests, start=1):
        id_ = f"R{number:0{width}}"
        words = (stress_set, str(seed), id_, digest)
        uid, study_uid = (new_uid(*words, level) if format == "dicom" else "" for level in ("image", "study"))
        items.append(Item(id_, f"{IMAGES}/{id_}{SUFFIX[format]}", uid, study_uid, digest, shows[digest]))
    return Key(scenario, stress_set, size, seed, items)


def write_images(key: Key, sets: Mapping[str, Dataset], folder: Path, *, format: str, view: str) -> None:
    """Write the images of a key; those that are there are written again.

    Args:
        key: From `draw_key`.
        sets: As there.
        folder: That is given away.
        format: As there.
        view: What DICOM files say of it, `PA` or `AP`.
    """
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    left = {item.digest: item for item in key.items}
    for _, _, image in _images(sets, key.size, "Writing"):
        item = left.pop(digest_of(image), None)
        if item is None:  # another record's equal image was written
            continue
        path = folder / item.file
        if format == "dicom":
            write_dicom(path, image, id_=item.id, uid=item.uid, study_uid=item.study_uid, view=view)
        else:
            write_png(path, image, text={"Comment": WHAT}, bits=16)
        os.utime(path, (0, 0))  # images are written set by set, which their times would tell
    if left:
        raise ValueError(f"{len(left)} images changed while they were written. Export them again.")


def write_template(key: Key, folder: Path, columns: Sequence[str]) -> None:
    """Write the table to fill: a row for each image, with empty cells for `columns`."""
    head, named = [*ABOUT, *columns], key.hash[:DIGITS]
    rows = [
        dict(zip(head, (item.id, item.file, item.uid, named, *[""] * len(columns)), strict=True)) for item in key.items
    ]
    write_table(folder / ANSWERS, head, rows)


def _images(sets: Mapping[str, Dataset], size: int, doing: str) -> Iterator[tuple[str, Record, Tensor]]:
    with Progress(sum(len(dataset.records) for dataset in sets.values()), doing, "images") as progress:
        for name, dataset in sets.items():
            for record in dataset.records:
                progress.add(1)
                try:
                    image = preprocess(dataset.load(record), size).image
                except (ValueError, OSError) as error:
                    logger.warning("Left out %s of %s: %s", record.id, name, error)
                    continue
                yield name, record, image
