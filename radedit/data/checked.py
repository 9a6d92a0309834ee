"""Every film of a data set looked at once, before anyone trains on it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from radedit.data.film_files import FilmFiles
from radedit.data.json_lines import read_json_lines
from radedit.data.transforms import preprocess
from radedit.types import Reader, Record, Sample

Row = Mapping[str, Any]
Rows = Callable[[], Iterable[tuple[Record, Row]]]  # records with what their check found, as often as asked


def missing_films(reader: Reader) -> Iterator[tuple[Record, str]]:
    """Records whose image file is not there, and why; of sets of files only, others are asked on loading."""
    if isinstance(reader, FilmFiles):
        for record in tqdm(reader.records, desc="look for files", unit="film", disable=None):
            path = reader.film(record).image
            if not path.is_file():
                yield record, f"there is no file {path}"


def check_films(
    reader: Reader, write: Callable[[int, Sample], Mapping[str, Any]] | None, numbers: range
) -> list[dict[str, Any]]:
    """Load films and say of each what it holds, or why it can't be read.

    Args:
        reader: The data set.
        write: Given a film's number and the film, puts a copy somewhere and says what is to be known of it; none is
            made where None.
        numbers: Of the records.

    Returns:
        A row of each, of JSON's types: `error` (empty if there is none) and `missing` (whether because a file is not
        there); of a film that could be read also `height` and `width` (px), `content` (names its pixels), `masks`
        (name → share of the film), `boxes` (name → number), and what `write` said.
    """
    return [_check(reader, write, number) for number in numbers]


def _check(reader: Reader, write: Callable[[int, Sample], Mapping[str, Any]] | None, number: int) -> dict[str, Any]:
    try:
        sample = reader.load(reader.records[number])
        if write is None:
            preprocess(sample, min(sample.image.shape[-2:]))  # refuses what no training could use, at little cost
        written = write(number, sample) if write else {}
    except (ValueError, OSError) as error:
        causes = (error, error.__cause__)  # readers add the record's name
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


def identical_films(rows: Rows) -> Iterator[dict[str, str]]:
    """Of films whose pixels are those of another: `content`, `id` and `subject_id`."""
    seen: set[str] = set()
    repeated: set[str] = set()
    for _, row in rows():
        content = row.get("content")
        if content:
            (repeated if content in seen else seen).add(content)
    for record, row in rows():
        if row.get("content") in repeated:
            yield {"content": row["content"], "id": record.id, "subject_id": record.subject_id}


def reopen(blocks: Path, *, unreadable: bool) -> None:
    """Make blocks open again in which a file was missing or, on request, a film could not be read."""
    for file in blocks.glob("*.jsonl"):
        if any(row["missing"] or (unreadable and row["error"]) for row in read_json_lines(file)):
            file.unlink()
