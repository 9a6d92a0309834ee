"""Splits by patient."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from radedit.data.io.fingerprint import content_hash
from radedit.data.views.splits import Split, patient_split
from radedit.types import Record, Sample

FRACTIONS = {"train": 0.7, "validation": 0.1, "test": 0.2}
RECORDS = [Record(f"r{i}", f"s{i // 2}") for i in range(2000)]


def test_no_patient_is_in_two_splits_and_no_record_is_lost() -> None:
    splits = patient_split(RECORDS, FRACTIONS)
    patients = [{record.patient_id for record in records} for records in splits.values()]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 1000
    assert sum(map(len, splits.values())) == len(RECORDS)


def test_sizes_follow_the_fractions() -> None:
    splits = patient_split(RECORDS, FRACTIONS)
    for name, share in FRACTIONS.items():
        assert len(splits[name]) / len(RECORDS) == pytest.approx(share, abs=0.04)


@settings(max_examples=20)
@given(st.integers(), st.integers(0, 3))
def test_split_does_not_depend_on_order_or_on_others(shuffle: int, seed: int) -> None:
    some = random.Random(shuffle).sample(RECORDS, 300)
    whole = patient_split(RECORDS, FRACTIONS, seed)
    home = {record.id: name for name, records in whole.items() for record in records}
    assert all(home[r.id] == name for name, rs in patient_split(some, FRACTIONS, seed).items() for r in rs)


def test_another_seed_is_another_split() -> None:
    assert patient_split(RECORDS, FRACTIONS, seed=0) != patient_split(RECORDS, FRACTIONS, seed=1)


@pytest.mark.parametrize(("cut", "expected"), [(0.370, "test"), (0.371, "train")])
def test_place_of_a_patient_is_its_sha256(cut: float, expected: str) -> None:
    # SHA-256 of "0\ns0" begins with 5ebfe6…, which is 0.3701 of the way.
    splits = patient_split(RECORDS, {"train": cut, "test": 1 - cut}, seed=0)
    assert RECORDS[0] in splits[expected]


@pytest.mark.parametrize("fractions", [{"train": 0.7, "test": 0.2}, {"train": 1.2, "test": -0.2}])
def test_fractions_must_be_shares_of_one(fractions: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        patient_split(RECORDS, fractions)


def test_split_without_patients_is_refused() -> None:
    with pytest.raises(ValueError, match="got none of the 1 patients"):
        patient_split(RECORDS[:2], FRACTIONS)


def test_split_may_have_no_share() -> None:
    assert patient_split(RECORDS, {"train": 1.0, "test": 0.0})["test"] == []


class Listed:
    """A data set of which nobody loads anything but names."""

    def __init__(self, records: list[Record]) -> None:
        self.records = records

    def load(self, record: Record) -> Sample:
        return Sample(record, torch.zeros(1, 2, 2))


def test_the_splits_of_a_dataset_share_no_patient_and_lose_no_record() -> None:
    parts = {part: Split(Listed(RECORDS), part, FRACTIONS, seed=3).records for part in FRACTIONS}
    patients = [{record.patient_id for record in records} for records in parts.values()]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 1000
    assert sum(map(len, parts.values())) == len(RECORDS)


def test_a_patient_is_in_the_same_split_whatever_else_a_dataset_has() -> None:
    """A generator learns from all images, a segmenter from those with masks; neither may see the test's patients."""
    with_masks = RECORDS[::3]
    whole = {record.id for record in Split(Listed(RECORDS), "test", FRACTIONS).records}
    some = {record.id for record in Split(Listed(with_masks), "test", FRACTIONS).records}
    assert some == whole & {record.id for record in with_masks}


def test_a_split_loads_what_its_dataset_loads() -> None:
    split = Split(Listed(RECORDS), "test", FRACTIONS)
    assert split.load(split.records[0]).record == split.records[0]


def test_an_unknown_split_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="'dev'.*train, validation, test"):
        Split(Listed(RECORDS), "dev", FRACTIONS)


@pytest.mark.parametrize("changed", [{"part": "train"}, {"seed": 1}])
def test_the_fingerprint_of_a_split_tells_it_from_others(changed: dict[str, Any]) -> None:
    given: dict[str, Any] = {"part": "test", "seed": 0}
    one, other = (Split(Listed(RECORDS), fractions=FRACTIONS, **arguments) for arguments in (given, given | changed))
    assert content_hash(one.fingerprint) != content_hash(other.fingerprint)
