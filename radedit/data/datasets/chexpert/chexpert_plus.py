"""CheXpert Plus: the images of CheXpert with their reports, from Stanford.

Licence: Stanford University Dataset Research Use Agreement. Access: https://aimi.stanford.edu/datasets/chexpert-plus
after registration. Neither images nor edits of them may be shared.

One record is one image with the impression of its report, and CheXbert's labels of one section. Expected folder:

    df_chexpert_plus_240401.csv
    PNG/train/patient00001/study1/view1_frontal.png     or .jpg, .dcm, in any folder of the root
    chexbert_labels/impression_fixed.json               one JSON object a line; also findings_, report_
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from radedit.data.datasets.chexpert.labels import FINDINGS, UNCERTAIN, read_labels
from radedit.data.datasets.chexpert.paths import SPLITS, ImagePath, patient_folders, subfolders, why_not_frontal
from radedit.data.io.table import read_table
from radedit.data.layouts.image_files import ImageFile, ImageFiles
from radedit.data.layouts.impressions import tidy
from radedit.data.layouts.options import check_option, several
from radedit.data.layouts.roots import find_table, not_found, set_root
from radedit.types import Record

NAME = "CheXpert Plus"
TABLE = "df_chexpert_plus_240401"
COLUMNS = ("path_to_image", "frontal_lateral", "ap_pa", "age", "sex", "section_impression")
SECTIONS = ("impression", "findings", "report")
SUFFIXES = (".png", ".jpg", ".dcm")


class CheXpertPlus(ImageFiles):
    """Images with their impressions and CheXbert's labels.

    Args:
        root: The folder with `df_chexpert_plus_240401.csv`.
        split: `train`, `valid`, or both where None.
        labels: Section that CheXbert read: `impression`, `findings`, `report`, or None for no labels.
        uncertain: What -1 is read as: `unread`, `positive` or `negative`.
        frontal_only: Whether laterals are left out.
        strict_views: Whether frontal images must be AP or PA.
        require_impression: Whether images without an impression are left out, rather than without text.
        check_files: See `ImageFiles`.

    Raises:
        FileNotFoundError: If the folder, the table, the labels or images are missing.
        ValueError: If a table is another one, a label or path is unknown, or see `ImageFiles`.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        split: str | Sequence[str] | None = None,
        labels: str | None = "impression",
        uncertain: str = "unread",
        frontal_only: bool = True,
        strict_views: bool = False,
        require_impression: bool = True,
        check_files: bool = True,
    ) -> None:
        folder = set_root(NAME, root)
        wanted = several("split", split, SPLITS)
        check_option("labels", [labels], [None, *SECTIONS])
        check_option("uncertain", [uncertain], list(UNCERTAIN))
        path = find_table([folder], TABLE)
        if path is None:
            raise not_found(NAME, folder, [f"{TABLE}.csv"], "It is the table of reports; root is its folder.")
        table = read_table(path, COLUMNS, "the reports of CheXpert Plus")
        read = _labels(folder, labels, uncertain) if labels else {}
        excluded: Counter[str] = Counter()
        chosen: list[tuple[ImagePath, Record]] = []
        for line, row in table.rows:
            image = ImagePath.parse(row["path_to_image"], f"{path}, line {line}")
            view, projection, impression = row["ap_pa"], row["frontal_lateral"], tidy(row["section_impression"])
            reason = why_not_frontal(projection, view, frontal_only=frontal_only, strict_views=strict_views)
            if reason is None and image.split not in wanted:
                reason = f"split {image.split}"
            if reason is None and require_impression and not impression:
                reason = "no impression"
            if reason:
                excluded[reason] += 1
                continue
            attributes = {
                "source": NAME,
                "view": view or projection.upper(),
                "split": image.split,
                "sex": row["sex"],
                "age": row["age"],
                "study_id": f"{image.patient}/{image.study}",
            }
            chosen.append((image, Record(image.id, image.patient, read.get(image.id, {}), impression, attributes)))
        patients = patient_folders(folder)
        suffix = _suffix(folder, patients, [image for image, _ in chosen])
        images = [ImageFile(record, image.below(folder, patients, suffix)) for image, record in chosen]
        super().__init__(NAME, folder, images, excluded=excluded, check_files=check_files)


def _labels(root: Path, section: str, uncertain: str) -> dict[str, dict[str, int]]:
    name = f"{section}_fixed.json"
    path = next((file for folder in subfolders(root) if (file := folder / name).is_file()), None)
    if path is None:
        raise not_found(NAME, root, [f"chexbert_labels/{name}"], "Or read no labels: labels=null.")
    labels = {}
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            place = f"{path}, line {number}"
            try:
                row = json.loads(line, parse_constant=lambda _: None)  # NaN
            except json.JSONDecodeError as error:
                raise ValueError(f"{place} is no JSON object ({error}). Is the download complete?") from error
            if missing := [key for key in ("path_to_image", *FINDINGS) if key not in row]:
                raise ValueError(f"{place} has no {missing[0]!r}. Are these CheXbert's labels?")
            cells = {name: "" if row[name] is None else str(row[name]) for name in FINDINGS}
            labels[ImagePath.parse(row["path_to_image"], place).id] = read_labels(cells, uncertain, place)
    return labels


def _suffix(root: Path, patients: dict[str, Path], images: Sequence[ImagePath]) -> str:
    """In which form the images were downloaded, by the first that is there; the table calls all of them .jpg."""
    there = (suffix for image in images for suffix in SUFFIXES if image.below(root, patients, suffix).is_file())
    return next(there, SUFFIXES[0])
