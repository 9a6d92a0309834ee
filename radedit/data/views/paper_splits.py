"""Splits as large as the paper's (App. B to D). Which patient is in which is not published, so they differ."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

from radedit.data.views.splits import Part
from radedit.types import Dataset, Record

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
    """Deal shuffled patients to splits until these have their sizes.

    A set with more records than the sizes sum to keeps the rest to itself, as the paper did. One with fewer is split
    in the same proportions.

    Args:
        records: The records, in any order.
        sizes: Split → number of records.
        seed: Another seed gives another shuffle.

    Returns:
        Split → its records, in the order of `records`; each is within one patient's records of its size. And the
        number of records that are in none.

    Raises:
        ValueError: If a size is below 1, or a split got no patient.
    """
    if not sizes or min(sizes.values()) < 1:
        raise ValueError(f"sizes are {dict(sizes)}. Allowed are numbers of 1 and more; leave out what is not used.")
    counts = Counter(record.patient_id for record in records)
    total = sum(sizes.values())
    scale = min(1.0, len(records) / total)
    splits: dict[str, list[Record]] = {name: [] for name in sizes}
    split_of: dict[str, str] = {}
    dealt = 0
    for patient in sorted(counts, key=lambda patient: _shuffled(patient, seed)):
        middle, dealt = dealt + counts[patient] / 2, dealt + counts[patient]
        end = 0.0
        for name, size in sizes.items():
            end += scale * size
            if middle <= end:
                split_of[patient] = name
                break
    for record in records:
        if record.patient_id in split_of:
            splits[split_of[record.patient_id]].append(record)
    if empty := [name for name, own in splits.items() if not own]:
        raise ValueError(
            f"Split {', '.join(map(repr, empty))} got none of the {len(counts)} patients, who have {len(records)} "
            f"records. Add patients, use another seed, or change the sizes {dict(sizes)}."
        )
    return splits, len(records) - sum(map(len, splits.values()))


def _shuffled(patient_id: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\n{patient_id}".encode()).digest()


class PaperLike(Part):
    """One part of a data set, with the paper's numbers of images; no patient is in two.

    Args:
        dataset: The whole.
        part: train, val or test.
        sizes: Of the parts, or the name of a set in `SIZES`.
        seed: See `paper_like`.

    Raises:
        ValueError: If there is no such set or part, or see `paper_like`.
    """

    def __init__(self, dataset: Dataset, part: str, sizes: str | Mapping[str, int], seed: int = 0) -> None:
        if isinstance(sizes, str) and sizes not in SIZES:
            raise ValueError(f"The paper has no sizes for {sizes!r}. It has some for {', '.join(SIZES)}.")
        wanted = SIZES[sizes] if isinstance(sizes, str) else sizes
        if part not in wanted:
            raise ValueError(f"There is no split {part!r}. Sizes are given for {', '.join(wanted)}.")
        splits, rest = paper_like(dataset.records, wanted, seed)
        super().__init__(dataset, part, splits[part], {"more than the paper has": rest} if rest else {})
