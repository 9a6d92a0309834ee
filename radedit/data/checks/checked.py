"""Every image of a data set looked at once, before anyone trains on it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from radedit.data.image.transforms import preprocess
from radedit.data.io.json_lines import read_json_lines
from radedit.data.io.progress import tracked
from radedit.data.layouts.image_files import ImageFiles
from radedit.types import Dataset, Record, Sample

Row = Mapping[str, Any]
Rows = Callable[[], Iterable[tuple[Record, Row]]]  # records with what their check found, as often as iterated


def missing_images(dataset: Dataset) -> Iterator[tuple[Record, str]]:
    """Records whose image file is not there, and why; of sets of files only, others are checked on loading."""
    if isinstance(dataset, ImageFiles):
        for record in tracked(dataset.records, len(dataset.records), "Looking for files", "images"):
            path = dataset.image_file(record).image
            if not path.is_file():
                yield record, f"there is no file {path}"


def check_images(
    dataset: Dataset, write: Callable[[int, Sample], Mapping[str, Any]] | None, numbers: range
) -> list[dict[str, Any]]:
    """Load images and say of each what it holds, or why it can't be read.

    Args:
        dataset: The data set.
        write: Given an image's number and the image, writes a copy and returns its description; none is
            made where None.
        numbers: Of the records.

    Returns:
        A row of each, of JSON's types: `error` (empty if there is none) and `missing` (whether because a file is not
        there); of an image that could be read also `height` and `width` (px), `content` (names its pixels), `masks`
        (name → share of the image), `boxes` (name → number), and what `write` said.
    """
    return [_check(dataset, write, number) for number in numbers]


def _check(dataset: Dataset, write: Callable[[int, Sample], Mapping[str, Any]] | None, number: int) -> dict[str, Any]:
    try:
        sample = dataset.load(dataset.records[number])
        if write is None:
            preprocess(sample, min(sample.image.shape[-2:]))  # refuses what no training could use, at little cost
        written = write(number, sample) if write else {}
    except (ValueError, OSError) as error:
        causes = (error, error.__cause__)  # datasets add the record's name
        return {"error": str(error), "missing": any(isinstance(cause, FileNotFoundError) for cause in causes)}
    height, width = sample.image.shape[-2:]
    return {
        "error": "",
        "missing": False,
        "height": height,
        "width": width,
        "content": content_id(sample.image),
        "masks": {name: round(float(mask.float().mean()), 6) for name, mask in sample.masks.items()},
        "boxes": {name: len(boxes) for name, boxes in sample.boxes.items()},
        **written,
    }


def content_id(image: Tensor) -> str:
    """What names an image's pixels, in whatever file they are: 32 hexadecimal digits of a SHA-256."""
    digest = hashlib.sha256(f"{tuple(image.shape)}".encode())
    digest.update(image.contiguous().numpy().data)
    return digest.hexdigest()[:32]


def identical_images(rows: Rows) -> Iterator[dict[str, str]]:
    """Of images whose pixels are those of another: `content`, `id` and `patient_id`."""
    seen: set[str] = set()
    repeated: set[str] = set()
    for _, row in rows():
        content = row.get("content")
        if content:
            (repeated if content in seen else seen).add(content)
    for record, row in rows():
        if row.get("content") in repeated:
            yield {"content": row["content"], "id": record.id, "patient_id": record.patient_id}


def reopen(blocks: Path, *, unreadable: bool) -> None:
    """Make blocks open again in which a file was missing or, on request, an image could not be read."""
    for file in blocks.glob("*.jsonl"):
        if any(row["missing"] or (unreadable and row["error"]) for row in read_json_lines(file)):
            file.unlink()
