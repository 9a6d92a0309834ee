"""CANDID-PTX: radiographs with pneumothoraces and chest drains, both outlined."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from radedit.data.checks.mask_check import require_fitting_masks
from radedit.data.io.fingerprint import content_hash
from radedit.data.io.table import Row, Table, read_table
from radedit.data.layouts.download import Download
from radedit.data.layouts.image_files import ImageFile, ImageFiles
from radedit.data.layouts.region_table import RegionTable
from radedit.data.layouts.rle import RelativeRegions
from radedit.types import Record

NAME = "CANDID-PTX"
REPORTS = "Pneumothorax_reports.csv"
DRAINS = "chest_tube.csv"
DRAIN_COLUMNS = ("anon_SOPUID", "mask_rle")
PATIENT = re.compile(r"P(\d+)_")
UID = re.compile(r"\d+(\.\d+)+")
NO_DRAIN = RelativeRegions(())


class CandidPtx(ImageFiles):
    """Radiographs of Dunedin, New Zealand.

    Licence and access: doi 10.17608/k6.auckland.14173982, after an ethics course, under a data use agreement; edited
    images may not be passed on. Expected is the folder as published, the DICOM files with or without an extension and
    in any subfolder:

        Pneumothorax_reports.csv  chest_tube.csv  dataset/<SOPInstanceUID>

    One record is one image with its report, labels and masks `pneumothorax` and `drain`; where there is none, the mask
    is empty. One image is listed for two patients: all images of both are one patient, so that no split parts them.

    Args:
        root: The folder.
        check_files: Whether to raise where images are missing.

    Raises:
        FileNotFoundError: If a table is missing, or images are.
        ValueError: If a table has other columns, masks that are none or of other images, or if an image is there
            twice.
    """

    def __init__(self, root: str | Path, *, check_files: bool = True) -> None:
        download = Download(NAME, root)
        table = read_table(download.table([REPORTS]))
        table.require(["filename", "SOPInstanceUID", "EncodedPixels", "Report"], REPORTS)
        reports = RegionTable.of(table, "SOPInstanceUID", "EncodedPixels")
        drains = _drains(read_table(download.table([DRAINS])), reports)
        patients = _patients(reports)
        unlisted = sum(image_id not in reports.rows for image_id in download.images if UID.fullmatch(image_id))
        excluded = Counter({f"no row in {REPORTS}": unlisted})
        images = []
        for image_id, rows in reports.rows.items():
            if image_id not in reports.masks or (image_id in drains.rows and image_id not in drains.masks):
                excluded["a mask's cell is empty"] += 1
                continue
            masks = {"pneumothorax": reports.masks[image_id], "drain": drains.masks.get(image_id, NO_DRAIN)}
            record = Record(
                id=image_id,
                patient_id=patients[image_id],
                labels={name: int(bool(mask.regions)) for name, mask in masks.items()},
                report="\n".join(dict.fromkeys(row.cells["Report"] for row in rows)),
                attributes={"source": NAME, "study_id": rows[0].cells.get("StudyInstanceUID", "")},
            )
            images.append(ImageFile(record, download.image(image_id), masks))
        if check_files:
            download.require(reports.rows, reports.path)
            for name in ("pneumothorax", "drain"):
                require_fitting_masks(NAME, (image for image in images if image.record.labels[name]))
        about = {"masks": content_hash([list(image.masks.values()) for image in images])}
        super().__init__(NAME, download.root, images, excluded=+excluded, about=about, check_files=False)


def _drains(table: Table, reports: RegionTable) -> RegionTable:
    """Images that are not in it have no drain: it lists positives only, though some of its masks say `-1`."""
    if len(table.columns) == 3:
        image, _, runs = table.columns  # their names differ among copies, their order does not
    else:
        table.require(DRAIN_COLUMNS, DRAINS)
        image, runs = DRAIN_COLUMNS
    drains = RegionTable.of(table, image, runs)
    if not drains.rows.keys() & reports.rows.keys():
        raise ValueError(
            f"{table.path}: none of its images is in {reports.path}; its first is {next(iter(drains.rows))!r}, there "
            f"{next(iter(reports.rows))!r}. One of the tables is of another set."
        )
    return drains


def _patients(reports: RegionTable) -> dict[str, str]:
    """Image id → patient; patients who share an image are one."""
    patients = {image_id: {_patient(row, reports.path) for row in rows} for image_id, rows in reports.rows.items()}
    united: dict[int, set[int]] = {}
    for together in patients.values():
        group = together.union(*(united.get(patient, set()) for patient in together))
        united.update(dict.fromkeys(group, group))
    return {
        image_id: "+".join(f"P{patient}" for patient in sorted(united[min(own)])) for image_id, own in patients.items()
    }


def _patient(row: Row, path: Path) -> int:
    found = PATIENT.match(row.cells["filename"])
    if not found:
        raise ValueError(
            f"{path}, line {row.line}: filename {row.cells['filename']!r} does not name a patient. "
            "Expected is P, the patient's number and _, as in P00901_0001_1."
        )
    return int(found.group(1))
