"""CANDID-PTX as published, and as it should not be."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from radedit.data.datasets.candid_ptx import CandidPtx
from tests.data.fixtures import candid_ptx as fixture
from tests.data.fixtures.phantom_image import Mask, write_dicom

# Rows as datasets.md has them; the masks, of 1024 × 1024 images, are worked out by hand from the text.
REPORTS = """\ufefffilename,SOPInstanceUID,StudyInstanceUID,EncodedPixels,Report
P00901_0001_1,9.9.111.222333.1.222.3.4445556667.8889990001.112233,9.9.111.222333.1.222.3.4445556667.1,410020 3 1019 9 1014 12,"Chest: small left apical pneumothorax."
P00902_0001_1,9.9.111.222333.1.222.3.4445556667.8889990002.445566,9.9.111.222333.1.222.3.4445556667.2,-1,"No pneumothorax."
"""  # noqa: E501
TUBES = """\ufeffanon_SOPUID,annotation_ref,mask_rle
9.9.111.222333.1.222.3.4445556667.8889990001.112233,A1,300100 40 984 42
9.9.111.222333.1.222.3.4445556667.8889990002.445566,A2,-1
"""
POSITIVE = "9.9.111.222333.1.222.3.4445556667.8889990001.112233"
NEGATIVE = "9.9.111.222333.1.222.3.4445556667.8889990002.445566"


@pytest.fixture
def drawn(tmp_path: Path) -> dict[str, dict[str, Mask]]:
    return fixture.write_candid_ptx(tmp_path / "candid")


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    root = tmp_path / "golden"
    ramp = np.linspace(0, 255, 1024 * 1024).astype(np.uint8).reshape(1024, 1024)
    for uid in (POSITIVE, NEGATIVE):
        write_dicom(root / "dataset" / uid, ramp)
    (root / "Pneumothorax_reports.csv").write_text(REPORTS, encoding="utf-8")
    (root / "chest_tube.csv").write_text(TUBES, encoding="utf-8")
    return root


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8-sig")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8-sig")


def test_published_rows_are_read_as_they_are_meant(golden: Path) -> None:
    dataset = CandidPtx(golden)
    positive, negative = dataset.records
    assert (positive.id, positive.patient_id, positive.labels) == (POSITIVE, "P901", {"pneumothorax": 1, "drain": 1})
    assert positive.report == "Chest: small left apical pneumothorax."
    assert (negative.patient_id, negative.labels) == ("P902", {"pneumothorax": 0, "drain": 0})
    masks = dataset.load(positive).masks
    pneumothorax, drain = torch.zeros(2, 1, 1024, 1024, dtype=torch.bool)
    # 410020 = 400 · 1024 + 420: column 400 from row 420; 410023 + 1019 = 401 · 1024 + 418; then 411051 + 1014.
    pneumothorax[0, 420:423, 400] = True
    pneumothorax[0, 418:427, 401] = True
    pneumothorax[0, 417:429, 402] = True
    # 300100 = 293 · 1024 + 68; 300140 + 984 = 294 · 1024 + 68.
    drain[0, 68:108, 293] = True
    drain[0, 68:110, 294] = True
    assert torch.equal(masks["pneumothorax"], pneumothorax) and torch.equal(masks["drain"], drain)
    assert not any(mask.any() for mask in dataset.load(negative).masks.values())


def test_every_image_comes_with_the_masks_that_were_drawn(drawn: dict[str, dict[str, Mask]], tmp_path: Path) -> None:
    dataset = CandidPtx(tmp_path / "candid")
    assert [record.id for record in dataset.records] == list(fixture.PATIENTS)
    for record in dataset.records:
        masks = dataset.load(record).masks
        assert {name: mask.any() for name, mask in masks.items()} == record.labels == fixture.FINDINGS[record.id]
        for name, mask in masks.items():
            np.testing.assert_array_equal(mask[0].numpy(), drawn[record.id][name])


def test_images_without_a_report_are_left_out_and_counted(drawn: object, tmp_path: Path) -> None:
    dataset = CandidPtx(tmp_path / "candid")
    assert dataset.excluded == {"no row in Pneumothorax_reports.csv": 1}
    assert fixture.UNLISTED not in {record.id for record in dataset.records}


@pytest.mark.parametrize(
    ("images", "suffix"), [("dataset1/dataset", ""), ("chest_radiographs", ".dcm"), ("images", ".DICOM"), (".", ".ima")]
)
def test_images_are_found_in_every_known_folder_and_by_every_extension(
    images: str, suffix: str, tmp_path: Path
) -> None:
    fixture.write_candid_ptx(tmp_path / "candid", images, suffix)
    dataset = CandidPtx(tmp_path / "candid")
    assert dataset.load(dataset.records[0]).image.shape == (1, *fixture.SIZE)


def test_images_of_one_patient_share_a_patient(drawn: object, tmp_path: Path) -> None:
    patients = {record.id: record.patient_id for record in CandidPtx(tmp_path / "candid").records}
    assert patients[fixture.BOTH] == patients[fixture.BILATERAL] == "P901"
    assert len(set(patients.values())) == 4


def test_patients_who_share_an_image_become_one_patient(drawn: object, tmp_path: Path) -> None:
    root = tmp_path / "candid"
    with (root / "Pneumothorax_reports.csv").open("a") as table:
        table.write(f"P00904_0009_1,{fixture.DRAIN_ONLY},9.1,-1,No pneumothorax.\n")
    patients = {record.id: record.patient_id for record in CandidPtx(root).records}
    assert patients[fixture.DRAIN_ONLY] == patients[fixture.NO_DRAIN] == "P902+P904"
    assert patients[fixture.BOTH] == "P901"


def test_columns_of_chest_tubes_are_told_by_their_order_where_their_names_differ(
    drawn: dict[str, dict[str, Mask]], tmp_path: Path
) -> None:
    rewrite(tmp_path / "candid" / "chest_tube.csv", "anon_SOPUID,annotation_ref,mask_rle", "SOPUID,ref,rle")
    dataset = CandidPtx(tmp_path / "candid")
    np.testing.assert_array_equal(
        dataset.load(dataset.records[0]).masks["drain"][0].numpy(), drawn[fixture.BOTH]["drain"]
    )


def test_an_image_whose_mask_was_not_written_is_left_out_and_counted(drawn: object, tmp_path: Path) -> None:
    rewrite(tmp_path / "candid" / "Pneumothorax_reports.csv", ",-1,", ",,")
    dataset = CandidPtx(tmp_path / "candid")
    assert dataset.excluded["a mask's cell is empty"] == 2


def test_the_dataset_can_be_sent_to_a_worker(drawn: object, tmp_path: Path) -> None:
    dataset = CandidPtx(tmp_path / "candid")
    copy = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(copy.load(copy.records[0]).image, dataset.load(dataset.records[0]).image)


def test_the_fingerprint_notices_another_mask(golden: Path) -> None:
    before = CandidPtx(golden).fingerprint
    rewrite(golden / "chest_tube.csv", "300100 40 984 42", "300100 40 984 41")
    assert CandidPtx(golden).fingerprint != before


def test_another_folder_is_refused_with_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "train.csv").touch()
    with pytest.raises(FileNotFoundError, match=r"Pneumothorax_reports\.csv is nowhere under .*train\.csv"):
        CandidPtx(tmp_path / "other")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        CandidPtx(tmp_path / "none")


def test_half_a_download_is_refused_with_what_is_missing(drawn: object, tmp_path: Path) -> None:
    (tmp_path / "candid" / "dataset" / fixture.NORMAL).unlink()
    with pytest.raises(FileNotFoundError, match=f"1 of 5 images .* such as {fixture.NORMAL}"):
        CandidPtx(tmp_path / "candid")
    assert len(CandidPtx(tmp_path / "candid", check_files=False).records) == 5


def test_swapped_tables_are_refused(drawn: object, tmp_path: Path) -> None:
    root = tmp_path / "candid"
    (root / "chest_tube.csv").rename(root / "x")
    (root / "Pneumothorax_reports.csv").rename(root / "chest_tube.csv")
    (root / "x").rename(root / "Pneumothorax_reports.csv")
    with pytest.raises(ValueError, match="has no column 'filename'"):
        CandidPtx(root)


def test_chest_tubes_of_another_set_are_refused(drawn: object, tmp_path: Path) -> None:
    (tmp_path / "candid" / "chest_tube.csv").write_text("anon_SOPUID,annotation_ref,mask_rle\n1.2.3,A1,0 4\n")
    with pytest.raises(ValueError, match=r"none of its images is in .*'1\.2\.3'"):
        CandidPtx(tmp_path / "candid")


def test_an_image_that_is_there_twice_is_refused(drawn: object, tmp_path: Path) -> None:
    root = tmp_path / "candid"
    shutil.copytree(root / "dataset", root / "dataset1" / "dataset")
    with pytest.raises(ValueError, match=r"is there twice: .*dataset/.* and .*dataset1/dataset/"):
        CandidPtx(root)


def test_masks_of_a_larger_image_are_refused(golden: Path) -> None:
    for uid in (POSITIVE, NEGATIVE):
        write_dicom(golden / "dataset" / uid, np.arange(64, dtype=np.uint8).reshape(8, 8))
    with pytest.raises(ValueError, match="the masks fit none of the first 1 images.*8×8 has 64"):
        CandidPtx(golden)


def test_a_mask_that_was_cut_off_is_refused_with_its_line(golden: Path) -> None:
    rewrite(golden / "chest_tube.csv", "300100 40 984 42", "300100 40 984")
    with pytest.raises(ValueError, match=r"chest_tube\.csv, line 2, mask_rle: .*3 numbers"):
        CandidPtx(golden)


def test_a_file_name_without_a_patient_is_refused_with_its_line(golden: Path) -> None:
    rewrite(golden / "Pneumothorax_reports.csv", "P00902_0001_1", "image2")
    with pytest.raises(ValueError, match="line 3: filename 'image2' does not name a patient"):
        CandidPtx(golden)
