"""The headers of many DICOM files, read once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pydicom

from radedit.data.io.table import read_table, write_table

logger = logging.getLogger(__name__)

N_THREADS = 8  # a header is little work, but on a network drive a long wait


def read_tags(files: Mapping[str, Path], tags: Sequence[str], index: Path) -> dict[str, dict[str, str]]:
    """Elements of headers, kept in an index for the next time.

    A file that was replaced, by its size and time of change, is read again.

    Args:
        files: Image id → DICOM file.
        tags: Keywords of elements, such as PatientID.
        index: CSV file that is read, and written where it lacks files.

    Returns:
        Image id → keyword → text, empty where the header lacks it. A file that cannot be read is left out, with a
        warning in the log.
    """
    columns = ["id", "bytes", "changed_ns", *tags]
    known = _known(index, columns)
    stats = {image_id: path.stat() for image_id, path in files.items()}
    now = {image_id: (str(stat.st_size), str(stat.st_mtime_ns)) for image_id, stat in stats.items()}
    rows = {image_id: known[image_id] for image_id in files if _version(known.get(image_id)) == now[image_id]}
    new = [image_id for image_id in files if image_id not in rows]
    if new:
        logger.info("Reading the headers of %d DICOM files; they are kept in %s", len(new), index)
        with ThreadPoolExecutor(N_THREADS) as pool:
            headers = pool.map(lambda image_id: _header(files[image_id], tags), new)
            for image_id, header in zip(new, headers, strict=True):
                if header is not None:
                    rows[image_id] = dict(zip(columns, (image_id, *now[image_id]), strict=False)) | header
        index.parent.mkdir(parents=True, exist_ok=True)
        write_table(index, columns, rows.values())
    return {image_id: {tag: rows[image_id][tag] for tag in tags} for image_id in files if image_id in rows}


def _known(index: Path, columns: Sequence[str]) -> dict[str, dict[str, str]]:
    if not index.exists():
        return {}
    table = read_table(index)
    table.require(columns, "this version; delete the file")
    return {row.cells["id"]: row.cells for row in table.rows}


def _version(row: Mapping[str, str] | None) -> tuple[str, str] | None:
    return None if row is None else (row["bytes"], row["changed_ns"])


def _header(path: Path, tags: Sequence[str]) -> dict[str, str] | None:
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(tags), force=True)
        return {tag: " ".join(str(header.get(tag, "")).split()) for tag in tags}
    except Exception as error:  # pydicom parses as it goes, so damage comes up anywhere, as anything
        logger.warning("%s is left out, its header cannot be read: %s", path, error)
        return None
