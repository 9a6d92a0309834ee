"""MIMIC-CXR and MIMIC-CXR-JPG as published."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from radedit.data.datasets.mimic.mimic_cxr import MimicCxr
from radedit.types import Dataset
from tests.data.fixtures.mimic_cxr import FINDINGS, IMAGES, write_csv, write_mimic_cxr
from tests.data.fixtures.phantom_images import radiograph, save_picture

GOLDEN = Path(__file__).parents[1] / "golden" / "mimic_cxr"
SECTIONED = ["study", "impression", "findings", "last_paragraph", "comparison"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_mimic_cxr(tmp_path / "mimic")


def short(dataset: MimicCxr) -> dict[str, str]:
    """The first group of each image's id, and its report."""
    return {record.id[:8]: record.report for record in dataset.records}


SAID = {
    "00000001": "No acute process.",
    "00000003": "Mild edema.",
    "00000007": "Line in place.",
}
EXCLUDED = {
    "not frontal (ViewPosition LATERAL)": 1,
    "not frontal (ViewPosition blank)": 1,
    "no impression, but findings": 2,
}


def test_the_published_rows_are_read_as_written(tmp_path: Path) -> None:
    root = shutil.copytree(GOLDEN, tmp_path / "golden")
    name = "0a1b2c3d-11112222-33334444-55556666-77778888"
    save_picture(root / f"files/p10/p10999001/s50999001/{name}.jpg", radiograph(0, 32, 40))
    (record,) = MimicCxr(root).records
    assert (record.id, record.patient_id) == (name, "10999001")
    assert record.report == "Cardiomegaly without overt edema. Compare to ___."
    assert record.labels == {"cardiomegaly": 1, "lung_opacity": 0, "support_devices": 1}
    assert record.attributes == {
        "source": "MIMIC-CXR",
        "view": "PA",
        "split": "validate",
        "study_id": "50999001",
        "pixels": "JPEG, histogram-equalised",
        "label_source": "chexpert",
    }


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("reports", ["beside", "unpacked", "archive"])
def test_frontal_images_with_an_impression_are_kept_and_the_others_counted(
    tmp_path: Path, compressed: bool, reports: str
) -> None:
    dataset = MimicCxr(write_mimic_cxr(tmp_path, compressed=compressed, reports=reports))
    assert isinstance(dataset, Dataset)
    assert short(dataset) == SAID and dataset.excluded == EXCLUDED
    assert all(dataset.load(record).image.shape == (1, 32, 40) for record in dataset.records)


def test_the_view_code_stands_in_for_a_blank_view_position(root: Path) -> None:
    dataset = MimicCxr(root, frontal_rule="viewcode")
    assert short(dataset) == SAID | {"00000006": "Small left effusion."}
    (record,) = [record for record in dataset.records if record.id.startswith("00000006")]
    assert record.attributes["view"] == "AP"
    assert record.labels == {} and record.attributes["label_source"] == ""  # a study that nobody labelled


def test_images_without_an_impression_stay_without_text_if_asked(root: Path) -> None:
    dataset = MimicCxr(root, require_impression=False)
    assert short(dataset) == SAID | {"00000004": "", "00000005": ""}


def test_the_radiologists_labels_replace_the_mined_ones(root: Path) -> None:
    mined, read = (MimicCxr(root).records[i] for i in (1, 2))
    assert mined.labels == {"oedema": 1, "pneumothorax": 0} and mined.attributes["label_source"] == "chexpert"
    assert read.labels == {"lung_opacity": 0} and read.attributes["label_source"] == "radiologist"


def test_labels_are_whose_one_asks_for_or_none(root: Path) -> None:
    assert MimicCxr(root, labels="negbio").records[0].attributes["label_source"] == "negbio"
    assert all(record.labels == {} for record in MimicCxr(root, labels=None).records)
    assert MimicCxr(root, uncertain="positive").records[1].labels["pneumonia"] == 1


def test_official_splits_are_told_and_can_be_chosen(root: Path) -> None:
    assert [record.attributes["split"] for record in MimicCxr(root).records] == ["train", "train", "test"]
    dataset = MimicCxr(root, split=["test"])
    assert short(dataset) == {"00000007": "Line in place."}
    assert dataset.excluded["split train"] == 2 and dataset.excluded["split validate"] == 2


def test_a_shortened_download_list_shortens_the_set(root: Path) -> None:
    listing = root / "IMAGE_FILENAMES"
    listing.write_text("\n".join(listing.read_text().splitlines()[:1]))
    dataset = MimicCxr(root)
    assert list(short(dataset)) == ["00000001"] and dataset.excluded["not in IMAGE_FILENAMES"] == 4


def test_dicom_files_take_their_tables_from_the_jpeg_project(
    root: Path, tmp_path: Path, dicom: Callable[..., Path]
) -> None:
    def save(path: Path, levels: NDArray[np.uint8]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        inverted: dict[str, Any] = {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12, "HighBit": 11}
        dicom(4095 - 16 * levels.astype(np.uint16), name=str(path.relative_to(tmp_path)), **inverted)

    dicoms = write_mimic_cxr(tmp_path / "dicom", suffix="dcm", save=save, reports="archive")
    for table in dicoms.glob("mimic-cxr-2*"):
        table.unlink()
    with pytest.raises(FileNotFoundError, match="metadata.*It has: cxr-record-list.*tables="):
        MimicCxr(dicoms)
    dataset = MimicCxr(dicoms, tables=root)
    assert short(dataset) == SAID
    assert {record.attributes["pixels"] for record in dataset.records} == {"DICOM"}
    ours, theirs = (MimicCxr(dicoms, tables=root), MimicCxr(root))
    dense, jpeg = (r.load(r.records[0]).image for r in (ours, theirs))
    assert np.corrcoef(dense.flatten(), jpeg.flatten())[0, 1] > 0.99  # bright is dense in both


def test_reports_may_lie_elsewhere(tmp_path: Path) -> None:
    root = write_mimic_cxr(tmp_path / "jpg", reports="none")
    with pytest.raises(FileNotFoundError, match=r"mimic-cxr-reports\.zip.*It has: IMAGE_FILENAMES.*reports="):
        MimicCxr(root)
    for where in ("beside", "archive"):
        assert short(MimicCxr(root, reports=write_mimic_cxr(tmp_path / where, reports=where))) == SAID


def test_the_makers_table_of_sections_is_preferred(root: Path) -> None:
    rows = [["s50999001", "From\nthe table.", "", "", ""], ["s50999002", "", "Only findings.", "", ""]]
    write_csv(root / "mimic_cxr_sectioned.csv", SECTIONED, rows)
    dataset = MimicCxr(root)
    assert short(dataset) == {"00000001": "From the table."}
    assert dataset.excluded["no impression, but findings"] == 1 and dataset.excluded["no report"] == 3


def test_reports_are_read_once_where_there_is_a_cache(root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    report = root / "files/p10/p10999001/s50999001.txt"
    text = report.read_bytes()
    report.unlink()  # not downloaded yet
    assert MimicCxr(root, cache=cache).excluded["no report"] == 1
    report.write_bytes(text)
    assert short(MimicCxr(root, cache=cache)) == SAID
    report.write_text("\n IMPRESSION: Changed.\n")
    assert short(MimicCxr(root, cache=cache)) == SAID
    assert short(MimicCxr(root))["00000001"] == "Changed."
    (kept,) = cache.iterdir()
    assert short(MimicCxr(root, reports=kept)) == SAID  # it is a table like the makers'


def test_a_wrong_root_says_what_was_looked_for_and_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(FileNotFoundError, match=r"mimic-cxr-2\.0\.0-metadata\.csv\.gz.*It has: holiday\.jpg"):
        MimicCxr(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        MimicCxr(tmp_path / "typo")


def test_half_a_download_is_counted(root: Path) -> None:
    shutil.rmtree(root / "files/p10/p10999001/s50999001")
    with pytest.raises(FileNotFoundError, match=r"1 of 3 images are missing.*00000001.*\.jpg"):
        MimicCxr(root)
    assert len(MimicCxr(root, check_files=False).records) == 3


def test_half_an_archive_of_reports_is_refused(tmp_path: Path) -> None:
    root = write_mimic_cxr(tmp_path, reports="archive")
    archive = root / "mimic-cxr-reports.zip"
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"reports\.zip cannot be read.*incomplete"):
        MimicCxr(root)


def test_swapped_tables_are_refused(root: Path) -> None:
    shutil.copy(root / "mimic-cxr-2.0.0-chexpert.csv.gz", root / "mimic-cxr-2.0.0-split.csv.gz")
    with pytest.raises(ValueError, match=r"split\.csv\.gz has no column 'dicom_id'.*official splits"):
        MimicCxr(root)


def test_an_image_listed_twice_is_refused(tmp_path: Path) -> None:
    root = write_mimic_cxr(tmp_path, compressed=False)
    table = root / "mimic-cxr-2.0.0-metadata.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines, lines[1]]))
    with pytest.raises(ValueError, match=f"id '{IMAGES[0][0]}'.*listed twice"):
        MimicCxr(root)


def test_an_unknown_label_or_split_is_refused_with_its_line(root: Path) -> None:
    write_csv(root / "mimic-cxr-2.0.0-negbio.csv.gz", ["study_id", *FINDINGS], [["50999001", "maybe", *[""] * 13]])
    with pytest.raises(ValueError, match="line 2: column 'Atelectasis' has the label 'maybe'"):
        MimicCxr(root, labels="negbio")
    write_csv(root / "mimic-cxr-2.0.0-split.csv.gz", ["dicom_id", "split"], [[IMAGES[0][0], "valid"]])
    with pytest.raises(ValueError, match="line 2: split 'valid'. Allowed are train, validate, test"):
        MimicCxr(root)


@pytest.mark.parametrize(
    "option",
    [{"split": "valid"}, {"labels": "CheXpert"}, {"frontal_rule": "ap"}, {"images": "png"}, {"uncertain": "1"}],
)
def test_an_unknown_option_is_refused_with_what_is_allowed(root: Path, option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(option))} is .*Allowed are"):
        MimicCxr(root, **option)


def test_another_uncertainty_is_another_set_and_another_place_is_not(root: Path, tmp_path: Path) -> None:
    here, there = MimicCxr(root), MimicCxr(shutil.copytree(root, tmp_path / "there"))
    assert here.fingerprint == there.fingerprint != MimicCxr(root, uncertain="positive").fingerprint
