"""The reports of MIMIC-CXR, cut into sections, from wherever and however they were unpacked."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from radedit.data.io.fingerprint import content_hash
from radedit.data.io.table import read_table, write_table
from radedit.data.layouts.impressions import SECTIONS, sections
from radedit.data.layouts.roots import find_table

logger = logging.getLogger(__name__)

Sectioned = dict[str, dict[str, str]]  # study id, without `s` → sections
TABLE = "mimic_cxr_sectioned"  # what the makers' create_section_files.py writes, and we keep
ARCHIVE = "mimic-cxr-reports"
RULES = 1  # raise it when radedit.data.layouts.impressions.sections finds something else, so that no old table is read
THREADS = 8  # 200,000 small files are a matter of waiting, on a network drive


def find_reports(folder: Path, places: Iterable[str]) -> Path | None:
    """The quickest source of reports in a folder: the makers' table, else unpacked texts, else the archive.

    Args:
        folder: Root of MIMIC-CXR or of MIMIC-CXR-JPG, or any folder that the archive was unpacked into.
        places: Some reports, such as `files/p10/p10999001/s50999001.txt`.
    """
    if table := find_table([folder], TABLE):
        return table
    places = list(places)
    for unpacked in (folder / ARCHIVE, folder):
        if any((unpacked / place).is_file() for place in places):
            return unpacked
    archive = folder / f"{ARCHIVE}.zip"
    return archive if archive.is_file() else None


def read_reports(source: Path, places: Mapping[str, str], cache: Path | None = None) -> Sectioned:
    """Sections of each study's report.

    A table is read in seconds. Texts are read one by one, once: with a `cache`, what was cut is kept there as a table
    like the makers', and later calls read only reports that it lacks. A report that was changed since goes unnoticed.

    Args:
        source: A table, an archive, or a folder that `places` are relative to.
        places: Study → its report.
        cache: Folder to keep the table in; it is kept nowhere where None.

    Returns:
        Study → those of `radedit.data.layouts.impressions.SECTIONS` that it has; without a report it is absent.

    Raises:
        ValueError: If the source is a file of another kind, a table of something else, or a damaged archive.
    """
    if source.name.endswith((".csv", ".csv.gz")):
        return _read_table(source)
    if source.is_file() and source.suffix != ".zip":
        raise ValueError(
            f"Reports {source} are a {source.suffix or 'file'}. Allowed are a folder, .zip, .csv, .csv.gz."
        )
    kept = cache / f"{TABLE}-{content_hash([source.resolve(), RULES])[:8]}.csv" if cache else None
    known = _read_table(kept) if kept and kept.is_file() else {}
    wanted = {study: place for study, place in places.items() if study not in known}
    if not wanted:
        return known
    logger.info("Reading %d reports of MIMIC-CXR from %s; kept in %s", len(wanted), source, kept or "no file")
    texts = _from_archive(source, wanted) if source.suffix == ".zip" else _from_folder(source, wanted)
    new = {study: sections(text.decode("utf-8", errors="replace")) for study, text in texts}
    known |= new
    if kept and new:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_table(kept, ["study", *SECTIONS], ({"study": f"s{study}"} | found for study, found in known.items()))
    return known


def _read_table(path: Path) -> Sectioned:
    table = read_table(path, ["study", *SECTIONS], "the sections of MIMIC-CXR's reports")
    return {
        cells["study"].removeprefix("s"): {name: cells[name] for name in SECTIONS if cells[name]}
        for _, cells in table.rows
    }


def _from_folder(folder: Path, places: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    def read(place: str) -> bytes | None:
        path = folder / place
        return path.read_bytes() if path.is_file() else None

    with ThreadPoolExecutor(THREADS) as pool:
        for study, text in zip(places, pool.map(read, places.values()), strict=True):
            if text is not None:
                yield study, text


def _from_archive(archive: Path, places: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(archive) as file:
            members = {PurePosixPath(member).name: member for member in file.namelist()}
            for study, place in places.items():
                if member := members.get(PurePosixPath(place).name):
                    yield study, file.read(member)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{archive} cannot be read: {error}. The download may be incomplete.") from error
