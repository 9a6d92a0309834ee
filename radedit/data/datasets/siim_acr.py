"""SIIM-ACR: radiographs with outlined pneumothoraces."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from radedit.data.checks.mask_check import require_fitting_masks
from radedit.data.image.dicom_tags import read_tags
from radedit.data.io.fingerprint import content_hash
from radedit.data.io.table import read_table
from radedit.data.layouts.download import Download, index_file
from radedit.data.layouts.image_files import ImageFile, ImageFiles
from radedit.data.layouts.region_table import RegionTable
from radedit.data.layouts.rle import NONE
from radedit.types import Record

NAME = "SIIM-ACR"
TABLES = ("train-rle.csv", "stage_2_train.csv")
ATTRIBUTES = {"sex": "PatientSex", "age": "PatientAge", "view": "ViewPosition"}  # ours → DICOM's
YEARS = re.compile(r"0*(\d+)Y?")
FOLDERS = {"dicom-images-train": "train", "dicom-images-test": "test"}  # test images were annotated for stage 2


class SiimAcr(ImageFiles):
    """Images of the SIIM-ACR pneumothorax challenge of 2019.

    Licence and access: a Kaggle account and the challenge's rules
    (https://www.kaggle.com/c/siim-acr-pneumothorax-segmentation); whether edited images may be passed on is not clear,
    so do not. The images come from ChestX-ray14: do not test on them what learnt from that. Expected is one table and
    the images, as a tree of three levels or flat:

        train-rle.csv  dicom-images-train/<study>/<series>/<ImageId>.dcm  dicom-images-test/…
        stage_2_train.csv  stage_2_images/<ImageId>.dcm

    One record is one image that the table lists, with label and mask `pneumothorax`. Images that it does not list are
    unlabelled, not negative, and left out. The patient is the PatientID of the DICOM header.

    Args:
        root: The folder.
        cache: Folder, outside the root, for an index of the headers; they are read once.
        table: The table's name, needed if both are there.
        check_files: Whether to raise where images are missing.

    Raises:
        FileNotFoundError: If the table is missing, or images are.
        ValueError: If the table has other columns, masks that are none or of other images, or says of one image that
            it is negative and more, or if an image is there twice.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        cache: str | Path = ".cache/datasets",
        table: str | None = None,
        check_files: bool = True,
    ) -> None:
        download = Download(NAME, root)
        index = index_file(cache, download.root, "siim_acr")
        regions = _regions(download.table([table] if table else TABLES))
        if check_files:
            download.require(regions.rows, regions.path)
        files = {image_id: download.image(image_id) for image_id in regions.rows}
        there = {image_id: path for image_id, path in files.items() if image_id in download.images}
        tags = read_tags(there, ["PatientID", *ATTRIBUTES.values()], index.with_suffix(".csv"))
        unlisted = [path for path in download.files if path.suffix == ".dcm" and path.stem not in regions.rows]
        excluded = Counter({f"no row in {regions.path.name}, so unlabelled": len(unlisted)})
        images = []
        for image_id, path in files.items():
            # Of a file that is missing nothing is known; it is never loaded.
            header = tags.get(image_id, {}) if image_id in there else {"PatientID": image_id}
            if image_id not in regions.masks:
                excluded["EncodedPixels is empty"] += 1
            elif not header.get("PatientID"):
                excluded["no PatientID in the DICOM header" if header else "unreadable DICOM header"] += 1
            else:
                mask = regions.masks[image_id]
                labels = {"pneumothorax": int(bool(mask.regions))}
                record = Record(image_id, header["PatientID"], labels, attributes=_attributes(header, path))
                images.append(ImageFile(record, path, {"pneumothorax": mask}))
        if check_files:
            require_fitting_masks(NAME, (image for image in images if image.record.labels["pneumothorax"]))
        about = {"masks": content_hash([list(image.masks.values()) for image in images])}
        super().__init__(NAME, download.root, images, excluded=+excluded, about=about, check_files=False)


def _regions(path: Path) -> RegionTable:
    regions = RegionTable.of(read_table(path), "ImageId", "EncodedPixels")
    for image_id, rows in regions.rows.items():
        negative = [row for row in rows if row.cells["EncodedPixels"] == NONE]
        if negative and len(rows) > 1:
            raise ValueError(
                f"{path}: {image_id} is negative in line {negative[0].line}, but there are {len(rows)} rows of it. "
                f"Allowed are one row of {NONE}, or one for each region; is it two tables in one?"
            )
    return regions


def _attributes(header: Mapping[str, str], path: Path) -> dict[str, str]:
    known = {name: header[tag] for name, tag in ATTRIBUTES.items() if header.get(tag)}
    if years := YEARS.fullmatch(known.get("age", "")):
        known["age"] = years.group(1)
    split = [split for folder, split in FOLDERS.items() if any(part.startswith(folder) for part in path.parts)]
    return {"source": NAME, **known, **({"split": split[0]} if split else {})}
