"""Splits as large as the paper's (App. B to D). Who is in which, the paper does not tell, so that differs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

from radedit.data.splits import Part
from radedit.types import Reader, Record

# Numbers of images. A part with none, which the paper names as never used, is left out.
SIZES: Mapping[str, Mapping[str, int]] = {
    "bimcv_positive": {"train": 3008, "val": 344, "test": 384},
    "bimcv_negative": {"train": 1721, "val": 193},
    "mimic_cxr": {"train": 5000, "val": 500, "test": 500},  # the negatives of Section 5.2
    "candid_ptx": {"train": 13836, "val": 1539, "test": 1865},
    "siim_acr": {"train": 10712, "val": 1625},
    "mimic_seg": {"train": 911, "val": 114, "test": 115},
    "chexmask": {"train": 169206, "val": 36580, "test": 36407},
}


def paper_like(
    records: Sequence[Record], sizes: Mapping[str, int], seed: int = 0
) -> tuple[dict[str, list[Record]], int]:
    """Deal shuffled subjects to splits until these have their sizes.

    A set with more records than the sizes sum to keeps the rest to itself, as the paper did. One with fewer is split
    in the same proportions.

    Args:
        records: The records, in any order.
        sizes: Split → number of records.
        seed: Another seed gives another shuffle.

    Returns:
        Split → its records, in the order of `records`; each is within one subject's records of its size. And the
        number of records that are in none.

    Raises:
        ValueError: If a size is below 1, or a split got no subject.
    """
    if not sizes or min(sizes.values()) < 1:
        raise ValueError(f"sizes are {dict(sizes)}. Allowed are numbers of 1 and more; leave out what is not used.")
    counts = Counter(record.subject_id for record in records)
    total = sum(sizes.values())
    scale = min(1.0, len(records) / total)
    splits: dict[str, list[Record]] = {name: [] for name in sizes}
    split_of: dict[str, str] = {}
    dealt = 0
    for subject in sorted(counts, key=lambda subject: _shuffled(subject, seed)):
        middle, dealt = dealt + counts[subject] / 2, dealt + counts[subject]
        end = 0.0
        for name, size in sizes.items():
            end += scale * size
            if middle <= end:
                split_of[subject] = name
                break
    for record in records:
        if record.subject_id in split_of:
            splits[split_of[record.subject_id]].append(record)
    if empty := [name for name, own in splits.items() if not own]:
        raise ValueError(
            f"Split {', '.join(map(repr, empty))} got none of the {len(counts)} subjects, who have {len(records)} "
            f"records. Add subjects, use another seed, or change the sizes {dict(sizes)}."
        )
    return splits, len(records) - sum(map(len, splits.values()))


def _shuffled(subject_id: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\n{subject_id}".encode()).digest()


class PaperLike(Part):
    """One part of a data set, with the paper's numbers of images; no subject is in two.

    Args:
        reader: The whole.
        part: train, val or test.
        sizes: Of the parts, or the name of a set in `SIZES`.
        seed: See `paper_like`.

    Raises:
        ValueError: If there is no such set or part, or see `paper_like`.
    """

    def __init__(self, reader: Reader, part: str, sizes: str | Mapping[str, int], seed: int = 0) -> None:
        if isinstance(sizes, str) and sizes not in SIZES:
            raise ValueError(f"The paper has no sizes for {sizes!r}. It has some for {', '.join(SIZES)}.")
        wanted = SIZES[sizes] if isinstance(sizes, str) else sizes
        if part not in wanted:
            raise ValueError(f"There is no split {part!r}. Sizes are given for {', '.join(wanted)}.")
        splits, rest = paper_like(reader.records, wanted, seed)
        super().__init__(reader, part, splits[part], {"more than the paper has": rest} if rest else {})
