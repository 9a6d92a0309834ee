"""Splits with the paper's sizes, the publisher's, and those of a file."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from radedit.data.views.paper_splits import SIZES, PaperLike, paper_like
from radedit.data.views.split_file import FileSplit, patients_hash, read_split, write_split
from radedit.data.views.splits import OfficialSplit
from radedit.types import Record, Sample

RECORDS = [Record(f"r{i}", f"s{i // 2}", {}, "", {"split": "validate" if i < 200 else "train"}) for i in range(2000)]


class Listed:
    """A data set of which nobody loads anything but names."""

    def __init__(self, records: list[Record]) -> None:
        self.records = records

    def load(self, record: Record) -> Sample:
        return Sample(record, torch.zeros(1, 2, 2))


@settings(max_examples=50)
@given(
    images=st.lists(st.integers(1, 5), min_size=40, max_size=200),
    sizes=st.fixed_dictionaries({name: st.integers(30, 400) for name in ("train", "val", "test")}),
    seed=st.integers(0, 5),
)
def test_every_split_is_within_one_patient_of_its_size_and_shares_none(
    images: list[int], sizes: dict[str, int], seed: int
) -> None:
    records = [Record(f"{i}-{j}", f"s{i}") for i, n in enumerate(images) for j in range(n)]
    splits, rest = paper_like(records, sizes, seed)
    scale = min(1.0, len(records) / sum(sizes.values()))
    for name, size in sizes.items():
        assert abs(len(splits[name]) - scale * size) <= 5
    homes = Counter(patient for own in splits.values() for patient in {record.patient_id for record in own})
    assert max(homes.values()) == 1
    assert rest + sum(map(len, splits.values())) == len(records)


def test_the_sizes_are_those_of_appendices_b_to_d() -> None:
    assert sum(SIZES["bimcv_positive"].values()) == 3736 and sum(SIZES["bimcv_negative"].values()) == 1914
    assert sum(SIZES["candid_ptx"].values()) == 17240 and sum(SIZES["siim_acr"].values()) == 12337
    assert sum(SIZES["mimic_seg"].values()) == 1140 and sum(SIZES["chexmask"].values()) == 242193
    assert sum(SIZES["mimic_cxr"].values()) == 6000


def test_a_larger_set_keeps_the_rest_to_itself_and_counts_it() -> None:
    part = PaperLike(Listed(RECORDS), "train", {"train": 600, "test": 200})
    assert len(part.records) == 600 and part.excluded == {"more than the paper has": 1200}


def test_a_smaller_set_is_split_in_the_same_proportions() -> None:
    splits, rest = paper_like(RECORDS, {"train": 6000, "val": 1000, "test": 3000})
    assert {name: len(own) for name, own in splits.items()} == {"train": 1200, "val": 200, "test": 600} and rest == 0


def test_the_order_of_the_records_does_not_matter_and_the_seed_does() -> None:
    sizes = {"train": 1000, "test": 500}
    shuffled = random.Random(0).sample(RECORDS, len(RECORDS))
    ids = [{r.id for r in paper_like(some, sizes, seed)[0]["test"]} for some, seed in
           ((RECORDS, 0), (shuffled, 0), (RECORDS, 1))]  # fmt: skip
    assert ids[0] == ids[1] != ids[2]


def test_too_few_patients_are_refused() -> None:
    with pytest.raises(ValueError, match="got none of the 1 patients, who have 2 records"):
        paper_like(RECORDS[:2], SIZES["candid_ptx"])


def test_an_unknown_set_is_named_with_those_that_the_paper_has() -> None:
    with pytest.raises(ValueError, match="'padchest'.*candid_ptx"):
        PaperLike(Listed(RECORDS), "train", "padchest")


def test_the_official_split_is_the_publishers_under_its_own_names() -> None:
    assert len(OfficialSplit(Listed(RECORDS), "validate").records) == 200
    with pytest.raises(ValueError, match="'val'. There are 'train', 'validate'"):
        OfficialSplit(Listed(RECORDS), "val")


def test_a_set_without_an_official_split_says_so() -> None:
    with pytest.raises(ValueError, match="no official split"):
        OfficialSplit(Listed([Record("a", "s")]), "train")


def test_a_written_split_is_read_back(tmp_path: Path) -> None:
    splits, _ = paper_like(RECORDS, {"train": 1000, "test": 500})
    write_split(tmp_path / "split.csv", splits)
    assert read_split(tmp_path / "split.csv", RECORDS) == splits
    part = FileSplit(Listed(RECORDS), "test", tmp_path / "split.csv")
    assert part.records == splits["test"] and part.excluded == {"not in split.csv": 500}


def test_the_header_has_the_hash_of_the_sorted_patients(tmp_path: Path) -> None:
    write_split(tmp_path / "split.csv", {"train": [Record("1", "b")], "test": [Record("2", "a")]})
    # printf 'a\nb\n' | sha256sum
    digest = "911169ddaaf146aff539f58c26c489af3b892dff0fe283c1c264c65ae5aa59a2"
    assert (tmp_path / "split.csv").read_text() == f"# patients {digest}\npatient_id,split\na,test\nb,train\n"
    assert patients_hash(["b", "a", "b"]) == digest


def test_a_split_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    write_split(path, {"train": RECORDS[:100], "test": RECORDS[100:200]})
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    with pytest.raises(ValueError, match="other patients than when it was written"):
        read_split(path, RECORDS)


def test_a_file_may_name_records_and_have_no_hash(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("split,id\ntrain,r0\ntest,r5\n")
    splits = read_split(tmp_path / "split.csv", RECORDS)
    assert {name: [record.id for record in own] for name, own in splits.items()} == {"train": ["r0"], "test": ["r5"]}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,split\nr0,train\nr1,test\n", "'s0' is in the splits 'train' and 'test'"),
        ("patient_id,split\ns0,train\ns0,test\n", "'s0' is in the splits"),
        ("patient_id,split\nx,train\n", "names none of the 2000 records"),
        ("patient_id,fold\ns0,1\n", r"has the columns \['patient_id', 'fold'\]"),
        ("", "has the columns"),
    ],
)
def test_a_split_file_that_leaks_or_fits_nothing_is_refused(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(ValueError, match=told):
        read_split(tmp_path / "split.csv", RECORDS)


def test_a_patient_in_two_splits_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'s0' is in the splits 'a' and 'b'"):
        write_split(tmp_path / "split.csv", {"a": RECORDS[:1], "b": RECORDS[1:2]})


def test_patients_that_look_like_formulas_are_written_as_text_and_come_back(tmp_path: Path) -> None:
    records = [Record(str(number), patient) for number, patient in enumerate(["=1+1", "@x", "'=y", "-3"])]
    write_split(tmp_path / "split.csv", {"train": records[:2], "test": records[2:]})
    assert not any(line[:1] in {"=", "@"} for line in (tmp_path / "split.csv").read_text().splitlines())
    assert read_split(tmp_path / "split.csv", records) == {"test": records[2:], "train": records[:2]}
