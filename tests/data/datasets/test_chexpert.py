"""CheXpert v1.0, v1.0-small and Plus as published."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from radedit.data.datasets.chexpert.chexpert import CheXpert
from radedit.data.datasets.chexpert.chexpert_plus import CheXpertPlus
from radedit.types import Dataset
from tests.data.fixtures.chexpert import write_chexpert, write_chexpert_plus
from tests.data.fixtures.mimic_cxr import write_csv
from tests.data.fixtures.phantom_images import radiograph, save_picture

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_chexpert(tmp_path / "chexpert")


@pytest.fixture
def plus(tmp_path: Path) -> Path:
    return write_chexpert_plus(tmp_path / "plus")


def ids(dataset: CheXpert | CheXpertPlus) -> list[str]:
    return [record.id for record in dataset.records]


FRONTAL = [
    "train/patient99001/study1/view1_frontal",
    "train/patient99002/study1/view1_frontal",
    "train/patient99003/study2/view1_frontal",
    "train/patient99003/study3/view1_frontal",
    "valid/patient99541/study1/view1_frontal",
]


def test_the_published_row_is_read_as_written(tmp_path: Path) -> None:
    root = shutil.copytree(GOLDEN / "chexpert", tmp_path / "golden")
    save_picture(root / "train/patient99001/study1/view1_frontal.jpg", radiograph(0, 32, 40))
    (record,) = CheXpert(root, split="train").records
    assert (record.id, record.patient_id) == (FRONTAL[0], "patient99001")
    assert record.labels == {"cardiomegaly": 1, "pneumothorax": 1, "effusion": 0, "support_devices": 1}
    assert record.report == ""
    assert record.attributes == {
        "source": "CheXpert",
        "view": "AP",
        "split": "train",
        "sex": "Female",
        "age": "57",
        "study_id": "patient99001/study1",
    }


@pytest.mark.parametrize("prefix", ["CheXpert-v1.0/", "CheXpert-v1.0-small/", ""])
@pytest.mark.parametrize("batches", [True, False])
def test_frontal_images_are_found_whatever_the_prefix_and_the_folders(
    tmp_path: Path, prefix: str, batches: bool
) -> None:
    dataset = CheXpert(write_chexpert(tmp_path, prefix=prefix, batches=batches))
    assert isinstance(dataset, Dataset)
    assert ids(dataset) == FRONTAL and dataset.excluded == {"not frontal": 1}
    assert all(dataset.load(record).image.shape == (1, 32, 40) for record in dataset.records)


def test_the_release_may_lie_one_folder_below(tmp_path: Path) -> None:
    write_chexpert(tmp_path / "CheXpert-v1.0-small")
    assert ids(CheXpert(tmp_path)) == FRONTAL


def test_strict_views_leave_out_what_is_neither_ap_nor_pa(root: Path) -> None:
    dataset = CheXpert(root, strict_views=True)
    assert FRONTAL[3] not in ids(dataset) and dataset.excluded["frontal, but LL"] == 1


def test_laterals_stay_if_asked(root: Path) -> None:
    assert len(CheXpert(root, frontal_only=False).records) == 6


@pytest.mark.parametrize(
    "uncertain, read", [("unread", {}), ("positive", {"pneumonia": 1}), ("negative", {"pneumonia": 0})]
)
def test_uncertain_labels_are_read_as_asked(root: Path, uncertain: str, read: dict[str, int]) -> None:
    assert CheXpert(root, uncertain=uncertain).records[2].labels == read


def test_one_split_needs_its_own_table_only(root: Path) -> None:
    (root / "train.csv").unlink()
    assert ids(CheXpert(root, split="valid")) == FRONTAL[4:]
    with pytest.raises(FileNotFoundError, match=r"has no train\.csv\. It has: train/, valid\.csv, valid/"):
        CheXpert(root)


def test_half_a_download_is_counted(root: Path) -> None:
    shutil.rmtree(root / "train/patient99003")
    with pytest.raises(FileNotFoundError, match="2 of 5 images are missing.*such as train/patient99003/study2"):
        CheXpert(root)


def test_swapped_tables_are_refused(root: Path) -> None:
    shutil.copy(root / "valid.csv", root / "train.csv")
    with pytest.raises(ValueError, match="line 2: .*is of the split valid. Are the tables swapped"):
        CheXpert(root)


def test_a_table_of_something_else_is_refused(root: Path) -> None:
    write_csv(root / "valid.csv", ["dicom_id", "split"], [["a", "train"]])
    with pytest.raises(ValueError, match="no column 'Path'"):
        CheXpert(root)


def test_an_image_listed_twice_is_refused(root: Path) -> None:
    table = root / "train.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines, lines[1]]))
    with pytest.raises(ValueError, match="patient99001/study1/view1_frontal.*listed twice"):
        CheXpert(root)


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("57,Frontal,AP,,,1.0", "57,Frontal,AP,,,3.0", "line 2: column 'Cardiomegaly' has the label '3.0'"),
        ("train/patient99001", "images/99001", "line 2: .*is no path of CheXpert"),
    ],
)
def test_what_is_not_allowed_is_refused_with_its_line(root: Path, old: str, new: str, complaint: str) -> None:
    table = root / "train.csv"
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=complaint):
        CheXpert(root)


@pytest.mark.parametrize("option", [{"split": "test"}, {"uncertain": "ignore"}])
def test_an_unknown_option_is_refused_with_what_is_allowed(root: Path, option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Allowed are"):
        CheXpert(root, **option)


def test_the_published_row_of_plus_has_its_impression(tmp_path: Path) -> None:
    root = shutil.copytree(GOLDEN / "chexpert_plus", tmp_path / "golden")
    save_picture(root / "PNG/train/patient99001/study1/view1_frontal.png", radiograph(0, 32, 40))
    (record,) = CheXpertPlus(root).records
    assert record.report == "1. STABLE CARDIOMEGALY. 2. NO EFFUSION."
    assert record.labels == {"cardiomegaly": 1, "effusion": 0}
    assert record.attributes["split"] == "train" and record.attributes["source"] == "CheXpert Plus"


def test_plus_and_the_first_release_name_images_and_patients_alike(root: Path, plus: Path) -> None:
    with_reports = {r.id: r for r in CheXpertPlus(plus, require_impression=False).records}
    without = {r.id: r for r in CheXpert(root).records}
    assert with_reports.keys() == without.keys()
    assert all(with_reports[key].patient_id == without[key].patient_id for key in without)
    assert all(with_reports[key].labels == without[key].labels for key in without)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_plus_leaves_out_and_counts_images_without_an_impression(tmp_path: Path, suffix: str) -> None:
    dataset = CheXpertPlus(write_chexpert_plus(tmp_path, suffix=suffix))
    assert [record.report for record in dataset.records] == [
        "1. Pneumothorax.",
        "No change.",
        "Unchanged since ___.",
        "Rib fracture.",
    ]
    assert dataset.excluded == {"not frontal": 1, "no impression": 1}
    assert all(dataset.load(record).image.shape == (1, 32, 40) for record in dataset.records)


def test_labels_of_plus_must_be_there_if_asked_for(plus: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"chexbert_labels/report_fixed\.json.*It has: PNG/"):
        CheXpertPlus(plus, labels="report")
    assert all(record.labels == {} for record in CheXpertPlus(plus, labels=None).records)
    labels = plus / "chexbert_labels/impression_fixed.json"
    labels.write_text(labels.read_text()[:-40])
    with pytest.raises(ValueError, match="line 6 is no JSON object"):
        CheXpertPlus(plus)
