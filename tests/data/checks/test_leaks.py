"""No patient, and no image, is on both sides."""

from __future__ import annotations

import pytest

from radedit.data.batches.module import ImageData
from radedit.data.checks.leaks import check_leaks
from radedit.types import Record, Sample


def image(id_: str, patient: str, source: str = "") -> Record:
    return Record(id_, patient, attributes={"source": source} if source else {})


def test_sets_that_share_nobody_pass() -> None:
    check_leaks({"train": [image("1", "a"), image("2", "a")], "test": [image("3", "b")]}, {"train": {}, "test": {}})


def test_a_shared_patient_is_named_with_both_sets() -> None:
    with pytest.raises(ValueError, match="1 patients are in both 'train' and 'test': a"):
        check_leaks({"train": [image("1", "a")], "val": [image("2", "b")], "test": [image("3", "a")]})


def test_a_shared_image_is_named_with_both_records() -> None:
    content = {"train": {"1": "5f", "2": "6f"}, "test": {"3": "6f"}}
    with pytest.raises(ValueError, match="1 images are in both 'train' and 'test': 2 = 3"):
        check_leaks({"train": [image("1", "a")], "test": [image("3", "b")]}, content)


@pytest.mark.parametrize(
    ("one", "other"),
    [("MIMIC-Seg", "MIMIC-CXR-JPG"), ("MIMIC-CXR", "MIMIC-CXR-JPG"), ("CheXmask", "CheXpert-small"), ("NIH", "")],
)
def test_patients_of_sets_that_name_them_alike_are_compared(one: str, other: str) -> None:
    with pytest.raises(ValueError, match="patients are in both"):
        check_leaks({"weak": [image("1", "a", one)], "strong": [image("2", "a", other)]})


def test_equal_numbers_of_two_unrelated_sets_are_no_leak() -> None:
    check_leaks({"train": [image("1", "17", "NIH ChestX-ray14")], "test": [image("2", "17", "CANDID-PTX")]})


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("SIIM-ACR", "NIH ChestX-ray8", "images of SIIM-ACR are from NIH"),
        ("BIMCV-COVID19", "SIIM-FISABIO-RSNA", "are from BIMCV-COVID19 and RICORD"),
    ],
)
def test_sets_known_to_overlap_are_warned_of_by_name(
    one: str, other: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    check_leaks({"train": [image("1", "a", one)], "test": [image("2", "b", other)]})
    assert told in caplog.text and "'train' and 'test'" in caplog.text


class Listed:
    """A data set of which nobody loads anything but names."""

    fingerprint = "listed"

    def __init__(self, *records: Record) -> None:
        self.records = records

    def load(self, record: Record) -> Sample:
        raise AssertionError("no image is read before patients are compared")


def test_training_is_refused_where_a_patient_is_in_validation_too() -> None:
    train, val = Listed(image("1", "a", "MIMIC-CXR")), Listed(image("2", "a", "MIMIC-Seg"))
    with pytest.raises(ValueError, match="1 patients are in both 'training' and 'validation': a"):
        ImageData(train, val, size=8, batch_size=1)


def test_training_is_not_refused_for_equal_numbers_of_unrelated_sets() -> None:
    ImageData(
        Listed(image("1", "17", "NIH ChestX-ray14")), Listed(image("2", "17", "CANDID-PTX")), size=8, batch_size=1
    )
