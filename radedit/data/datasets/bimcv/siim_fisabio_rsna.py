"""SIIM-FISABIO-RSNA COVID-19 Detection (Kaggle, 2021): images, labels and boxes behind the paper's BIMCV+ and BIMCV−.

The four appearances and the boxes of Section 5.2 are not in the BIMCV release: they are this challenge's annotation of
images of BIMCV-COVID19 and MIDRC-RICORD (doi 10.31219/osf.io/532ek). Which image is of which is in none of its
files.

Licence: the rules of the competition, the research use agreement of BIMCV (no copies of any portion, no derivative
works but models) and, for RICORD, CC BY-NC 4.0. Edited images must not be published. Access: a Kaggle account and
agreement to the rules, https://www.kaggle.com/c/siim-covid19-detection. Folder:

    train/<StudyInstanceUID>/<SeriesInstanceUID>/<SOPInstanceUID>.dcm
    train_study_level.csv    id (<study>_study), one column an appearance, 0 or 1
    train_image_level.csv    id (<image>_image), boxes, label, StudyInstanceUID
"""

from __future__ import annotations

import ast
import logging
import math
import os
from collections import Counter
from pathlib import Path

from radedit.data.datasets.bimcv.dicom_headers import DicomHeaders, Header
from radedit.data.io.table import Row, Table, read_table
from radedit.data.layouts.image_files import ImageFile, ImageFiles
from radedit.types import Box, Record

logger = logging.getLogger(__name__)

NAME = "SIIM-FISABIO-RSNA"
BOXES = "opacities"
COVID = {  # App. B
    "Negative for Pneumonia": 0,
    "Typical Appearance": 1,
    "Indeterminate Appearance": 1,
    "Atypical Appearance": 0,
}
COLLECTIONS = ("BIMCV", "RICORD")


class SiimFisabioRsna(ImageFiles):
    """Images with the label `covid` (App. B), boxes `opacities`, and the attributes `appearance` and `n_boxes`.

    One record is one image of `train/`; `test/` has no labels. Everyone who drew boxes saw every image, so an image
    without any has an empty list. Images of covid = 1 without boxes stay in the set: they can be learnt from, but not
    edited.

    Args:
        root: The folder above.
        index: File of what the DICOM headers say of patients, sex and view, outside `root`. It is made on the first
            use, which opens every image, and completed when images were added.
        covid: Images of this label only: 1 is the paper's BIMCV+, 0 its BIMCV−.
        source_map: A CSV with `image_id,source`, where the source is BIMCV or RICORD; the images of RICORD are then
            left out. None is published; without it all images are taken, with a warning.
        check_files: See `ImageFiles`.

    Raises:
        FileNotFoundError: If a table or images are missing.
        ValueError: If a table has other columns or cells, `index` lies in `root`, or no image is left.

    Note:
        A patient is the header's PatientID, or the study where the header has none or the file is not there. The paper
        counts 5,650 images of BIMCV±, 684 fewer than this set has; images of RICORD may be those.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        index: str | Path = ".cache/siim_fisabio_rsna.csv",
        covid: int | None = None,
        source_map: str | Path | None = None,
        check_files: bool = True,
    ) -> None:
        root = Path(root)
        if covid not in (None, 0, 1):
            raise ValueError(f"covid is {covid!r}. Allowed are 0 (BIMCV−), 1 (BIMCV+) and null (both).")
        studies, images = read_table(root / "train_study_level.csv"), read_table(root / "train_image_level.csv")
        appearances = _appearances(studies)
        images.require(["id", "boxes", "label", "StudyInstanceUID"], NAME)
        found = _files(root / "train")
        collections = _collections(source_map)
        excluded: Counter[str] = Counter()
        rows: list[tuple[Row, str, str]] = []
        for row in images.rows:
            image, study = row.cells["id"].removesuffix("_image"), row.cells["StudyInstanceUID"]
            if study not in appearances:
                excluded["study has no row in train_study_level.csv"] += 1
            elif covid not in (None, COVID[appearances[study]]):
                excluded[f"covid is not {covid}"] += 1
            elif collections is not None and collections.get(image) != "BIMCV":
                excluded[f"source is {collections.get(image, 'not in source_map')}"] += 1
            else:
                rows.append((row, image, study))
        headers = DicomHeaders(Path(index), root).read({image: found[image] for _, image, _ in rows if image in found})
        radiographs = [
            _image(images, row, image, study, appearances[study], headers.get(image, Header()), found, root)
            for row, image, study in rows
        ]
        about = {"covid": covid, "source_map": source_map is not None}
        super().__init__(NAME, root, radiographs, excluded=excluded, about=about, check_files=check_files)
        bare = sum(radiograph.record.labels["covid"] == 1 and not radiograph.boxes[BOXES] for radiograph in radiographs)
        if bare:
            logger.info("%s: %d images of covid = 1 have no boxes, so they can't be edited.", NAME, bare)


def _image(
    table: Table, row: Row, image: str, study: str, appearance: str, header: Header, found: dict[str, Path], root: Path
) -> ImageFile:
    boxes = _boxes(table, row)
    attributes = {
        "source": NAME,
        "view": header.view,
        "sex": header.sex,
        "study_id": study,
        "appearance": appearance,
        "n_boxes": str(len(boxes)),
    }
    record = Record(image, header.patient or study, {"covid": COVID[appearance]}, "", attributes)
    # The tables don't name the series, so that the place of a missing image is known but for one folder.
    return ImageFile(record, found.get(image, root / "train" / study / "*" / f"{image}.dcm"), boxes={BOXES: boxes})


def _appearances(table: Table) -> dict[str, str]:
    """Study → its one appearance."""
    table.require(["id", *COVID], NAME)
    appearances = {}
    for row in table.rows:
        positive = [name for name in COVID if row.cells[name] in {"1", "1.0"}]
        if len(positive) != 1:
            raise ValueError(
                f"{table.path}, line {row.line}: study {row.cells['id']!r} has {len(positive)} appearances. Every "
                f"study has one of {', '.join(COVID)}."
            )
        appearances[row.cells["id"].removesuffix("_study")] = positive[0]
    return appearances


def _boxes(table: Table, row: Row) -> list[Box]:
    """The boxes of a row, px of the DICOM file: a Python literal with single quotes, so no JSON."""
    text, label = row.cells["boxes"], row.cells["label"]
    try:
        items = ast.literal_eval(text) if text else []
        boxes = [Box(*(float(item[key]) for key in ("x", "y", "width", "height"))) for item in items]
        if not all(math.isfinite(value) for box in boxes for value in box):
            raise ValueError("a number is not finite")
    except (ValueError, SyntaxError, TypeError, KeyError) as error:
        raise ValueError(
            f"{table.path}, line {row.line}: boxes {text[:60]!r} can't be read ({error}). Allowed are nothing and a "
            "list such as [{'x': 1.5, 'y': 2.0, 'width': 3.0, 'height': 4.0}]."
        ) from error
    if bool(boxes) != label.startswith("opacity"):
        raise ValueError(
            f"{table.path}, line {row.line}: {len(boxes)} boxes but the label {label[:40]!r}. An image has boxes where "
            "its label says opacity, and none where it says none; fetch the table again."
        )
    return boxes


def _files(folder: Path) -> dict[str, Path]:
    """Image → its file. Every image is three folders down, but the tables name only one of them."""
    return {
        file.removesuffix(".dcm"): Path(where) / file
        for where, _, files in os.walk(folder)
        for file in files
        if file.endswith(".dcm")
    }


def _collections(source_map: str | Path | None) -> dict[str, str] | None:
    if source_map is None:
        logger.warning(
            "%s: no source_map was given, so images of RICORD, which the paper does not have, are among those of "
            "BIMCV.",
            NAME,
        )
        return None
    table = read_table(source_map)
    table.require(["image_id", "source"], "source_map")
    for row in table.rows:
        if row.cells["source"] not in COLLECTIONS:
            raise ValueError(
                f"{table.path}, line {row.line}: source {row.cells['source']!r}; allowed are {', '.join(COLLECTIONS)}."
            )
    return {row.cells["image_id"].removesuffix("_image"): row.cells["source"] for row in table.rows}
