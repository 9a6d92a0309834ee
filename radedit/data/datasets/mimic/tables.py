"""The tables of MIMIC-CXR-JPG: which images there are, their views, official splits and labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from radedit.data.datasets.chexpert.labels import FINDINGS, read_labels
from radedit.data.io.table import Table, read_table
from radedit.data.layouts.roots import find_table, not_found

NAME = "MIMIC-CXR"
SPLITS = ("train", "validate", "test")
FRONTAL_RULES = ("viewposition", "viewcode")
VIEW_CODES = {"postero-anterior": "PA", "antero-posterior": "AP"}
TEST_LABELS = "mimic-cxr-2.1.0-test-set-labeled"
TEST_COLUMNS = {"Airspace Opacity" if name == "Lung Opacity" else name: ours for name, ours in FINDINGS.items()}


class MimicImage(NamedTuple):
    """One row of the metadata."""

    dicom_id: str
    patient_id: str
    study_id: str
    view: str

    @property
    def study(self) -> str:
        """The study's folder below the root; its report is beside it, as `.txt`."""
        return f"files/p{self.patient_id[:2]}/p{self.patient_id}/s{self.study_id}"


class StudyLabels(NamedTuple):
    """What a study was labelled with, and whose labels these are."""

    source: str
    labels: dict[str, int]


@dataclass(frozen=True)
class MimicTables:
    """The tables, read one by one when they are needed.

    Args:
        folders: Where they are looked for, with `.gz` or without.
        excluded: Reason → number of images; counted up here.
    """

    folders: Sequence[Path]
    excluded: Counter[str]

    def frontal(self, rule: str) -> list[MimicImage]:
        """Images whose ViewPosition is AP or PA; by the rule `viewcode`, where it is blank, those whose code is."""
        needed = ["dicom_id", "subject_id", "study_id", "ViewPosition", "ViewCodeSequence_CodeMeaning"]
        table = self._read("mimic-cxr-2.0.0-metadata", needed, "the metadata")
        images = []
        for _, row in table.rows:
            view = row["ViewPosition"]
            if rule == "viewcode" and not view:
                view = VIEW_CODES.get(row["ViewCodeSequence_CodeMeaning"], "")
            if view in VIEW_CODES.values():
                images.append(MimicImage(row["dicom_id"], row["subject_id"], row["study_id"], view))
            else:
                self.excluded[f"not frontal (ViewPosition {view or 'blank'})"] += 1
        return images

    def downloaded(self, images: list[MimicImage]) -> list[MimicImage]:
        """Images on the list that images are downloaded by, if there is one: users shorten it to download a part."""
        listing = next((path for folder in self.folders if (path := folder / "IMAGE_FILENAMES").is_file()), None)
        if listing is None:
            return images
        listed = {Path(line).stem for line in listing.read_text().splitlines()}
        left = [image for image in images if image.dicom_id in listed]
        if len(left) < len(images):
            self.excluded["not in IMAGE_FILENAMES"] += len(images) - len(left)
        return left

    def splits(self) -> dict[str, str]:
        """Image → official split."""
        table = self._read("mimic-cxr-2.0.0-split", ["dicom_id", "split"], "the official splits")
        splits = {}
        for line, row in table.rows:
            if row["split"] not in SPLITS:
                raise ValueError(f"{table.path}, line {line}: split {row['split']!r}. Allowed are {', '.join(SPLITS)}.")
            splits[row["dicom_id"]] = row["split"]
        return splits

    def labels(self, whose: str, uncertain: str) -> dict[str, StudyLabels]:
        """Study → its labels: `whose` (chexpert or negbio), or the radiologists' where it is of the labelled test set.

        Studies without labels are absent.
        """
        read = self._labels(f"mimic-cxr-2.0.0-{whose}", whose, FINDINGS, uncertain)
        if find_table(self.folders, TEST_LABELS):
            read |= self._labels(TEST_LABELS, "radiologist", TEST_COLUMNS, uncertain)
        return read

    def _labels(self, name: str, source: str, columns: Mapping[str, str], uncertain: str) -> dict[str, StudyLabels]:
        table = self._read(name, ["study_id", *columns], f"the labels ({source})")
        return {
            row["study_id"]: StudyLabels(source, read_labels(row, uncertain, f"{table.path}, line {line}", columns))
            for line, row in table.rows
        }

    def _read(self, name: str, columns: Sequence[str], what: str) -> Table:
        path = find_table(self.folders, name)
        if path is None:
            raise not_found(
                NAME,
                self.folders[0],
                [f"{name}.csv.gz", f"{name}.csv"],
                "root is the folder that holds files/. MIMIC-CXR as DICOM lacks this table: name the folder of "
                "MIMIC-CXR-JPG's tables in tables=….",
            )
        return read_table(path, columns, what)
