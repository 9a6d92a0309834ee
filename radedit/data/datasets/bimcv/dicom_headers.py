"""What DICOM headers say of patients, read once and kept in a small table."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pydicom

from radedit.data.io.table import read_table, write_table

logger = logging.getLogger(__name__)

TAGS = ("PatientID", "PatientSex", "ViewPosition")
COLUMNS = ("image_id", "bytes", "patient", "sex", "view")


class Header(NamedTuple):
    """PatientID, PatientSex and ViewPosition; empty where the file lacks it."""

    patient: str = ""
    sex: str = ""
    view: str = ""


class DicomHeaders:
    """Headers of a set's images, kept in a table.

    Args:
        index: The table, a CSV file; made if missing.
        root: Folder of the set, which is never written to.

    Raises:
        ValueError: If `index` lies in `root`.
    """

    def __init__(self, index: Path, root: Path) -> None:
        if index.resolve().is_relative_to(root.resolve()):
            raise ValueError(f"index {index} lies in the data set {root}, which is never written to. Name another.")
        self.index = index

    def read(self, files: Mapping[str, Path]) -> dict[str, Header]:
        """Image → its header; without those of files that can't be read, which are tried again the next time.

        A header is taken from the table if the file has as many bytes as when it was read.
        """
        kept = {}
        if self.index.is_file():
            table = read_table(self.index)
            table.require(COLUMNS, "the index of headers")
            kept = {row.cells["image_id"]: [row.cells[name] for name in COLUMNS[1:]] for row in table.rows}
        headers, added = {}, 0
        for image, path in files.items():
            size = str(path.stat().st_size)
            if image not in kept or kept[image][0] != size:
                header = _header(path)
                if header is None:
                    continue
                kept[image] = [size, *header]
                added += 1
            headers[image] = Header(*kept[image][1:])
        if added:
            self.index.parent.mkdir(parents=True, exist_ok=True)
            rows = [dict(zip(COLUMNS, [image, *cells], strict=True)) for image, cells in kept.items()]
            write_table(self.index, COLUMNS, rows)
            logger.info("Read %d headers into %s", added, self.index)
        return headers


def _header(path: Path) -> Header | None:
    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(TAGS))
        return Header(*(str(dataset.get(tag, "") or "").strip() for tag in TAGS))
    except Exception as error:  # pydicom parses as it goes, so damage comes up anywhere, as anything
        logger.warning("%s: its header can't be read: %s", path, error)
        return None
