"""ChestX-ray14, at first ChestX-ray8: radiographs with labels mined from reports, from the NIH Clinical Center.

Licence: open; name the NIH Clinical Center and link to https://nihcc.app.box.com/v/ChestXray-NIHCC. Access: download
there; a login is not needed. Derived images may be published with that attribution.

One record is one image, frontal like all of them, read for 14 findings: what a row does not list is 0. Some images have
boxes around findings. Expected folder:

    Data_Entry_2017_v2020.csv       or Data_Entry_2017.csv, whose labels differ here and there
    BBox_List_2017.csv
    train_val_list.txt  test_list.txt
    images/00099001_004.png         or images_001/images/… to images_012/images/…, as on Kaggle
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from radedit.data.io.table import Table, read_table
from radedit.data.layouts.image_files import ImageFile, ImageFiles
from radedit.data.layouts.options import check_option
from radedit.data.layouts.roots import find_table, not_found, set_root
from radedit.types import Box, Record, Sample

NAME = "ChestX-ray14"
TABLES = ("Data_Entry_2017_v2020", "Data_Entry_2017")  # the later one is preferred
SPLITS = {"train_val": "train_val_list.txt", "test": "test_list.txt"}
FINDINGS = {  # published name → ours, in the order of Appendix A
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Consolidation": "consolidation",
    "Edema": "oedema",
    "Effusion": "effusion",
    "Emphysema": "emphysema",
    "Fibrosis": "fibrosis",
    "Hernia": "hernia",
    "Infiltration": "infiltration",
    "Mass": "mass",
    "No Finding": "no_finding",
    "Nodule": "nodule",
    "Pleural_Thickening": "pleural_thickening",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
}
BOXED = FINDINGS | {"Infiltrate": "infiltration"}  # the boxes' own name for it
FILE = re.compile(r"(\d{8})_\d{3}\.png")
AGE = re.compile(r"0*(\d+)([YMD]?)")
OLDEST = 120  # years; the first table has ages above 400
BOX_SIDE = 1024  # px of the image that boxes are measured on


class ChestXray14(ImageFiles):
    """Images with labels and, where there are some, boxes.

    Args:
        root: The folder with `Data_Entry_2017_v2020.csv` or `Data_Entry_2017.csv`.
        split: Official splits to keep (`train_val`, `test`), one or several; all where None. The paper names none.
        check_files: See `ImageFiles`.

    Raises:
        FileNotFoundError: If the folder, a table, a list that `split` needs, or images are missing.
        ValueError: If a table is another one, a label is unknown, a file is not of its row's patient, or see
            `ImageFiles`.
    """

    def __init__(self, root: str | Path, *, split: str | Sequence[str] | None = None, check_files: bool = True) -> None:
        folder = set_root(NAME, root)
        wanted = [] if split is None else [split] if isinstance(split, str) else list(split)
        check_option("split", wanted, list(SPLITS))
        table, boxes, splits = _table(folder), _boxes(folder), _splits(folder, wanted)
        images = _images(folder)
        excluded: Counter[str] = Counter()
        radiographs = []
        for line, row in table.rows:
            file, place = row["Image Index"], f"{table.path}, line {line}"
            its_split = splits.get(file, "")
            if wanted and its_split not in wanted:
                excluded[f"split {its_split}" if its_split else "in no official split"] += 1
                continue
            attributes = {
                "source": NAME,
                "view": row["View Position"],
                "split": its_split,
                "sex": row.get("Patient Sex") or row.get("Patient Gender", ""),
                "age": _age(row["Patient Age"], place),
            }
            patient = _patient(file, row["Patient ID"], place)
            record = Record(file, patient, _labels(row["Finding Labels"], place), attributes=attributes)
            radiographs.append(ImageFile(record, images.get(file, folder / "images" / file), boxes=boxes.get(file, {})))
        super().__init__(NAME, folder, radiographs, excluded=excluded, check_files=check_files)

    def load(self, record: Record) -> Sample:
        """Read one record's pixels, and its boxes in pixels of the file, also where that is a resized copy.

        Raises:
            ValueError: If the record is not of this set, its file cannot be read, or it has boxes and is not square.
        """
        sample = super().load(record)
        height, width = sample.image.shape[-2:]
        if not sample.boxes or height == width == BOX_SIDE:
            return sample
        if height != width:
            raise ValueError(
                f"{NAME}, record {record.id!r}: the image is {width}×{height}, but its boxes are for a square one. "
                "Take the published file, 1024×1024, or one resized from it as a whole."
            )
        scale = width / BOX_SIDE
        boxes = {name: [Box(*(scale * side for side in box)) for box in drawn] for name, drawn in sample.boxes.items()}
        return replace(sample, boxes=boxes)


def _table(root: Path) -> Table:
    path = find_table([root], *TABLES)
    if path is None:
        raise not_found(NAME, root, [f"{name}.csv" for name in TABLES], "root is the folder of this table.")
    table = read_table(path)
    table.require(["Image Index", "Finding Labels", "Patient ID", "Patient Age", "View Position"], "ChestX-ray14")
    if not {"Patient Sex", "Patient Gender"} & set(table.columns):
        table.require(["Patient Sex"], "ChestX-ray14 (or 'Patient Gender')")
    return table


def _images(root: Path) -> dict[str, Path]:
    folders = [root / "images", *sorted(root.glob("images_*/images")), *sorted(root.glob("images_*"))]
    return {path.name: path for folder in reversed(folders) if folder.is_dir() for path in folder.glob("*.png")}


def _patient(file: str, patient: str, place: str) -> str:
    found = FILE.fullmatch(file)
    if not found or not patient.isdecimal() or int(found[1]) != int(patient):
        raise ValueError(
            f"{place}: image {file!r} of patient {patient!r}. Allowed are files like 00099001_004.png, which begin "
            "with their patient's number in 8 digits. Has a column moved?"
        )
    return str(int(patient))


def _labels(listed: str, place: str) -> dict[str, int]:
    names = [name.strip() for name in listed.split("|")]
    if unknown := [name for name in names if name not in FINDINGS]:
        raise ValueError(f"{place}: finding {unknown[0]!r}. Allowed, joined by |, are {', '.join(FINDINGS)}.")
    return {finding: int(name in names) for name, finding in FINDINGS.items()}


def _age(age: str, place: str) -> str:
    """Years, from a number or a DICOM age (`058Y`, `003M`); nothing where it is impossible."""
    found = AGE.fullmatch(age)
    if not found:
        raise ValueError(f"{place}: age {age!r}. Allowed are years (58) and DICOM ages (058Y, 003M, 010D).")
    years = int(found[1]) // {"Y": 1, "": 1, "M": 12, "D": 365}[found[2]]
    return str(years) if years <= OLDEST else ""


def _splits(root: Path, wanted: Sequence[str]) -> dict[str, str]:
    splits: dict[str, str] = {}
    for split, name in SPLITS.items():
        path = root / name
        if not path.is_file():
            if wanted:
                raise not_found(NAME, root, [name], f"split={list(wanted)} needs the official lists.")
            continue
        for file in path.read_text().split():
            if splits.setdefault(file, split) != split:
                raise ValueError(f"{path}: {file} is also in {SPLITS[splits[file]]}. Is one a copy of the other?")
    return splits


def _boxes(root: Path) -> Mapping[str, Mapping[str, Sequence[Box]]]:
    path = find_table([root], "BBox_List_2017")
    if path is None:
        return {}
    table = read_table(path)
    corner, y, width, height = "Bbox [x", "y", "w", "h]"  # the commas in `Bbox [x,y,w,h]` part it into four columns
    table.require(["Image Index", "Finding Label", corner, y, width, height], "the boxes of ChestX-ray14")
    boxes: dict[str, dict[str, list[Box]]] = {}
    for line, row in table.rows:
        label = row["Finding Label"]
        if label not in BOXED:
            raise ValueError(f"{path}, line {line}: finding {label!r}. Allowed are {', '.join(BOXED)}.")
        try:
            box = Box(*(float(row[column]) for column in (corner, y, width, height)))
        except ValueError as error:
            raise ValueError(f"{path}, line {line}: a box of {error}. Allowed are four numbers, px.") from error
        boxes.setdefault(row["Image Index"], {}).setdefault(BOXED[label], []).append(box)
    return boxes
