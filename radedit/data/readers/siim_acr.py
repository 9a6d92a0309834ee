"""SIIM-ACR: radiographs with outlined pneumothoraces."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from radedit.data.dicom_tags import read_tags
from radedit.data.download import Download, index_file
from radedit.data.film_files import Film, FilmFiles
from radedit.data.fingerprint import content_hash
from radedit.data.mask_check import require_fitting_masks
from radedit.data.region_table import RegionTable
from radedit.data.rle import NONE
from radedit.data.table import read_table
from radedit.types import Record

NAME = "SIIM-ACR"
TABLES = ("train-rle.csv", "stage_2_train.csv")
ATTRIBUTES = {"sex": "PatientSex", "age": "PatientAge", "view": "ViewPosition"}  # ours → DICOM's
YEARS = re.compile(r"0*(\d+)Y?")
FOLDERS = {"dicom-images-train": "train", "dicom-images-test": "test"}  # test films were annotated for stage 2


class SiimAcr(FilmFiles):
    """Films of the SIIM-ACR pneumothorax challenge of 2019.

    Licence and access: a Kaggle account and the challenge's rules
    (https://www.kaggle.com/c/siim-acr-pneumothorax-segmentation); whether edited films may be passed on is not clear,
    so do not. The films come from ChestX-ray14: do not test on them what learnt from that. Expected is one table and
    the films, as a tree of three levels or flat:

        train-rle.csv  dicom-images-train/<study>/<series>/<ImageId>.dcm  dicom-images-test/…
        stage_2_train.csv  stage_2_images/<ImageId>.dcm

    One record is one film that the table lists, with label and mask `pneumothorax`. Films that it does not list are
    unlabelled, not negative, and left out. The subject is the PatientID of the DICOM header.

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
        cache: str | Path = ".cache/readers",
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
        films = []
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
                films.append(Film(record, path, {"pneumothorax": mask}))
        if check_files:
            require_fitting_masks(NAME, (film for film in films if film.record.labels["pneumothorax"]))
        about = {"masks": content_hash([list(film.masks.values()) for film in films])}
        super().__init__(NAME, download.root, films, excluded=+excluded, about=about, check_files=False)


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
