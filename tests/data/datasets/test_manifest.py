"""Data sets by CSV: ours, another's by naming columns, and errors before long work."""

from __future__ import annotations

import csv
import gzip
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from radedit.data.datasets.manifest.box_table import check_boxes
from radedit.data.datasets.manifest.manifest import ManifestDataset
from radedit.types import Box, Dataset

Rows = list[dict[str, str]]


def picture(path: Path, array: np.ndarray[Any, Any]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path.name


def table(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """Two images in our own format, 16 × 20, with both lungs drawn in one mask on the first."""
    image = np.arange(320, dtype=np.uint16).reshape(16, 20).astype(np.uint8)
    lungs = np.zeros((16, 20), dtype=np.uint8)
    lungs[3:13, 2:8] = lungs[3:13, 12:18] = 255
    picture(tmp_path / "images/a.png", image)
    picture(tmp_path / "images/b.png", image[:, ::-1])
    picture(tmp_path / "masks/a.png", lungs)
    first = {
        "id": "a",
        "patient_id": "s1",
        "image": "images/a.png",
        "report": "No acute, cardiopulmonary\nprocess.",
        "label_pneumothorax": "1",
        "label_drain": "",
        "mask_lungs": "masks/a.png",
        "attr_view": "PA",
    }
    second = {"id": "b", "patient_id": "s2", "image": "images/b.png", "report": "", "label_pneumothorax": "0"}
    return [first, {**second, "label_drain": "1", "mask_lungs": "", "attr_view": "AP"}]


@pytest.fixture
def change(rows: Rows, tmp_path: Path) -> Callable[..., Path]:
    """Writes the manifest with cells of its first row changed."""

    def write(**cells: str) -> Path:
        return table(tmp_path / "manifest.csv", [{**rows[0], **cells}, *rows[1:]])

    return write


def test_own_format_needs_no_column_names(change: Callable[..., Path]) -> None:
    dataset = ManifestDataset(change())
    assert isinstance(dataset, Dataset)
    a, b = dataset.records
    assert (a.id, a.patient_id, a.report) == ("a", "s1", "No acute, cardiopulmonary\nprocess.")
    assert a.labels == {"pneumothorax": 1} and b.labels == {"pneumothorax": 0, "drain": 1}
    assert a.attributes == {"view": "PA"} and b.attributes == {"view": "AP"}
    sample = dataset.load(a)
    assert sample.record is a and sample.image.shape == (1, 16, 20)
    assert sample.masks["lungs"].dtype == torch.bool and int(sample.masks["lungs"].sum()) == 120
    assert not dataset.load(b).masks


def test_optional_columns_may_be_absent(rows: Rows, tmp_path: Path) -> None:
    few = [{key: row[key] for key in ("id", "patient_id", "image")} for row in rows]
    record = ManifestDataset(table(tmp_path / "manifest.csv", few)).records[0]
    assert record.report == "" and not record.labels and not record.attributes


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_header_may_have_blanks_and_a_byte_order_mark(encoding: str, change: Callable[..., Path]) -> None:
    path = change()
    path.write_bytes(path.read_text(encoding="utf-8").replace("patient_id", " patient_id ", 1).encode(encoding))
    assert len(ManifestDataset(path).records) == 2


def test_manifest_may_be_compressed(change: Callable[..., Path]) -> None:
    path = change()
    path.with_suffix(".csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert len(ManifestDataset(path.with_suffix(".csv.gz")).records) == 2


def test_labels_that_went_through_pandas_are_read(change: Callable[..., Path]) -> None:
    assert ManifestDataset(change(label_pneumothorax="1.0")).records[0].labels["pneumothorax"] == 1


def test_several_manifests_are_one_set_each_with_its_own_folder(rows: Rows, tmp_path: Path) -> None:
    image = np.arange(320, dtype=np.uint16).reshape(16, 20).astype(np.uint8)
    picture(tmp_path / "more/images/c.png", image)
    table(tmp_path / "manifest.csv", rows)
    table(tmp_path / "more/manifest.csv", [{**rows[0], "id": "c", "image": "images/c.png", "mask_lungs": ""}])
    dataset = ManifestDataset(["manifest.csv", "more/manifest.csv"], root=tmp_path)
    assert [record.id for record in dataset.records] == ["a", "b", "c"]
    assert dataset.load(dataset.records[2]).image.shape == (1, 16, 20)


# Others' formats


@pytest.fixture
def foreign(rows: Rows, tmp_path: Path) -> Path:
    """The same images as other people list them, with masks in folders, boxes and listed findings."""
    picture(tmp_path / "other/tube/a.png", np.eye(16, 20, dtype=np.uint8) * 255)
    table(
        tmp_path / "boxes.csv",
        [
            {"file": "images/a.png", "label": "left_lung", "x": "11.5", "y": "2", "w": "7", "h": "12"},
            {"file": "images/a.png", "label": "right_lung", "x": "1", "y": "2", "w": "8", "h": "12"},
        ],
    )
    findings = ({"findings": "COVID-19; Effusion", "also": "tube"}, {"findings": "No Finding", "also": ""})
    return table(
        tmp_path / "list.csv",
        [
            {"file": r["image"], "patient": r["patient_id"], "lung": r["mask_lungs"], "view": r["attr_view"], **more}
            for r, more in zip(rows, findings, strict=True)
        ],
    )


COLUMNS: dict[str, Any] = {
    "id": None,
    "image": "file",
    "patient_id": "patient",
    "report": "findings",
    "label_list": "findings",
    "label_words": {"covid": "COVID-19", "effusion": "Effusion"},
    "masks": {"lungs": "lung"},
    "mask_list": "also",
    "mask_path": "other/{name}/{stem}.png",
    "attributes": {"view": "view"},
}
BOXES = {"key": "file", "name": "label", "width": "w", "height": "h"}


def test_another_format_is_read_by_naming_its_columns(foreign: Path) -> None:
    dataset = ManifestDataset(foreign, columns=COLUMNS, boxes=BOXES, split_lungs=True)
    a, b = dataset.records
    assert (a.id, b.id) == ("a", "b")
    assert a.report == "COVID-19; Effusion" and a.attributes == {"view": "PA"}
    assert a.labels == {"covid": 1, "effusion": 1} and b.labels == {}
    sample = dataset.load(a)
    assert set(sample.masks) == {"lungs", "tube", "left_lung", "right_lung"}
    assert sample.boxes["right_lung"] == [Box(1, 2, 8, 12)]
    assert not dataset.load(b).masks and not dataset.load(b).boxes


def test_patients_left_lung_is_on_the_images_right(foreign: Path) -> None:
    dataset = ManifestDataset(foreign, columns=COLUMNS, split_lungs=True)
    masks = dataset.load(dataset.records[0]).masks
    assert masks["left_lung"][..., 12:18].any() and not masks["left_lung"][..., :10].any()
    assert torch.equal(masks["left_lung"] | masks["right_lung"], masks["lungs"])


def test_lungs_that_contradict_their_boxes_are_refused(foreign: Path, tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.csv"
    text = boxes.read_text()
    boxes.write_text(text.replace("left_lung", "L").replace("right_lung", "left_lung").replace("L,", "right_lung,"))
    dataset = ManifestDataset(foreign, columns=COLUMNS, boxes=BOXES, split_lungs=True)
    with pytest.raises(ValueError, match="Record 'a': the lung on the image's left lies in the box left_lung"):
        dataset.load(dataset.records[0])


def test_lungs_that_touch_are_refused(foreign: Path, tmp_path: Path) -> None:
    picture(tmp_path / "masks/a.png", np.pad(np.full((10, 12), 255, dtype=np.uint8), ((3, 3), (4, 4))))
    dataset = ManifestDataset(foreign, columns=COLUMNS, split_lungs=True)
    with pytest.raises(ValueError, match="Record 'a': .*component"):
        dataset.load(dataset.records[0])


def test_list_may_prediction_for_findings_that_it_leaves_out(foreign: Path) -> None:
    dataset = ManifestDataset(foreign, columns={**COLUMNS, "unlisted_is_0": True})
    assert dataset.records[1].labels == {"covid": 0, "effusion": 0}


def test_empty_list_predictions_for_nothing(foreign: Path) -> None:
    foreign.write_text(foreign.read_text().replace("No Finding", ""))
    assert ManifestDataset(foreign, columns={**COLUMNS, "unlisted_is_0": True}).records[1].labels == {}


def test_every_word_is_a_finding_where_none_is_named(foreign: Path) -> None:
    dataset = ManifestDataset(foreign, columns={**COLUMNS, "label_words": None})
    assert dataset.records[0].labels == {"COVID-19": 1, "Effusion": 1}


def test_lists_may_be_separated_by_bars(foreign: Path) -> None:
    foreign.write_text(foreign.read_text().replace("COVID-19; Effusion", "COVID-19|Effusion"))
    assert ManifestDataset(foreign, columns=COLUMNS).records[0].labels == {"covid": 1, "effusion": 1}


# Filters


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ({"where": {"view": "PA"}}, ["a"]),
        ({"where": {"view": ["PA", "AP"]}}, ["a", "b"]),
        ({"where": {"findings": "Effusion"}}, ["a"]),
        ({"where": {"lung": ""}}, ["b"]),
        ({"where": {"lung": "?*"}}, ["a"]),
        ({"exclude": {"findings": ["No *"]}}, ["a"]),
        ({"exclude": {"also": "tube"}}, ["b"]),
        ({"require": ["lungs"]}, ["a"]),
        ({"require": ["lungs", "tube"], "where": {"view": "P?"}}, ["a"]),
    ],
)
def test_filters_leave_what_matches_and_count_the_rest(filters: dict[str, Any], left: list[str], foreign: Path) -> None:
    dataset = ManifestDataset(foreign, columns=COLUMNS, **filters)
    assert [record.id for record in dataset.records] == left
    assert sum(dataset.excluded.values()) == 2 - len(left)


def test_filters_that_leave_nothing_say_why(foreign: Path) -> None:
    with pytest.raises(ValueError, match=r"2 rows: view is not lateral"):
        ManifestDataset(foreign, columns=COLUMNS, where={"view": "lateral"})


def test_files_of_rows_that_are_left_out_may_be_missing(foreign: Path, tmp_path: Path) -> None:
    (tmp_path / "images/b.png").unlink()
    assert len(ManifestDataset(foreign, columns=COLUMNS, require=["lungs"]).records) == 1


# Errors at construction


@pytest.mark.parametrize("value", ["-1", "2", "yes", "0.5", "nan"])
def test_label_must_be_0_or_1(value: str, change: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match=rf"manifest.csv, line 3: column 'label_drain' has the label '{value}'.*0, 1"):
        ManifestDataset(change(label_drain=value))  # the report has a line break


def test_missing_column_is_named_with_a_suggestion(change: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match=r"no column 'patient'.* It has: id, patient_id.*Did you mean 'patient_id'"):
        ManifestDataset(change(), columns={"patient_id": "patient"})


def test_missing_column_of_our_own_format_is_named(rows: Rows, tmp_path: Path) -> None:
    path = table(tmp_path / "manifest.csv", [{k: v for k, v in row.items() if k != "patient_id"} for row in rows])
    with pytest.raises(ValueError, match="no column 'patient_id'"):
        ManifestDataset(path)


def test_filter_by_an_unknown_column_is_refused(change: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match="no column 'hospital', named by where or exclude"):
        ManifestDataset(change(), where={"hospital": "A"})


def test_unknown_noun_is_refused(change: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match="columns has the key 'img'. Allowed are id, patient_id, image"):
        ManifestDataset(change(), columns={"img": "image"})


def test_id_may_not_be_there_twice(change: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match=r"line 4: id 'b' is also at .*line 3"):
        ManifestDataset(change(id="b"))


@pytest.mark.parametrize("column", ["id", "patient_id", "image"])
def test_row_needs_id_patient_and_image(column: str, change: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match=f"column '{column}' is empty"):
        ManifestDataset(change(**{column: " "}))


@pytest.mark.parametrize("column", ["image", "mask_lungs"])
def test_missing_files_are_counted_and_named(column: str, change: Callable[..., Path]) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"1 of 3 files .* missing.*relative to .*folder\.\n- .*line 3.*gone\.png"
    ):
        ManifestDataset(change(**{column: "gone.png"}))


def test_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file .*my.csv"):
        ManifestDataset("my.csv", root=tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("id,patient_id,image\n", "no rows"),
        ("id,id,image\na,b,c\n", "column 'id' is there twice"),
        ("id,patient_id,image\na,b\n", "line 2: 2 cells under 3 columns"),
        ("id,patient_id,image\na,b,c,d\n", "line 2: 4 cells under 3 columns"),
        ("id,patient_id,image\nä,b,c\n".encode("cp1252"), "UTF-8"),
    ],
)
def test_damaged_table_is_refused(content: str | bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message):
        ManifestDataset(path)


@pytest.mark.parametrize("cells", [{"w": "0"}, {"x": "left"}, {"y": "nan"}])
def test_box_without_an_area_is_refused(cells: dict[str, str], foreign: Path, tmp_path: Path) -> None:
    box = {"file": "images/a.png", "label": "lung", "x": "1", "y": "1", "w": "2", "h": "2", **cells}
    table(tmp_path / "boxes.csv", [box])
    with pytest.raises(ValueError, match="boxes.csv, line 2: box .* four numbers"):
        ManifestDataset(foreign, columns=COLUMNS, boxes=BOXES)


def test_boxes_of_no_image_are_refused(foreign: Path) -> None:
    with pytest.raises(ValueError, match="Set boxes.key to a column that says the same in both"):
        (foreign.parent / "boxes.csv").write_text("file,label,x,y,w,h\na,lung,1,1,2,2\n")
        ManifestDataset(foreign, columns=COLUMNS, boxes=BOXES)


def test_all_errors_are_named_at_once_each_with_its_row(rows: Rows, tmp_path: Path) -> None:
    third = {**rows[1], "id": "a", "patient_id": "", "label_drain": "maybe", "label_pneumothorax": "-1"}
    fourth = {**rows[1], "id": "a", "image": "images/gone.png", "mask_lungs": "masks/gone.png"}
    fifth = {**rows[1], "id": "e"}
    with pytest.raises(ValueError) as caught:
        ManifestDataset(table(tmp_path / "manifest.csv", [*rows, third, fourth, fifth]))
    lines = str(caught.value).split("\n- ")
    expected = {
        5: ["'patient_id' is empty", "label 'maybe'", "label '-1'", "id 'a' is also at", "images/b.png is also at"],
        6: ["id 'a' is also at", "no file .*images/gone.png", "no file .*masks/gone.png"],
        7: ["images/b.png is also at"],
    }
    assert lines[0] == "9 errors:" and len(lines) == 10
    for line, said in expected.items():
        for part in said:
            assert any(re.search(f"line {line}: .*{part}", found) for found in lines), (line, part)


def test_all_rows_of_another_length_are_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("id,patient_id,image\na,b\nc,d,e\nf,g,h,i\n")
    with pytest.raises(ValueError, match=r"2 errors:\n- .*line 2: 2 cells.*\n- .*line 4: 4 cells"):
        ManifestDataset(tmp_path / "manifest.csv")


def test_masks_of_another_size_are_all_named_before_any_is_read(change: Callable[..., Path], tmp_path: Path) -> None:
    picture(tmp_path / "masks/a.png", np.eye(8, dtype=np.uint8) * 255)
    with pytest.raises(ValueError, match=r"line 3: mask lungs: Mask .*a.png is 8×8 but its image is 20×16"):
        ManifestDataset(change(), check_sizes=True)


def test_boxes_may_stand_in_the_manifest(change: Callable[..., Path], rows: Rows) -> None:
    rows[1]["box_opacities"] = ""
    a, b = (dataset := ManifestDataset(change(box_opacities="1 2 3 4; 5 6 7.5 8"))).records
    assert dataset.load(a).boxes == {"opacities": [Box(1, 2, 3, 4), Box(5, 6, 7.5, 8)]} and not dataset.load(b).boxes
    assert dataset.drawn(a) == ({"lungs"}, {"opacities"})
    with pytest.raises(ValueError, match=r"line 3: column 'box_opacities' has '1 2 3': box 1, 2, 3. Allowed are four"):
        ManifestDataset(change(box_opacities="1 2 3"))


def test_parquet_reads_as_csv(rows: Rows, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(rows)
    frame["label_pneumothorax"] = [1, 0]
    frame["label_drain"] = [None, 1.0]
    frame.to_parquet(tmp_path / "manifest.parquet")
    ours = ManifestDataset(tmp_path / "manifest.parquet")
    assert ours.records == ManifestDataset(table(tmp_path / "manifest.csv", rows)).records
    frame["label_drain"] = [3, 4]
    frame.to_parquet(tmp_path / "manifest.parquet")
    with pytest.raises(
        ValueError, match=r"2 errors:\n- .*manifest.parquet, row 1: column 'label_drain' has the label '3'"
    ):
        ManifestDataset(tmp_path / "manifest.parquet")


# Errors of one record, which a run skips and lists


def test_unreadable_image_is_a_value_error_that_names_the_record(change: Callable[..., Path], tmp_path: Path) -> None:
    dataset = ManifestDataset(change())
    (tmp_path / "images/a.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with pytest.raises(ValueError, match="Record 'a': .*a.png cannot be read"):
        dataset.load(dataset.records[0])


def test_image_that_went_away_is_a_value_error(change: Callable[..., Path], tmp_path: Path) -> None:
    dataset = ManifestDataset(change())
    (tmp_path / "images/a.png").unlink()
    with pytest.raises(ValueError, match="Record 'a': There is no file"):
        dataset.load(dataset.records[0])


def test_mask_of_another_size_is_refused(change: Callable[..., Path], tmp_path: Path) -> None:
    picture(tmp_path / "masks/a.png", np.eye(8, dtype=np.uint8) * 255)
    dataset = ManifestDataset(change())
    with pytest.raises(ValueError, match="Record 'a': Mask .* is 8×8 but its image is 20×16"):
        dataset.load(dataset.records[0])


def test_record_of_another_set_is_refused(change: Callable[..., Path], foreign: Path) -> None:
    stranger = ManifestDataset(change(id="z")).records[0]
    with pytest.raises(ValueError, match="'z' is not in this set of 2"):
        ManifestDataset(foreign, columns=COLUMNS).load(stranger)


# Sameness


def test_fingerprint_follows_the_content_not_the_place(rows: Rows, tmp_path: Path) -> None:
    table(tmp_path / "manifest.csv", rows)
    before = ManifestDataset("manifest.csv", root=tmp_path).fingerprint
    assert ManifestDataset(tmp_path / "manifest.csv").fingerprint == before
    assert ManifestDataset(tmp_path / "manifest.csv", require=["lungs"]).fingerprint != before
    table(tmp_path / "manifest.csv", [{**rows[0], "report": "Pneumothorax."}, rows[1]])
    assert ManifestDataset(tmp_path / "manifest.csv").fingerprint != before


def test_dataset_travels_to_loader_processes(change: Callable[..., Path]) -> None:
    dataset = ManifestDataset(change())
    copy = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(copy.load(copy.records[0]).image, dataset.load(dataset.records[0]).image)


def test_a_manifest_may_call_patients_subjects_as_before(change: Callable[..., Path]) -> None:
    manifest = change()
    now = [record.patient_id for record in ManifestDataset(manifest).records]
    manifest.write_text(manifest.read_text().replace("patient_id", "subject_id", 1))
    assert [record.patient_id for record in ManifestDataset(manifest).records] == now


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (Box(500, 500, 3, 3), "less than half of it in the image of 48×64 pixels"),
        (Box(-1e9, -1e9, 1e12, 1e12), "less than half of it"),
        (Box(0.2, 0.2, 0.3, 0.3), "smaller than a pixel. Expected x, y, width and height in pixels, not fractions"),
    ],
)
def test_box_that_can_not_be_of_its_image_is_refused(box: Box, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_boxes("opacities", [Box(0, 0, 64, 48), box], (48, 64))


def test_box_may_reach_a_little_beyond_its_image() -> None:
    check_boxes("opacities", [Box(-3, -2, 20, 20), Box(60, 40, 7, 9)], (48, 64))


@pytest.mark.parametrize("label", ["0", "1", ""])
def test_image_labelled_free_of_what_its_mask_marks_is_refused(label: str, change: Callable[..., Path]) -> None:
    dataset = ManifestDataset(change(label_lungs=label))
    record = dataset.records[0]
    if label != "0":
        assert dataset.load(record).masks["lungs"].any()
        return
    with pytest.raises(ValueError, match=r"'a': lungs is labelled 0, but its mask marks 37.5 % of the image. Correct"):
        dataset.load(record)
    picture(change().parent / "masks/a.png", np.zeros((16, 20), dtype=np.uint8))
    assert not ManifestDataset(change(label_lungs="0")).load(record).masks["lungs"].any()
