"""Our labels beside torchxrayvision's, where that is installed: pip install torchxrayvision.

It reads tables of images that are PA only, and one of each patient, unless told otherwise; LL among CheXpert's frontal
images never; CheXpert Plus, MIMIC-CXR's reports and DICOM files, and MIMIC-CXR's splits not at all.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from radedit.data.datasets.chestxray14 import FINDINGS as NIH_FINDINGS
from radedit.data.datasets.chestxray14 import ChestXray14
from radedit.data.datasets.chexpert.chexpert import CheXpert
from radedit.data.datasets.chexpert.labels import FINDINGS
from radedit.data.datasets.mimic.mimic_cxr import MimicCxr
from radedit.types import Record
from tests.data.fixtures.chestxray14 import write_chestxray14
from tests.data.fixtures.chexpert import write_chexpert
from tests.data.fixtures.mimic_cxr import write_mimic_cxr

xrv = pytest.importorskip("torchxrayvision")
EVERY = {"views": ["PA", "AP"], "unique_patients": False}
OURS = FINDINGS | NIH_FINDINGS  # both call it Effusion there


def labels(theirs: Any, row: int) -> dict[str, int]:
    """Their labels under our names; NaN is absent."""
    values = zip(theirs.pathologies, theirs.labels[row].tolist(), strict=True)
    return {OURS[name]: int(value) for name, value in values if not math.isnan(value)}


def with_zeros(record: Record, *but: str) -> dict[str, int]:
    """Our labels, with 0 for all findings (but some) where No Finding is 1, which torchxrayvision adds and we don't."""
    healthy = record.labels.get("no_finding") == 1
    zeros = dict.fromkeys(set(FINDINGS.values()) - set(but), 0) if healthy else {}
    return {name: value for name, value in {**record.labels, **zeros}.items() if name != "no_finding"}


def test_mimic_cxr_has_the_same_labels(tmp_path: Path) -> None:
    root = write_mimic_cxr(tmp_path)
    (root / "mimic-cxr-2.1.0-test-set-labeled.csv").unlink()  # it does not read the radiologists' labels
    tables = [str(root / f"mimic-cxr-2.0.0-{name}.csv.gz") for name in ("chexpert", "metadata")]
    theirs = xrv.datasets.MIMIC_Dataset(str(root / "files"), *tables, **EVERY)
    names = theirs.csv["dicom_id"].tolist()
    ours = {record.id: record for record in MimicCxr(root, require_impression=False).records}
    assert set(names) == set(ours)
    for row, name in enumerate(names):
        assert labels(theirs, row) == with_zeros(ours[name]), name


@pytest.mark.parametrize("split", ["train", "valid"])
def test_chexpert_has_the_same_labels(tmp_path: Path, split: str) -> None:
    root = write_chexpert(tmp_path)
    theirs = xrv.datasets.CheX_Dataset(str(root), str(root / f"{split}.csv"), **EVERY)
    ours = CheXpert(root, split=split, strict_views=True).records
    assert len(theirs) == len(ours)
    for row, record in enumerate(ours):
        assert labels(theirs, row) == with_zeros(record, "support_devices"), record.id


@pytest.mark.parametrize("revised", [True, False])
def test_chestxray14_has_the_same_labels_and_boxes(tmp_path: Path, revised: bool) -> None:
    root = write_chestxray14(tmp_path, revised=revised, folders=False)
    table = next(root.glob("Data_Entry*"))
    table.write_text(table.read_text().replace("058Y", "58").replace("007M", "0"))  # it reads plain ages only
    tables = [str(table), str(root / "BBox_List_2017.csv")]
    theirs = xrv.datasets.NIH_Dataset(str(root / "images"), *tables, pathology_masks=True, **EVERY)
    dataset = ChestXray14(root)
    assert theirs.csv["Image Index"].tolist() == [record.id for record in dataset.records]
    for row, record in enumerate(dataset.records):
        assert labels(theirs, row) == {name: value for name, value in record.labels.items() if name != "no_finding"}
        masks = {OURS[theirs.pathologies[i]]: mask for i, mask in theirs[row]["pathology_masks"].items()}
        sample = dataset.load(record)
        assert set(masks) == set(sample.boxes)
        for name, mask in masks.items():
            rows, columns = mask[0].nonzero()
            (box,) = sample.boxes[name]
            found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            expected = (box.x, box.y, box.x + box.width, box.y + box.height)
            assert found == pytest.approx(expected, abs=1)  # they cut off fractions of a pixel
