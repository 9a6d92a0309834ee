"""Splits that never share a patient."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from radedit.data.batches.cache import fingerprint
from radedit.types import Dataset, Record, Sample


def patient_split(records: Sequence[Record], fractions: Mapping[str, float], seed: int = 0) -> dict[str, list[Record]]:
    """Split records by the hash of their patient.

    A patient's split depends on its id, the fractions and the seed alone: not on the order of the records, nor on who
    else is in the set, so it stays when others are added or left out. The price is that sizes are right on average
    only.

    Args:
        records: The records, in any order.
        fractions: Split → share of the patients, each in [0, 1], together 1; their order matters.
        seed: Another seed gives another split.

    Returns:
        Split → its records, in the order of `records`.

    Raises:
        ValueError: If the fractions are not shares of 1, or a split with a share got no record.
    """
    if any(share < 0 for share in fractions.values()) or abs(sum(fractions.values()) - 1) > 1e-6:
        raise ValueError(f"Fractions are {dict(fractions)}. Allowed are shares of 0 and more that sum to 1.")
    splits: dict[str, list[Record]] = {name: [] for name in fractions}
    for record in records:
        splits[_split_of(record.patient_id, fractions, seed)].append(record)
    empty = [name for name, share in fractions.items() if share > 0 and not splits[name]]
    if empty:
        patients = len({record.patient_id for record in records})
        raise ValueError(
            f"Split {', '.join(map(repr, empty))} got none of the {patients} patients. "
            "Raise its fraction, use another seed, or add patients."
        )
    return splits


def _split_of(patient_id: str, fractions: Mapping[str, float], seed: int) -> str:
    digest = hashlib.sha256(f"{seed}\n{patient_id}".encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    name = ""
    for name, share in fractions.items():
        position -= share
        if position < 0:
            return name
    return [name for name, share in fractions.items() if share > 0][-1]  # the shares summed to a hair less than 1


class Part:
    """Some records of a data set, as a data set.

    Args:
        dataset: The whole.
        part: Its name.
        records: Which, in the whole's order.
        left_out: Reason → number of records that are in no part.
    """

    def __init__(
        self, dataset: Dataset, part: str, records: Sequence[Record], left_out: Mapping[str, int] | None = None
    ) -> None:
        self.dataset, self.part, self._records, self._left_out = dataset, part, records, dict(left_out or {})

    @property
    def records(self) -> Sequence[Record]:
        """The whole's records of this part, in its order."""
        return self._records

    @property
    def excluded(self) -> Mapping[str, int]:
        """Reason → number of rows that the whole left out before it was split, and of records that are in no part."""
        return {**getattr(self.dataset, "excluded", {}), **self._left_out}

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        of = fingerprint(self.dataset)
        return {"part": self.part, "records": [record.id for record in self._records], "of": of}

    def load(self, record: Record) -> Sample:
        """As the whole loads it."""
        return self.dataset.load(record)


class Split(Part):
    """One part of a data set, by the hash of its patients.

    Two datasets of the same images, say all of them and those with masks, split alike: a patient's part depends on
    nothing but its id, the fractions and the seed.

    Args:
        dataset: The whole.
        part: Which split of `fractions`.
        fractions, seed: See `patient_split`.

    Raises:
        ValueError: If `part` is none of the fractions, or see `patient_split`.
    """

    def __init__(self, dataset: Dataset, part: str, fractions: Mapping[str, float], seed: int = 0) -> None:
        if part not in fractions:
            raise ValueError(f"There is no split {part!r}. Fractions are given for {', '.join(fractions)}.")
        super().__init__(dataset, part, patient_split(dataset.records, fractions, seed)[part])


class OfficialSplit(Part):
    """One part of a data set as its publisher split it, by the records' attribute `split`.

    Args:
        dataset: The whole.
        part: The publisher's name of it, such as MIMIC-CXR's "validate".

    Raises:
        ValueError: If no record is of that part.
    """

    def __init__(self, dataset: Dataset, part: str) -> None:
        records = [record for record in dataset.records if record.attributes.get("split") == part]
        if not records:
            there = sorted({record.attributes["split"] for record in dataset.records if "split" in record.attributes})
            raise ValueError(
                f"No record is of the official split {part!r}. "
                + (f"There are {', '.join(map(repr, there))}." if there else "This set has no official split.")
            )
        super().__init__(dataset, part, records)
