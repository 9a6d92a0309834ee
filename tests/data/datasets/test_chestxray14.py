"""ChestX-ray14 as published."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from radedit.data.datasets.chestxray14 import FINDINGS, ChestXray14
from radedit.data.image.transforms import preprocess
from radedit.types import Box, Dataset
from tests.data.fixtures.chestxray14 import IMAGES, write_chestxray14
from tests.data.fixtures.phantom_images import radiograph, save_picture

GOLDEN = Path(__file__).parents[1] / "golden" / "chestxray14"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_chestxray14(tmp_path / "nih")


def positive(dataset: ChestXray14) -> list[set[str]]:
    return [{name for name, value in record.labels.items() if value} for record in dataset.records]


def test_the_published_rows_are_read_as_written(tmp_path: Path) -> None:
    root = shutil.copytree(GOLDEN, tmp_path / "golden")
    save_picture(root / "images/00099001_004.png", radiograph(0, 1024, 1024))
    dataset = ChestXray14(root)
    (record,) = dataset.records
    assert (record.id, record.patient_id) == ("00099001_004.png", "99001")
    assert positive(dataset) == [{"cardiomegaly", "mass"}] and len(record.labels) == 15
    assert record.attributes == {
        "source": "ChestX-ray14", "view": "AP", "split": "train_val", "sex": "F", "age": "61",
    }  # fmt: skip
    assert dataset.load(record).boxes == {"cardiomegaly": [Box(310.5, 402.25, 210.0, 188.75)]}


@pytest.mark.parametrize("revised", [True, False])
@pytest.mark.parametrize("folders", [True, False])
@pytest.mark.parametrize("mode", ["RGBA", "L"])
def test_both_tables_and_both_layouts_are_read_alike(tmp_path: Path, revised: bool, folders: bool, mode: str) -> None:
    dataset = ChestXray14(write_chestxray14(tmp_path, revised=revised, folders=folders, mode=mode))
    assert isinstance(dataset, Dataset)
    assert positive(dataset) == [
        {"infiltration", "pleural_thickening"},
        {"no_finding"},
        {"mass"},
        {"oedema", "effusion"},
    ]
    assert [record.attributes["sex"] for record in dataset.records] == ["F", "F", "M", "M"]
    assert [record.attributes["age"] for record in dataset.records] == ["58", "59", "", "0"]  # 413 years, 7 months
    assert [record.attributes["view"] for record in dataset.records] == ["PA", "AP", "PA", "AP"]
    assert [record.patient_id for record in dataset.records] == ["99001", "99001", "99002", "99003"]
    assert all(dataset.load(record).image.shape == (1, 64, 64) for record in dataset.records)


def test_the_revised_table_is_preferred(tmp_path: Path) -> None:
    root = write_chestxray14(tmp_path)
    table = (root / "Data_Entry_2017.csv").read_text().replace("Mass", "Nodule")
    (root / "Data_Entry_2017_v2020.csv").write_text(table)
    assert positive(ChestXray14(root))[2] == {"nodule"}


def test_official_splits_are_told_and_can_be_chosen(root: Path) -> None:
    assert [r.attributes["split"] for r in ChestXray14(root).records] == ["train_val"] * 2 + ["test"] * 2
    dataset = ChestXray14(root, split="test")
    assert [record.id for record in dataset.records] == [IMAGES[2][0], IMAGES[3][0]]
    assert dataset.excluded == {"split train_val": 2}
    (root / "test_list.txt").unlink()
    assert ChestXray14(root).records[3].attributes["split"] == ""
    with pytest.raises(FileNotFoundError, match=r"has no test_list\.txt.*It has: BBox_List_2017\.csv"):
        ChestXray14(root, split="test")


def test_an_image_in_both_lists_is_refused(root: Path) -> None:
    shutil.copy(root / "train_val_list.txt", root / "test_list.txt")
    with pytest.raises(ValueError, match=r"00099001_000\.png is also in train_val_list\.txt"):
        ChestXray14(root)


def test_every_box_has_the_name_of_a_label_of_its_image(root: Path) -> None:
    dataset = ChestXray14(root)
    boxed = {record.id: set(dataset.load(record).boxes) for record in dataset.records}
    assert boxed == {IMAGES[0][0]: {"infiltration"}, IMAGES[1][0]: set(), IMAGES[2][0]: {"mass"}, IMAGES[3][0]: set()}
    assert all(record.labels[name] for record in dataset.records for name in boxed[record.id])


SIXTEENTHS = st.integers(2, 24)  # of 16 px of the published image, so that a box has whole px on smaller ones, too


@settings(max_examples=30)
@given(
    box=st.builds(lambda *sides: Box(*(16 * side for side in sides)), SIXTEENTHS, SIXTEENTHS, SIXTEENTHS, SIXTEENTHS),
    side=st.sampled_from([64, 128, 256]),
    size=st.sampled_from([48, 64, 80]),
)
def test_a_box_stays_on_the_bright_part_of_its_image(root: Path, box: Box, side: int, size: int) -> None:
    x, y, width, height = (round(length * side / 1024) for length in box)
    levels = np.full((side, side), 50, np.uint8)
    levels[y : y + height, x : x + width] = 250
    file = IMAGES[2][0]
    save_picture(next(root.rglob(file)), levels)
    row = f"{file},Mass,{','.join(map(str, box))},,,"
    (root / "BBox_List_2017.csv").write_text(f"Image Index,Finding Label,Bbox [x,y,w,h],,,\n{row}\n")
    dataset = ChestXray14(root)
    sample = preprocess(dataset.load(dataset.records[2]), size)
    (moved,) = sample.boxes["mass"]
    bright = sample.image[0].numpy() > 0.5
    assert bright[within(moved, size, margin=-1.0)].all()
    assert not bright[~within(moved, size, margin=1.0)].any()


def within(box: Box, size: int, margin: float) -> NDArray[np.bool_]:
    """Pixels whose centre is in the box, grown by a margin in px; shape (size, size)."""
    centres = np.arange(size) + 0.5
    columns = (centres > box.x - margin) & (centres < box.x + box.width + margin)
    rows = (centres > box.y - margin) & (centres < box.y + box.height + margin)
    return rows[:, None] & columns


def test_boxes_of_an_image_that_is_not_square_are_refused(root: Path) -> None:
    save_picture(next(root.rglob(IMAGES[2][0])), radiograph(0, 48, 64))
    dataset = ChestXray14(root)
    with pytest.raises(ValueError, match="is 64×48, but its boxes are for a square one"):
        dataset.load(dataset.records[2])


def test_a_wrong_root_says_what_was_looked_for_and_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(FileNotFoundError, match=r"_v2020\.csv or Data_Entry_2017\.csv\. It has: images/"):
        ChestXray14(tmp_path)


def test_half_a_download_is_counted(root: Path) -> None:
    shutil.rmtree(root / "images_002")
    with pytest.raises(FileNotFoundError, match=r"2 of 4 images are missing.*00099002_000\.png"):
        ChestXray14(root)


def test_swapped_tables_are_refused(root: Path) -> None:
    shutil.copy(root / "BBox_List_2017.csv", root / "Data_Entry_2017.csv")
    with pytest.raises(ValueError, match="no column 'Finding Labels'"):
        ChestXray14(root)


def test_an_image_listed_twice_is_refused(root: Path) -> None:
    table = root / "Data_Entry_2017.csv"
    table.write_text(table.read_text() + table.read_text().splitlines()[1] + "\n")
    with pytest.raises(ValueError, match=r"00099001_000\.png.*listed twice"):
        ChestXray14(root)


@pytest.mark.parametrize(
    "table, old, new, complaint",
    [
        ("Data_Entry_2017", "|Pleural_Thickening", "|Pleural", "line 2: finding 'Pleural'"),
        ("Data_Entry_2017", ",99002,", ",99001,", "line 4: image '00099002_000.png' of patient '99001'"),
        ("Data_Entry_2017", "00099002_000.png", "99002.jpg", "line 4: image '99002.jpg'"),
        ("Data_Entry_2017", ",058Y,", ",old,", "line 2: age 'old'"),
        ("BBox_List_2017", "Infiltrate", "Infiltrat", "line 2: finding 'Infiltrat'"),
        ("BBox_List_2017", "256.0", "wide", "line 2: a box of .*'wide'"),
    ],
)
def test_what_is_not_allowed_is_refused_with_its_line(
    root: Path, table: str, old: str, new: str, complaint: str
) -> None:
    path = root / f"{table}.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=complaint):
        ChestXray14(root)


def test_findings_are_those_of_the_paper() -> None:
    assert len(FINDINGS) == 15 and sorted(FINDINGS) == list(FINDINGS)  # Appendix A lists them by the alphabet
