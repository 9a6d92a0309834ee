"""SIIM-FISABIO-RSNA: labels, patients, boxes and polarity as the challenge publishes them."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from radedit.data.datasets.bimcv.siim_fisabio_rsna import SiimFisabioRsna
from radedit.data.image.geometry import Geometry
from radedit.data.image.transforms import preprocess
from radedit.types import Box
from tests.data.fixtures.dicom_file import write_dicom
from tests.data.fixtures.siim_fisabio_rsna import RADIOGRAPHS, phantom, place, write_siim_fisabio_rsna

# Written by hand from the published syntax, so that the fixture's writer and the reader can't share a mistake.
STUDIES = """\
id,Negative for Pneumonia,Typical Appearance,Indeterminate Appearance,Atypical Appearance
00aa11bb22cc_study,0,1,0,0
00dd11ee22ff_study,1,0,0,0
"""
IMAGES = """\
id,boxes,label,StudyInstanceUID
0123456789ab_image,"[{'x': 410.5, 'y': 300.25, 'width': 800.5, 'height': 1200.0}, {'x': 1900.0, 'y': 320.5, 'width': \
750.5, 'height': 1100.0}]",opacity 1 410.5 300.25 1211.0 1500.25 opacity 1 1900.0 320.5 2650.5 1420.5,00aa11bb22cc
ba9876543210_image,,none 1 0 0 1 1,00dd11ee22ff
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_siim_fisabio_rsna(tmp_path / "siim-covid19-detection")


def golden(folder: Path, images: str = IMAGES, studies: str = STUDIES) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "train_image_level.csv").write_text(images)
    (folder / "train_study_level.csv").write_text(studies)
    return folder


def test_the_published_tables_are_read_as_written(tmp_path: Path) -> None:
    images = SiimFisabioRsna(golden(tmp_path / "set"), check_files=False)
    first, second = (images.image_file(record) for record in images.records)
    assert (first.record.id, first.record.labels, first.record.attributes["appearance"]) == (
        "0123456789ab", {"covid": 1}, "Typical Appearance",
    )  # fmt: skip
    assert first.boxes == {"opacities": [Box(410.5, 300.25, 800.5, 1200.0), Box(1900.0, 320.5, 750.5, 1100.0)]}
    assert (second.record.id, second.record.labels, second.boxes) == ("ba9876543210", {"covid": 0}, {"opacities": []})
    assert first.record.attributes["study_id"] == first.record.patient_id == "00aa11bb22cc"  # no header to ask


def test_covid_is_typical_or_indeterminate(root: Path) -> None:
    labels = {record.attributes["appearance"]: record.labels["covid"] for record in SiimFisabioRsna(root).records}
    assert labels == {
        "Typical Appearance": 1, "Indeterminate Appearance": 1, "Negative for Pneumonia": 0, "Atypical Appearance": 0,
    }  # fmt: skip


@pytest.mark.parametrize(("covid", "left"), [(1, "1 2 5"), (0, "3 4"), (None, "1 2 3 4 5")])
def test_either_half_of_bimcv_can_be_asked_for(root: Path, covid: int | None, left: str) -> None:
    images = SiimFisabioRsna(root, covid=covid)
    assert [record.id for record in images.records] == [f"000000000a0{number}" for number in left.split()]
    assert sum(images.excluded.values()) + len(images.records) == 5


def test_a_patient_is_a_patient_over_studies_and_a_study_where_the_header_has_none(root: Path) -> None:
    patients = [record.patient_id for record in SiimFisabioRsna(root).records]
    assert patients == ["0000000000c1", "0000000000c1", "0000000000f3", "0000000000c4", "0000000000c1"]


def test_images_of_the_label_1_without_boxes_stay_and_can_be_counted(root: Path) -> None:
    images = SiimFisabioRsna(root, covid=1)
    assert [record.attributes["n_boxes"] for record in images.records] == ["2", "0", "0"]
    assert images.load(images.records[1]).boxes == {"opacities": []}


def test_monochrome1_is_shown_bright_is_dense(root: Path) -> None:
    images = SiimFisabioRsna(root)
    for number, record in enumerate(images.records):
        image, drawn = images.load(record).image[0].numpy(), phantom(number)
        assert np.corrcoef(image.ravel(), drawn.ravel())[0, 1] > 0.999, record.id


def test_headers_are_read_once_and_again_where_an_image_changed(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    SiimFisabioRsna(root)
    assert "Read 5 headers" in caplog.text
    caplog.clear()
    SiimFisabioRsna(root)
    assert "headers" not in caplog.text
    write_dicom(place(root, RADIOGRAPHS[2]), np.ones((3, 4), np.uint16), PatientID="0000000000c9")
    assert SiimFisabioRsna(root).records[2].patient_id == "0000000000c9"


def test_nothing_is_written_into_the_set(root: Path) -> None:
    before = sorted(root.rglob("*"))
    SiimFisabioRsna(root)
    assert sorted(root.rglob("*")) == before
    with pytest.raises(ValueError, match="lies in the data set"):
        SiimFisabioRsna(root, index=root / "index.csv")


def test_images_of_ricord_are_left_out_by_a_map_of_sources(root: Path, tmp_path: Path) -> None:
    rows = [f"{image.image}_image,{'RICORD' if image.image.endswith('1') else 'BIMCV'}" for image in RADIOGRAPHS[:4]]
    (tmp_path / "map.csv").write_text("\n".join(["image_id,source", *rows]))
    images = SiimFisabioRsna(root, source_map=tmp_path / "map.csv")
    assert len(images.records) == 3
    assert images.excluded == {"source is RICORD": 1, "source is not in source_map": 1}


def test_without_a_map_of_sources_it_warns(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    SiimFisabioRsna(root)
    assert "RICORD" in caplog.text


def test_half_a_download_is_refused(root: Path) -> None:
    place(root, RADIOGRAPHS[3]).unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 5 images are missing.*0000000000f4/\*/000000000a04\.dcm"):
        SiimFisabioRsna(root)


@pytest.mark.parametrize(
    ("images", "studies", "told"),
    [
        (STUDIES, IMAGES, "has no column"),  # swapped
        (IMAGES.replace("'x': 410.5", "'x': None"), STUDIES, "line 2: boxes .* can't be read"),
        (IMAGES.replace("opacity 1 410.5", "none 1 410.5"), STUDIES, "2 boxes but the label 'none"),
        (IMAGES, STUDIES.replace("0,1,0,0", "1,1,0,0"), "line 2: study '00aa11bb22cc_study' has 2 appearances"),
        (IMAGES + "0123456789ab_image,,none 1 0 0 1 1,00dd11ee22ff\n", STUDIES, "listed twice must be listed once"),
    ],
)
def test_damaged_tables_are_refused(images: str, studies: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=told):
        SiimFisabioRsna(golden(tmp_path / "set", images, studies), check_files=False)


@settings(max_examples=25)
@given(
    shape=st.tuples(st.integers(30, 90), st.integers(30, 90)),
    data=st.data(),
    photometric=st.sampled_from(["MONOCHROME1", "MONOCHROME2"]),
)
def test_a_box_stays_on_the_bright_part_that_it_was_drawn_around(
    shape: tuple[int, int], data: st.DataObject, photometric: str, tmp_path: Path
) -> None:
    """From DICOM through resize and crop: what is bright is in the box, and the box is bright."""
    height, width = shape
    x, y = data.draw(st.integers(0, width - 12)), data.draw(st.integers(0, height - 12))
    w, h = data.draw(st.integers(12, width - x)), data.draw(st.integers(12, height - y))
    bright = np.zeros(shape, bool)
    bright[y : y + h, x : x + w] = True
    assume(not bright.all())  # an image of one grey level is refused, as another test says
    stored = np.where(bright == (photometric == "MONOCHROME2"), 3000, 500).astype(np.uint16)
    images = (
        "id,boxes,label,StudyInstanceUID\n"
        f"0123456789ab_image,\"[{{'x': {x}.0, 'y': {y}.0, 'width': {w}.0, 'height': {h}.0}}]\","
        f"opacity 1 {x} {y} {x + w} {y + h},00aa11bb22cc\n"
    )
    root = golden(tmp_path / "set", images)
    write_dicom(root / "train/00aa11bb22cc/5e/0123456789ab.dcm", stored, PhotometricInterpretation=photometric)
    radiographs = SiimFisabioRsna(root, index=tmp_path / f"{shape}-{x}-{y}-{w}-{h}-{photometric}.csv")
    sample = radiographs.load(radiographs.records[0])
    geometry = Geometry.of(sample.image, 64)
    shown = geometry.image(torch.from_numpy(bright)[None].float())
    if shown.max() - shown.min() < 0.5:
        return  # cropped away, or nothing else is left
    square = preprocess(sample, 64)
    (box,) = square.boxes["opacities"]
    within, around = _painted(box, -2.5), _painted(box, 2.5)  # the edge is smooth where the image was enlarged
    assert (square.image[0][within] > 0.5).all() and (square.image[0][~around] < 0.5).all()


def _painted(box: Box, grown: float) -> torch.Tensor:
    """Pixels of an image of 64 px whose centre is in a box that was made larger on each side."""
    centres = torch.arange(64) + 0.5
    rows = (centres > box.y - grown) & (centres < box.y + box.height + grown)
    columns = (centres > box.x - grown) & (centres < box.x + box.width + grown)
    return rows[:, None] & columns
