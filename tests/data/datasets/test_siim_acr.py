"""SIIM-ACR as published, and as it should not be."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch

from radedit.data.datasets.siim_acr import SiimAcr
from radedit.data.image import dicom_tags
from tests.data.fixtures import siim_acr as fixture
from tests.data.fixtures.phantom_image import Mask, write_dicom

# Rows as datasets.md has them, with the blanks of the original file.
TABLE = """\
ImageId, EncodedPixels
1.2.276.0.7230010.3.1.4.8323329.9001.1517875201.850001, -1
1.2.276.0.7230010.3.1.4.8323329.9002.1517875202.850002, 388101 4 1018 11 1012 15
"""
NEGATIVE = "1.2.276.0.7230010.3.1.4.8323329.9001.1517875201.850001"
POSITIVE = "1.2.276.0.7230010.3.1.4.8323329.9002.1517875202.850002"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fixture.write_siim_acr(tmp_path / "siim")
    return tmp_path / "siim"


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    root = tmp_path / "golden"
    ramp = np.linspace(0, 255, 1024 * 1024).astype(np.uint8).reshape(1024, 1024)
    for number, uid in enumerate((NEGATIVE, POSITIVE)):
        folder = root / "dicom-images-train" / f"1.2.276.{number}" / f"1.3.{number}"
        write_dicom(folder / f"{uid}.dcm", ramp, jpeg=True, PatientID=f"patient-{number}")
    (root / "train-rle.csv").write_text(TABLE)
    return root


def test_published_rows_are_read_as_they_are_meant(golden: Path) -> None:
    dataset = SiimAcr(golden)
    negative, positive = dataset.records
    assert (negative.id, negative.patient_id, negative.labels) == (NEGATIVE, "patient-0", {"pneumothorax": 0})
    assert (positive.id, positive.patient_id, positive.labels) == (POSITIVE, "patient-1", {"pneumothorax": 1})
    expected = torch.zeros(1, 1024, 1024, dtype=torch.bool)
    # 388101 = 379 · 1024 + 5: column 379 from row 5; 388105 + 1018 = 380 · 1024 + 3; then 389134 + 1012.
    expected[0, 5:9, 379] = True
    expected[0, 3:14, 380] = True
    expected[0, 2:17, 381] = True
    assert torch.equal(dataset.load(positive).masks["pneumothorax"], expected)
    assert not dataset.load(negative).masks["pneumothorax"].any()


@pytest.mark.parametrize("table", ["train-rle.csv", "stage_2_train.csv"])
def test_both_releases_are_read_with_the_masks_that_were_drawn(table: str, tmp_path: Path) -> None:
    drawn: dict[str, Mask] = fixture.write_siim_acr(tmp_path / "siim", table)
    dataset = SiimAcr(tmp_path / "siim")
    assert [record.id for record in dataset.records] == [fixture.NEGATIVE, fixture.ONE, fixture.TWO]
    assert [record.labels["pneumothorax"] for record in dataset.records] == [0, 1, 1]
    for record in dataset.records:
        np.testing.assert_array_equal(dataset.load(record).masks["pneumothorax"][0].numpy(), drawn[record.id])


def test_an_image_without_a_row_is_unlabelled_not_negative(root: Path) -> None:
    dataset = SiimAcr(root)
    assert fixture.UNLISTED not in {record.id for record in dataset.records}
    assert dataset.excluded == {"no row in train-rle.csv, so unlabelled": 1}


def test_what_the_header_says_is_kept(root: Path) -> None:
    negative, one, _ = SiimAcr(root).records
    assert one.patient_id == "17d405a3-0000-4000-8000-000000000002"
    assert one.attributes == {"source": "SIIM-ACR", "sex": "F", "age": "58", "view": "PA", "split": "train"}
    assert negative.attributes["split"] == "test"


def test_images_are_of_baseline_jpeg(root: Path) -> None:
    path = SiimAcr(root).image_file(SiimAcr(root).records[0]).image
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"


def test_headers_are_read_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = SiimAcr(root)
    monkeypatch.setattr(dicom_tags, "_header", lambda *_: pytest.fail("a header was read again"))
    assert list(SiimAcr(root).records) == list(first.records)


def test_a_file_that_was_replaced_is_read_again(root: Path) -> None:
    path = SiimAcr(root).image_file(SiimAcr(root).records[0]).image
    write_dicom(path, np.arange(64, dtype=np.uint8).reshape(8, 8), PatientID="another")
    os.utime(path, ns=(1, 1))
    assert SiimAcr(root).records[0].patient_id == "another"


def test_the_fingerprint_notices_another_mask(golden: Path) -> None:
    before = SiimAcr(golden).fingerprint
    (golden / "train-rle.csv").write_text(TABLE.replace("1012 15", "1012 14"))
    assert SiimAcr(golden).fingerprint != before


def test_nothing_is_written_inside_the_data(root: Path) -> None:
    before = sorted(root.rglob("*"))
    SiimAcr(root, cache=root.parent / "cache")
    assert sorted(root.rglob("*")) == before
    with pytest.raises(ValueError, match="cache is .* inside the data"):
        SiimAcr(root, cache=root / "cache")


def test_an_image_without_a_patient_is_left_out_and_counted(root: Path) -> None:
    write_dicom(SiimAcr(root).image_file(SiimAcr(root).records[0]).image, np.arange(64, dtype=np.uint8).reshape(8, 8))
    assert SiimAcr(root).excluded["no PatientID in the DICOM header"] == 1


def test_half_a_download_is_refused_before_headers_are_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(root / "dicom-images-test")
    monkeypatch.setattr(dicom_tags, "_header", lambda *_: pytest.fail("a header was read"))
    with pytest.raises(FileNotFoundError, match=f"1 of 3 images .* such as {fixture.NEGATIVE}"):
        SiimAcr(root)


def test_a_missing_image_stays_listed_where_files_are_not_checked(root: Path) -> None:
    shutil.rmtree(root / "dicom-images-test")
    dataset = SiimAcr(root, check_files=False)
    assert not dataset.image_file(dataset.records[0]).image.exists()


def test_two_tables_are_refused_until_one_is_named(root: Path) -> None:
    shutil.copy(root / "train-rle.csv", root / "stage_2_train.csv")
    with pytest.raises(ValueError, match=r"stage_2_train\.csv and .*train-rle\.csv are there.*option table"):
        SiimAcr(root)
    assert len(SiimAcr(root, table="stage_2_train.csv").records) == 3


def test_the_table_of_another_set_is_refused(root: Path) -> None:
    (root / "train-rle.csv").write_text("anon_SOPUID,annotation_ref,mask_rle\n1.2.3,A1,0 4\n")
    with pytest.raises(ValueError, match="has no column 'ImageId', 'EncodedPixels'"):
        SiimAcr(root)


def test_an_image_that_is_negative_and_more_is_refused(root: Path) -> None:
    with (root / "train-rle.csv").open("a") as table:
        table.write(f"{fixture.ONE}, -1\n")
    with pytest.raises(ValueError, match=f"{fixture.ONE} is negative in line 6, but there are 2 rows"):
        SiimAcr(root)


def test_masks_of_larger_images_are_refused(golden: Path) -> None:
    for path in golden.rglob("*.dcm"):
        write_dicom(path, np.arange(64, dtype=np.uint8).reshape(8, 8), PatientID="p")
    with pytest.raises(ValueError, match="the masks fit none of the first 1 images.*8×8 has 64"):
        SiimAcr(golden)


def test_absolute_starts_are_warned_of(root: Path) -> None:
    table = f"ImageId,EncodedPixels\n{fixture.ONE},1 2 40 2 60 2\n{fixture.TWO},1 1 9 2\n"
    (root / "train-rle.csv").write_text(table)
    with pytest.warns(UserWarning, match="2 of 2 masks of several runs look absolutely encoded"):
        SiimAcr(root)


def test_torchxrayvision_reads_the_same_images_alike(golden: Path) -> None:
    """Of images with one region: where there are several, it keeps the last, and we unite them.

    Its table has no blanks before the values; with them, it takes every image for positive.
    """
    datasets = pytest.importorskip("torchxrayvision.datasets")
    (golden / "train-rle.csv").write_text(TABLE.replace("850001, ", "850001,").replace("850002, ", "850002,"))
    theirs = datasets.SIIM_Pneumothorax_Dataset(
        imgpath=str(golden), csvpath=str(golden / "train-rle.csv"), unique_patients=False, pathology_masks=True
    )
    dataset = SiimAcr(golden)
    assert list(theirs.csv["ImageId"]) == [record.id for record in dataset.records]
    for their, sample in zip(theirs, map(dataset.load, dataset.records), strict=True):
        assert their["lab"][0] == sample.record.labels["pneumothorax"]
        np.testing.assert_allclose(their["img"] / 2048 + 0.5, sample.image, atol=1e-2)  # theirs fills [-1024, 1024]
        marked = their["pathology_masks"].get(0, np.zeros((1, 1024, 1024)))
        np.testing.assert_array_equal(np.asarray(marked).reshape(1, 1024, 1024) > 0.5, sample.masks["pneumothorax"])
