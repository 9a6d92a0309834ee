"""Images that are given away say that they are synthetic, and neither what they show nor whose they are."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from torch import Tensor

from radedit.data.blinded.dicom_write import new_uid, write_dicom
from radedit.data.blinded.export import ANSWERS, draw_key, write_images, write_template
from radedit.data.blinded.key import Key, key_text, levels_of, read_key
from radedit.data.image.files import read_image
from radedit.data.image.transforms import stretch
from radedit.data.io.table import read_table
from radedit.types import Record, Sample

SIZE = 16
# Elements that a file of ours may have: what the image object needs, and nothing that names or dates a person or place.
ALLOWED = {
    "SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "StudyDate", "ContentDate",
    "AcquisitionDate", "StudyTime", "ContentTime", "AccessionNumber", "Modality", "PresentationIntentType",
    "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "DeviceSerialNumber", "ReferringPhysicianName",
    "StudyDescription", "SeriesDescription", "DerivationDescription", "AnatomicRegionSequence", "PatientName",
    "PatientID", "PatientBirthDate", "PatientSex", "PatientIdentityRemoved", "DeidentificationMethod",
    "ViewCodeSequence", "BodyPartExamined", "ViewPosition", "ImageLaterality", "DetectorType", "PositionerType",
    "ImagerPixelSpacing", "StudyInstanceUID", "SeriesInstanceUID", "StudyID", "SeriesNumber", "InstanceNumber",
    "PatientOrientation", "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "QualityControlImage", "BurnedInAnnotation",
    "PixelIntensityRelationship", "PixelIntensityRelationshipSign", "WindowCenter", "WindowWidth", "RescaleIntercept",
    "RescaleSlope", "RescaleType", "LossyImageCompression", "PresentationLUTShape", "AcquisitionContextSequence",
    "PixelData",
}  # fmt: skip


class Images:
    """Named images as a data set."""

    def __init__(self, **images: Tensor) -> None:
        self.images = images

    @property
    def records(self) -> list[Record]:
        return [Record(name, "p") for name in self.images]

    def load(self, record: Record) -> Sample:
        return Sample(record, self.images[record.id])


def drawn(seed: int) -> Tensor:
    return stretch(torch.from_numpy(np.random.default_rng(seed).random((1, SIZE, SIZE), dtype=np.float32)))


@pytest.fixture
def sets() -> dict[str, Images]:
    shared = drawn(0)
    return {
        "edit": Images(a=drawn(1), b=drawn(2), blank=torch.zeros(1, SIZE, SIZE)),
        "reference": Images(a=shared, b=shared),
        "source": Images(a=drawn(3), b=drawn(4)),
    }


def exported(sets: dict[str, Images], format: str, seed: int = 0, folder: str = "given") -> Key:
    key = draw_key(sets, scenario="manifestation", stress_set="0123", size=SIZE, seed=seed, format=format)
    write_images(key, sets, Path(folder), format=format, view="PA")
    write_template(key, Path(folder), ["probability"])
    return key


@pytest.mark.parametrize("format", ["dicom", "png"])
def test_each_image_is_given_once_and_is_the_one_that_the_key_says(sets: dict[str, Images], format: str) -> None:
    key = exported(sets, format)
    assert [item.id for item in key.items] == [f"R000{i}" for i in range(1, 6)]  # two are equal, one can't be read
    shown = {(name, record) for item in key.items for name, records in item.shows.items() for record in records}
    assert shown == {(name, id_) for name in sets for id_ in "ab"}
    assert len([item for item in key.items if item.shows == {"reference": ["a", "b"]}]) == 1
    for item in key.items:
        read = read_image(Path("given") / item.file).pixels
        for name, records in item.shows.items():
            for record in records:
                assert (255 * (read - sets[name].images[record]).abs()).max() < 0.01
    rows = read_table(Path("given") / ANSWERS).rows
    assert [row.cells["id"] for row in rows] == [item.id for item in key.items]
    assert all(row.cells["sop_instance_uid"] == item.uid for row, item in zip(rows, key.items, strict=True))


@pytest.mark.parametrize("format", ["dicom", "png"])
def test_nothing_that_is_given_away_tells_what_an_image_shows(sets: dict[str, Images], format: str) -> None:
    key = exported(sets, format)
    files = sorted(path for path in Path("given").rglob("*") if path.is_file())
    assert len(files) == len(key.items) + 1
    for path in files:
        assert not any(word in path.read_bytes() for word in (b"source", b"reference", b"edit\0", b"/edit", b"0123"))
    assert len({path.stat().st_mtime_ns for path in files if path.name != ANSWERS}) == 1
    if format == "dicom":
        sizes = [path.stat().st_size for path in files if path.name != ANSWERS]
        assert max(sizes) - min(sizes) < 16  # UIDs have a digit more or less
    order = [name for item in key.items for name in item.shows]
    other = [name for item in exported(sets, format, seed=3, folder="other").items for name in item.shows]
    assert order != other and sorted(order) == sorted(other)


def test_the_same_words_give_the_same_bytes(sets: dict[str, Images]) -> None:
    for folder in ("one", "two"):
        exported(sets, "dicom", folder=folder)
    files = sorted(path.relative_to("one") for path in Path("one").rglob("*.*"))
    assert all((Path("one") / file).read_bytes() == (Path("two") / file).read_bytes() for file in files)


def test_dicom_says_that_it_is_synthetic_and_has_nothing_else_to_say(sets: dict[str, Images]) -> None:
    key = exported(sets, "dicom")
    found = [pydicom.dcmread(Path("given") / item.file) for item in key.items]
    for dataset, item in zip(found, key.items, strict=True):
        assert dataset.ImageType[:2] == ["DERIVED", "SECONDARY"] and "SYNTHETIC" in dataset.ImageType
        assert dataset.BurnedInAnnotation == "NO" and "ynthetic" in dataset.DerivationDescription
        assert dataset.PatientID == dataset.AccessionNumber == item.id and "SYNTHETIC" in str(dataset.PatientName)
        assert {element.keyword for element in dataset} == ALLOWED
        assert (dataset.pixel_array == levels_of(read_image(Path("given") / item.file).pixels)).all()
        assert dataset.StudyInstanceUID == item.study_uid and dataset.SOPInstanceUID == item.uid
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "PatientID"):
        assert len({str(dataset[keyword].value) for dataset in found}) == len(found)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy, of Debian's dicom3tools")
def test_dicom_passes_an_independent_validator(sets: dict[str, Images]) -> None:
    for item in exported(sets, "dicom").items:
        done = subprocess.run(["dciodvfy", "-new", f"given/{item.file}"], capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        assert "DXImageForPresentation" in said and "Error" not in said and "Warning" not in said, said


def test_dicom_has_what_the_standard_requires_of_it(tmp_path: Path) -> None:
    """What a validator would say, where none is at hand: types 1 of the modules of PS3.3 A.26.3, and valid values."""
    write_dicom(tmp_path / "x.dcm", drawn(0), id_="R1", uid=new_uid("a"), study_uid=new_uid("b"), view="AP")
    with pydicom.config.disable_value_validation():
        dataset = pydicom.dcmread(tmp_path / "x.dcm")
    pydicom.config.settings.reading_validation_mode = pydicom.config.RAISE
    try:
        strict = pydicom.dcmread(tmp_path / "x.dcm")
        _ = [element.value for element in strict.iterall()]
    finally:
        pydicom.config.settings.reading_validation_mode = pydicom.config.WARN
    required = {
        "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality",
        "PresentationIntentType", "ImageType", "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns",
        "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData", "PixelIntensityRelationship",
        "PixelIntensityRelationshipSign", "RescaleIntercept", "RescaleSlope", "RescaleType", "PresentationLUTShape",
        "LossyImageCompression", "BurnedInAnnotation", "ImagerPixelSpacing", "ImageLaterality", "PatientOrientation",
    }  # fmt: skip
    assert not [keyword for keyword in required if dataset[keyword].value in (None, "", [])]
    assert all(uid.is_valid and len(uid) <= 64 for uid in (dataset.SOPInstanceUID, dataset.StudyInstanceUID))
    assert new_uid("a") == new_uid("a") != new_uid("b")


def test_key_is_read_back_and_a_changed_one_is_refused(sets: dict[str, Images]) -> None:
    key = draw_key(sets, scenario="x", stress_set="0123", size=SIZE, seed=0, format="png")
    file = Path("key.json")
    file.write_bytes(key_text(key, {"command": "c"}))
    assert read_key(file) == key
    file.write_bytes(file.read_bytes().replace(b'"edit"', b'"sham"', 1))
    with pytest.raises(ValueError, match="does not fit its own hash"):
        read_key(file)
    file.write_text('{"items": []}')
    with pytest.raises(ValueError, match="is no key of an export"):
        read_key(file)
    with pytest.raises(FileNotFoundError, match="There is no key"):
        read_key(Path("gone.json"))


def test_wrong_formats_and_views_are_refused(sets: dict[str, Images]) -> None:
    with pytest.raises(ValueError, match="format is 'jpeg'; allowed are dicom, png"):
        exported(sets, "jpeg")
    with pytest.raises(ValueError, match="view is 'LL'; allowed are PA and AP"):
        write_dicom(Path("x.dcm"), drawn(0), id_="R1", uid="1.2", study_uid="1.3", view="LL")
