"""The BIMCV release: what its images are stored as, and what its tables say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radedit.data.datasets.bimcv.bimcv import Bimcv
from radedit.data.datasets.bimcv.files import Sidecar, list_cell, read_tsv
from tests.data.fixtures.bimcv import FRONTAL, INVERTED, TABLED, WINDOWED, ds, phantom, us, write_bimcv

# As published, with the lists parted by the table's own tabs; written by hand.
LABELS = (
    "\tPatientID\tReportID\tReport\tLabels\tLocalizations\tLabelsLocalizationsBySentence\tlabelCUIS\tLocalizationsCUIS\n"
    "0\tsub-S03099\tses-E06999\t\"texto\"\t['normal'\t 'COVID 19']\t[]\t['normal'\t ['loc']]\t['C1'\t 'C2']\t[]\n"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_bimcv(tmp_path / "covid19")


def test_a_row_of_the_published_table_is_read_as_written(tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_text(LABELS)
    (row,) = read_tsv(tmp_path / "labels.tsv")
    assert (row["PatientID"], row["ReportID"], row["Report"]) == ("sub-S03099", "ses-E06999", "texto")
    assert list_cell(row["Labels"]) == ["normal", "COVID 19"] and list_cell(row["labelCUIS"]) == ["C1", "C2"]


@pytest.mark.parametrize(
    ("cell", "words"),
    [("['CR', 'DX']", ["CR", "DX"]), ("['a'\t 'b c']", ["a", "b c"]), ("[56]", ["56"]), ("[]", []), ("", []),
     ("[' loc', \"x\"]", ["loc", "x"])],
)  # fmt: skip
def test_lists_are_read_whatever_parts_and_quotes_them(cell: str, words: list[str]) -> None:
    assert list_cell(cell) == words


def test_every_image_is_shown_bright_is_dense(root: Path) -> None:
    images = Bimcv(root)
    by_id = {record.id: record for record in images.records}
    for number, name in enumerate(FRONTAL):
        image, drawn = images.load(by_id[name]).image[0].numpy(), phantom(number)
        assert np.corrcoef(image.ravel(), drawn.ravel())[0, 1] > 0.999, name


def test_images_of_other_views_and_parts_are_counted(root: Path) -> None:
    images = Bimcv(root)
    assert {record.id for record in images.records} == set(FRONTAL)
    assert images.excluded == {"view is LATERAL": 1, "of the knee": 1, "view is unknown": 1}


def test_the_view_is_of_the_name_or_of_the_series(root: Path) -> None:
    views = {record.id: record.attributes["view"] for record in Bimcv(root).records}
    assert views == {WINDOWED: "PA", TABLED: "AP", INVERTED: "AP"}


def test_tables_are_joined_by_session_and_patient(root: Path) -> None:
    records = {record.id: record for record in Bimcv(root).records}
    first, second, third = (records[name] for name in FRONTAL)
    assert first.labels == {"covid": 1, "no_finding": 1} and first.attributes["findings"] == "normal|COVID 19"
    assert second.labels == {"covid": 1, "effusion": 1} and second.attributes["study_date"] == "20200403"
    assert (first.patient_id, first.attributes["sex"], first.attributes["age"]) == ("sub-S03099", "F", "56")
    assert (third.patient_id, third.attributes["sex"], third.attributes["age"]) == ("sub-S040100", "M", "41")


@pytest.mark.parametrize(
    ("folder", "labels", "covid"),
    [
        ("x", "labels_covid19_posi.tsv", 1),
        ("x", "Labels_covid_123.tsv", 1),
        ("x", "labels_SARS-cov-2_nega.tsv", 0),
        ("x", "Labels_covid_NEG_JAN21.tsv", 0),
        ("bimcv+", "labels.tsv", 1),
        ("bimcv-", "labels.tsv", 0),
    ],
)
def test_positive_and_negative_are_the_releases(folder: str, labels: str, covid: int, tmp_path: Path) -> None:
    images = Bimcv(write_bimcv(tmp_path / folder, labels))
    assert {record.labels["covid"] for record in images.records} == {covid}


def test_a_release_that_cannot_be_told_must_be_named(tmp_path: Path) -> None:
    root = write_bimcv(tmp_path / "x", "labels.tsv")
    with pytest.raises(ValueError, match="Say release="):
        Bimcv(root)
    assert Bimcv(root, release="negative").records[0].labels["covid"] == 0


def test_a_session_without_a_radiograph_is_warned_of(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    Bimcv(root)
    assert "1 of 3 sessions" in caplog.text and "ses-E09999" in caplog.text


def test_a_folder_without_labels_is_refused(root: Path) -> None:
    (root / "derivatives/labels/labels_covid_posi.tsv").unlink()
    with pytest.raises(FileNotFoundError, match=r"no table labels….tsv"):
        Bimcv(root)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    "header",
    [
        {},
        {"00281050": ds(1500), "00281051": ds(1001)},
        {"00281050": ds(1000), "00281051": ds(1001), "00281052": ds("-500"), "00281053": ds("1")},
        {"00283010": {"vr": "SQ", "Value": [{"00283002": us(4096, 0, 16), "00283006": us(*range(0, 8192, 2))}]}},
    ],
    ids=["nothing", "window", "window counts after the rescale", "look-up table"],
)
def test_stored_values_keep_their_order_up_to_the_inversion(
    header: dict[str, object], photometric: str, tmp_path: Path
) -> None:
    stored = np.linspace(500, 2500, 48).astype(np.uint16).reshape(6, 8)
    root = write_bimcv(tmp_path / "bimcv+")
    path = next(root.rglob(f"{WINDOWED}.png"))
    Image.fromarray(stored).save(path)
    header = {**header, "00280004": {"vr": "CS", "Value": [photometric]}, "00280101": us(12)}
    path.with_suffix(".json").write_text(str(header).replace("'", '"'))
    images = Bimcv(root)
    image = images.load(next(record for record in images.records if record.id == WINDOWED)).image.numpy().ravel()
    steps = np.diff(image) if photometric == "MONOCHROME2" else -np.diff(image)
    assert (steps >= 0).all() and image.min() == 0 and image.max() == 1
    expected = stored.ravel().clip(1000, 2000) if "00281050" in header else stored.ravel()
    assert np.array_equal(steps > 0, np.diff(expected.astype(int)) > 0)


def test_a_damaged_or_missing_json_is_no_header(root: Path, tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    assert Sidecar.beside(image) is None
    for text in ("{", "[]", '{"00280004": 3}'):
        image.with_suffix(".json").write_text(text)
        assert Sidecar.beside(image) is None


def test_a_table_may_be_written_as_bytes() -> None:
    lut = {"vr": "OW", "InlineBinary": "AAABAAIA"}
    assert Sidecar({"00283006": lut}).numbers("00283006") == [0, 1, 2]
