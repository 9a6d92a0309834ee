"""CheXmask's masks on the images of three other sets, and on images that they are not of."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from radedit.data.datasets.chexmask import chexmask
from radedit.data.datasets.chexmask.chexmask import CheXmask
from radedit.data.io.fingerprint import content_hash
from radedit.data.layouts.image_files import ImageFile, ImageFiles
from radedit.types import Record
from tests.data.fixtures import chexmask as fixture
from tests.data.fixtures.phantom_image import Mask

Drawn = dict[str, dict[str, Mask]]
PARTS = pytest.mark.parametrize("part", fixture.ID_COLUMNS)
MIMIC = "MIMIC-CXR-JPG"

# The row of datasets.md; its masks are worked out by hand.
DICOM_ID = "0a1b2c3d-11112222-33334444-55556666-77778888"
TABLE = f"""\
dicom_id,Dice RCA (Mean),Dice RCA (Max),Landmarks,Left Lung,Right Lung,Heart,Height,Width
{DICOM_ID},0.8712,0.9121,"3,1,2,4",2 1 5 2 9 1,12 1 16 1,7 2,4,4
"""


@pytest.fixture
def mimic(tmp_path: Path) -> tuple[ImageFiles, Drawn]:
    images, drawn = fixture.write_images(tmp_path / "mimic", MIMIC)
    fixture.write_chexmask(tmp_path / "chexmask" / "OriginalResolution", MIMIC, drawn)
    return images, drawn


def table_of(root: Path) -> Path:
    return root / "chexmask" / "OriginalResolution" / f"{MIMIC}.csv"


def test_a_published_row_is_read_as_it_is_meant(tmp_path: Path) -> None:
    image = tmp_path / "files" / f"{DICOM_ID}.png"
    image.parent.mkdir()
    Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4)).save(image)
    (tmp_path / "chexmask").mkdir()
    (tmp_path / "chexmask" / f"{MIMIC}.csv").write_text(TABLE)
    images = ImageFiles("MIMIC-CXR", tmp_path, [ImageFile(Record(DICOM_ID, "10999001"), image)], excluded={})
    dataset = CheXmask(images, tmp_path / "chexmask")
    masks = dataset.load(dataset.records[0]).masks
    drawn = {
        "left_lung": ["0100", "1100", "1000", "0000"],
        "right_lung": ["0000", "0000", "0001", "0001"],
        "lungs": ["0100", "1100", "1001", "0001"],
        "heart": ["0000", "0011", "0000", "0000"],
    }
    assert {name: ["".join(str(int(x)) for x in row) for row in mask[0]] for name, mask in masks.items()} == drawn


@PARTS
@pytest.mark.parametrize("compressed", [False, True])
def test_images_of_each_set_come_with_the_masks_that_were_drawn(part: str, compressed: bool, tmp_path: Path) -> None:
    images, drawn = fixture.write_images(tmp_path / "images", part)
    fixture.write_chexmask(tmp_path / "chexmask" / "OriginalResolution", part, drawn, compressed=compressed)
    dataset = CheXmask(images, tmp_path / "chexmask", part=part)
    kept = [fixture.names(part, fixture.IMAGES.index(name))[1] for name in fixture.IMAGES if name not in LEFT_OUT]
    assert [record.id for record in dataset.records] == kept
    for record in dataset.records:
        masks = dataset.load(record).masks
        assert set(masks) == {"left_lung", "right_lung", "lungs", "heart"}
        for name, mask in masks.items():
            np.testing.assert_array_equal(mask[0].numpy(), drawn[record.id][name], err_msg=f"{name} of {record.id}")


LEFT_OUT = ("poor", "swapped", "unlisted")


def test_poor_masks_are_left_out_and_counted_with_what_the_dataset_left_out(
    mimic: tuple[ImageFiles, Drawn], tmp_path: Path
) -> None:
    dataset = CheXmask(mimic[0], tmp_path / "chexmask")
    assert dataset.excluded == {"lateral": 3, "Dice RCA below 0.7": 2, "not in CheXmask's MIMIC-CXR-JPG": 1}


def test_all_masks_are_kept_where_the_least_dice_is_0(mimic: tuple[ImageFiles, Drawn], tmp_path: Path) -> None:
    assert len(CheXmask(mimic[0], tmp_path / "chexmask", min_rca=0).records) == 6


def test_a_mask_that_was_never_judged_is_left_out_and_counted(mimic: tuple[ImageFiles, Drawn], tmp_path: Path) -> None:
    table_of(tmp_path).write_text(table_of(tmp_path).read_text().replace("0.5,0.6", ","))
    assert CheXmask(mimic[0], tmp_path / "chexmask").excluded["no Dice RCA"] == 1


def test_records_say_whose_masks_they_have(mimic: tuple[ImageFiles, Drawn], tmp_path: Path) -> None:
    dataset = CheXmask(mimic[0], tmp_path / "chexmask")
    assert {record.attributes["mask_source"] for record in dataset.records} == {"CheXmask"}


def test_the_table_is_indexed_once_outside_the_data(
    mimic: tuple[ImageFiles, Drawn], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted((tmp_path / "chexmask").rglob("*"))
    first = CheXmask(mimic[0], tmp_path / "chexmask", cache=tmp_path / "cache")
    monkeypatch.setattr(chexmask, "build_index", lambda *_: pytest.fail("the table was indexed again"))
    assert list(CheXmask(mimic[0], tmp_path / "chexmask", cache=tmp_path / "cache").records) == list(first.records)
    assert sorted((tmp_path / "chexmask").rglob("*")) == before
    with pytest.raises(ValueError, match="inside the data"):
        CheXmask(mimic[0], tmp_path / "chexmask", cache=tmp_path / "chexmask" / "cache")


def test_another_table_of_the_same_name_is_indexed_anew(mimic: tuple[ImageFiles, Drawn], tmp_path: Path) -> None:
    CheXmask(mimic[0], tmp_path / "chexmask")
    table_of(tmp_path).write_text(table_of(tmp_path).read_text().replace("0.5,0.6", "0.75,0.8"))
    assert CheXmask(mimic[0], tmp_path / "chexmask").excluded["Dice RCA below 0.7"] == 1


def test_an_index_that_was_not_finished_is_not_used(
    mimic: tuple[ImageFiles, Drawn], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr("os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            CheXmask(mimic[0], tmp_path / "chexmask", cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())
    assert len(CheXmask(mimic[0], tmp_path / "chexmask", cache=tmp_path / "cache").records) == 4


def test_the_dataset_can_be_sent_to_a_worker(mimic: tuple[ImageFiles, Drawn], tmp_path: Path) -> None:
    dataset = CheXmask(mimic[0], tmp_path / "chexmask")
    copy = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(copy.load(copy.records[0]).masks["heart"], dataset.load(dataset.records[0]).masks["heart"])


def test_the_fingerprint_tells_other_masks_from_these(mimic: tuple[ImageFiles, Drawn], tmp_path: Path) -> None:
    these = content_hash(CheXmask(mimic[0], tmp_path / "chexmask").fingerprint)
    with table_of(tmp_path).open("a") as table:
        table.write("x,0.9,0.9,,,,,4,4\n")
    assert content_hash(CheXmask(mimic[0], tmp_path / "chexmask").fingerprint) != these


def test_masks_of_preprocessed_images_are_refused_with_the_reason(
    mimic: tuple[ImageFiles, Drawn], tmp_path: Path
) -> None:
    table_of(tmp_path).parent.rename(tmp_path / "chexmask" / "Preprocessed")
    for root in (tmp_path / "chexmask", tmp_path / "chexmask" / "Preprocessed"):
        with pytest.raises(ValueError, match="padded to squares.*Use the folder OriginalResolution"):
            CheXmask(mimic[0], root)


def test_both_folders_may_be_there(mimic: tuple[ImageFiles, Drawn], tmp_path: Path) -> None:
    fixture.write_chexmask(tmp_path / "chexmask" / "Preprocessed", MIMIC, mimic[1])
    assert len(CheXmask(mimic[0], tmp_path / "chexmask").records) == 4


def test_another_folder_is_refused_with_what_is_in_it(mimic: tuple[ImageFiles, Drawn], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"MIMIC-CXR-JPG\.csv is nowhere under .*holds files/"):
        CheXmask(mimic[0], tmp_path / "mimic")


def test_half_a_download_is_refused(mimic: tuple[ImageFiles, Drawn], tmp_path: Path) -> None:
    text = table_of(tmp_path).read_text()
    table_of(tmp_path).write_text(text[: len(text) - 20])
    with pytest.raises(ValueError, match=r"line \d+: \d cells under 9 columns. Is the download complete"):
        CheXmask(mimic[0], tmp_path / "chexmask")
    table_of(tmp_path).unlink()
    packed = fixture.write_chexmask(tmp_path / "chexmask" / "OriginalResolution", MIMIC, mimic[1], compressed=True)
    packed.write_bytes(packed.read_bytes()[:-40])
    with pytest.raises(ValueError, match="Is the download complete"):
        CheXmask(mimic[0], tmp_path / "chexmask")


def test_the_table_of_another_part_is_refused_before_it_is_indexed(
    mimic: tuple[ImageFiles, Drawn], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    table_of(tmp_path).write_text(table_of(tmp_path).read_text().replace("dicom_id", "Path"))
    with pytest.raises(ValueError, match="no column 'dicom_id', named by this part of CheXmask"):
        CheXmask(mimic[0], tmp_path / "chexmask")
    assert "Indexing" not in caplog.text


def test_images_of_another_set_are_refused(mimic: tuple[ImageFiles, Drawn], tmp_path: Path) -> None:
    images, _ = fixture.write_images(tmp_path / "nih", "ChestX-Ray8")
    with pytest.raises(ValueError, match="none of the 7 images of ChestX-Ray8 .* such as '00099000_002'.*0a1b2c3d"):
        CheXmask(images, tmp_path / "chexmask")


def test_a_mask_that_is_listed_twice_is_refused_with_its_line(mimic: tuple[ImageFiles, Drawn], tmp_path: Path) -> None:
    text = table_of(tmp_path).read_text()
    table_of(tmp_path).write_text(text + text.splitlines()[1] + "\n")
    with pytest.raises(ValueError, match=r"line \d+: 0a1b2c3d-.* is there twice"):
        CheXmask(mimic[0], tmp_path / "chexmask")


def test_resized_images_are_refused(mimic: tuple[ImageFiles, Drawn], tmp_path: Path) -> None:
    for path in (tmp_path / "mimic").rglob("*.jpg"):
        with Image.open(path) as image:
            image.resize((24, 18)).save(path)
    with pytest.raises(ValueError, match="the masks fit none of the first 4 images.*48×36, but its image is 24×18"):
        CheXmask(mimic[0], tmp_path / "chexmask")


def test_one_resized_image_is_an_error_on_loading(mimic: tuple[ImageFiles, Drawn], tmp_path: Path) -> None:
    dataset = CheXmask(mimic[0], tmp_path / "chexmask")
    with Image.open(dataset.image_file(dataset.records[0]).image) as image:
        image.resize((24, 18)).save(dataset.image_file(dataset.records[0]).image)
    with pytest.raises(ValueError, match="record '0a1b2c3d-.*48×36, but its image is 24×18"):
        dataset.load(dataset.records[0])


def test_landmarks_that_were_cut_short_are_an_error_on_loading(mimic: tuple[ImageFiles, Drawn], tmp_path: Path) -> None:
    text = table_of(tmp_path).read_text()
    table_of(tmp_path).write_text(text.replace("[[ 3  5]", "[..."))
    dataset = CheXmask(mimic[0], tmp_path / "chexmask")
    with pytest.raises(ValueError, match="238 numbers instead of 240"):
        dataset.load(dataset.records[3])


def test_relative_runs_are_refused(mimic: tuple[ImageFiles, Drawn], tmp_path: Path) -> None:
    relative = TABLE.replace(DICOM_ID, fixture.names(MIMIC, 0)[1]).replace(",4,4", ",36,48")
    table_of(tmp_path).write_text(relative.replace("2 1 5 2 9 1", "500 40 8 40 8 40").replace("12 1 16 1", ""))
    with (
        pytest.warns(UserWarning, match="look relatively encoded"),
        pytest.raises(ValueError, match="the masks fit none.*Its starts may be relative"),
    ):
        CheXmask(mimic[0], tmp_path / "chexmask")


def test_a_dataset_that_keeps_its_files_to_itself_is_refused(mimic: tuple[ImageFiles, Drawn], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="dataset is a str, which does not say where its images lie"):
        CheXmask("mimic_cxr", tmp_path / "chexmask")  # type: ignore[arg-type]


def test_options_outside_the_allowed_are_refused(mimic: tuple[ImageFiles, Drawn], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="part is 'Padchest'. Allowed are MIMIC-CXR-JPG, CheXpert, ChestX-Ray8"):
        CheXmask(mimic[0], tmp_path / "chexmask", part="Padchest")
    with pytest.raises(ValueError, match="min_rca is 70"):
        CheXmask(mimic[0], tmp_path / "chexmask", min_rca=70)
