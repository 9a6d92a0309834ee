"""MIMIC-Seg in every layout that it may have, and in some that nobody can tell."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from radedit.data.datasets.mimic.mimic_seg import MimicSeg
from radedit.data.io.fingerprint import content_hash
from radedit.data.layouts.image_files import ImageFiles
from tests.data.fixtures import mimic_seg as fixture
from tests.data.fixtures.phantom_image import Mask

Mimic = tuple[ImageFiles, dict[str, dict[str, Mask]]]


@pytest.fixture
def mimic(tmp_path: Path) -> Mimic:
    return fixture.write_mimic(tmp_path / "mimic")


def dice(a: Mask, b: Mask) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


def renamed(root: Path, old: str, new: str) -> None:
    for path in sorted(root.rglob("*.*")):
        target = root / path.relative_to(root).as_posix().replace(old, new)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)


@pytest.mark.parametrize(("guess", "least"), [("mask", 0.999), ("folders", 0.999), ("pair", 0.98)])
def test_lungs_are_found_in_every_guess_of_the_layout(guess: str, least: float, mimic: Mimic, tmp_path: Path) -> None:
    fixture.write_mimic_seg(tmp_path / "seg", *mimic, guess)
    dataset = MimicSeg(mimic[0], tmp_path / "seg")
    assert len(dataset.records) == fixture.N_IMAGES
    for record in dataset.records:
        for name, mask in dataset.load(record).masks.items():
            assert dice(mask[0].numpy(), mimic[1][record.id][name]) >= least, f"{name} of {record.id}"


def test_records_keep_their_patient_and_say_whose_masks_they_have(mimic: Mimic, tmp_path: Path) -> None:
    fixture.write_mimic_seg(tmp_path / "seg", *mimic, "mask")
    record = MimicSeg(mimic[0], tmp_path / "seg").records[1]
    assert (record.patient_id, record.attributes["mask_source"]) == ("10999001", "MIMIC-Seg")


def test_images_without_masks_and_masks_without_images_are_counted(mimic: Mimic, tmp_path: Path) -> None:
    fixture.write_mimic_seg(tmp_path / "seg", *mimic, "mask")
    fixture.save(tmp_path / "seg" / f"{fixture.DICOM_ID.format(77)}.png", np.eye(8) * 255)
    excluded = MimicSeg(mimic[0], tmp_path / "seg").excluded
    assert excluded == {"not in MIMIC-Seg": 1, "in MIMIC-Seg, but not among the images": 1}


def test_the_patients_right_lung_is_on_the_images_left(mimic: Mimic, tmp_path: Path) -> None:
    fixture.write_mimic_seg(tmp_path / "seg", *mimic, "pair")
    dataset = MimicSeg(mimic[0], tmp_path / "seg")
    masks = dataset.load(dataset.records[0]).masks
    right, left = (masks[f"{side}_lung"].nonzero()[:, 2].float().mean() for side in ("right", "left"))
    assert right < left


@pytest.mark.parametrize(
    ("guess", "old", "new"),
    [
        ("pair", "_lung", "_a"),  # whose partner still names the rest
        ("folders", "lung/", "p10/one/"),
        ("mask", "0a1b", "p10/p10999001/s50999001/0a1b"),
        ("mask", ".png", "/mask.png"),  # the id is a folder
        ("pair", "", ""),
    ],
)
def test_names_that_say_less_are_made_up_for_by_content(
    guess: str, old: str, new: str, mimic: Mimic, tmp_path: Path
) -> None:
    fixture.write_mimic_seg(tmp_path / "seg", *mimic, guess)
    renamed(tmp_path / "seg", old, new)
    dataset = MimicSeg(mimic[0], tmp_path / "seg", lung_pattern="nothing", rest_pattern="nothing")
    record = dataset.records[0]
    assert dice(dataset.load(record).masks["lungs"][0].numpy(), mimic[1][record.id]["lungs"]) > 0.98


def test_the_name_of_a_folder_above_all_files_says_nothing(mimic: Mimic, tmp_path: Path) -> None:
    fixture.write_mimic_seg(tmp_path / "seg" / "lung-segment-mimic-cxr" / "1.0.0", *mimic, "folders")
    assert len(MimicSeg(mimic[0], tmp_path / "seg").records) == fixture.N_IMAGES


def test_lungs_alone_are_enough(mimic: Mimic, tmp_path: Path) -> None:
    fixture.write_mimic_seg(tmp_path / "seg", *mimic, "pair")
    for path in (tmp_path / "seg").glob("*_rest.jpg"):
        path.unlink()
    dataset = MimicSeg(mimic[0], tmp_path / "seg")
    record = dataset.records[0]
    assert dice(dataset.load(record).masks["lungs"][0].numpy(), mimic[1][record.id]["lungs"]) > 0.95


def test_arrays_and_masks_of_0_and_1_are_read(mimic: Mimic, tmp_path: Path) -> None:
    (tmp_path / "seg").mkdir()
    for record in mimic[0].records:
        np.save(tmp_path / "seg" / f"{record.id}.npy", mimic[1][record.id]["lungs"].astype(np.uint8))
    dataset = MimicSeg(mimic[0], tmp_path / "seg")
    record = dataset.records[0]
    np.testing.assert_array_equal(dataset.load(record).masks["lungs"][0].numpy(), mimic[1][record.id]["lungs"])


def test_masks_of_another_size_are_resized_to_their_images(mimic: Mimic, tmp_path: Path) -> None:
    fixture.write_mimic_seg(tmp_path / "seg", *mimic, "mask")
    for path in (tmp_path / "seg").glob("*.png"):
        with Image.open(path) as image:
            image.resize((240, 192), Image.Resampling.NEAREST).save(path)
    dataset = MimicSeg(mimic[0], tmp_path / "seg")
    record = dataset.records[0]
    np.testing.assert_array_equal(dataset.load(record).masks["lungs"][0].numpy(), mimic[1][record.id]["lungs"])


def test_masks_of_another_shape_are_refused(mimic: Mimic, tmp_path: Path) -> None:
    fixture.write_mimic_seg(tmp_path / "seg", *mimic, "mask")
    for path in (tmp_path / "seg").glob("*.png"):
        with Image.open(path) as image:
            image.resize((96, 96), Image.Resampling.NEAREST).save(path)
    with pytest.raises(ValueError, match="96×96 but its image is 120×96, of another shape"):
        MimicSeg(mimic[0], tmp_path / "seg")


def test_files_that_cannot_be_told_apart_are_refused_with_a_listing(mimic: Mimic, tmp_path: Path) -> None:
    for record in mimic[0].records:
        with Image.open(mimic[0].image_file(record).image) as image:
            grey = np.maximum(np.array(image), 60)
        for name in ("first", "second"):
            fixture.save(tmp_path / "seg" / f"{record.id}_{name}.png", grey)
    with pytest.raises(ValueError, match=r"cannot be told.*\n  <id>_first\.png  \(4 files\)\n  <id>_second\.png  \(4"):
        MimicSeg(mimic[0], tmp_path / "seg")


def test_a_mask_of_all_but_the_lungs_is_refused(mimic: Mimic, tmp_path: Path) -> None:
    for record in mimic[0].records:
        fixture.save(tmp_path / "seg" / f"{record.id}_mask.png", 255 * ~mimic[1][record.id]["lungs"])
    with pytest.raises(ValueError, match="cannot be told"):
        MimicSeg(mimic[0], tmp_path / "seg")


def test_half_a_pair_is_left_out_and_counted(mimic: Mimic, tmp_path: Path) -> None:
    fixture.write_mimic_seg(tmp_path / "seg", *mimic, "pair")
    (tmp_path / "seg" / f"{fixture.DICOM_ID.format(1)}_rest.jpg").unlink()
    assert MimicSeg(mimic[0], tmp_path / "seg").excluded["MIMIC-Seg lacks <id>_rest.jpg"] == 1


def test_an_image_that_is_there_twice_is_refused(mimic: Mimic, tmp_path: Path) -> None:
    for folder in ("p10", "p11"):
        fixture.write_mimic_seg(tmp_path / "seg" / folder, *mimic, "mask")
    with pytest.raises(ValueError, match="p10/0a1b.* and .*p11/0a1b.* are of one image"):
        MimicSeg(mimic[0], tmp_path / "seg")


def test_another_folder_is_refused_with_what_is_in_it(mimic: Mimic, tmp_path: Path) -> None:
    fixture.save(tmp_path / "other" / "images" / "00001_000.png", np.eye(8) * 255)
    with pytest.raises(ValueError, match=r"has a dicom_id in its path.*\n  #_#\.png  \(1 files\)"):
        MimicSeg(mimic[0], tmp_path / "other")


def test_images_of_another_set_are_refused(mimic: Mimic, tmp_path: Path) -> None:
    fixture.write_mimic_seg(tmp_path / "seg", *mimic, "mask")
    renamed(tmp_path / "seg", "0a1b2c3d", "ffffffff")
    with pytest.raises(ValueError, match="none of the 3 images .* is among the 4 images of MIMIC-CXR, such as ffff"):
        MimicSeg(mimic[0], tmp_path / "seg")


def test_the_fingerprint_can_be_hashed_and_notices_another_reading(mimic: Mimic, tmp_path: Path) -> None:
    fixture.write_mimic_seg(tmp_path / "seg", *mimic, "pair")
    pair = content_hash(MimicSeg(mimic[0], tmp_path / "seg").fingerprint)
    for path in (tmp_path / "seg").glob("*_rest.jpg"):
        path.unlink()
    assert content_hash(MimicSeg(mimic[0], tmp_path / "seg").fingerprint) != pair


def test_the_dataset_can_be_sent_to_a_worker(mimic: Mimic, tmp_path: Path) -> None:
    fixture.write_mimic_seg(tmp_path / "seg", *mimic, "mask")
    dataset = MimicSeg(mimic[0], tmp_path / "seg")
    copy = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(copy.load(copy.records[0]).masks["lungs"], dataset.load(dataset.records[0]).masks["lungs"])
