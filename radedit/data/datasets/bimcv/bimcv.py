"""BIMCV-COVID19+ and BIMCV-COVID19−, the releases of the Valencian Region themselves, without boxes.

The paper's BIMCV± has labels and boxes of the SIIM-FISABIO-RSNA challenge: see `siim_fisabio_rsna` beside this file.

Licence: a research use agreement; no copies of any portion (clause 5), no derivative works but models (clause 6), so
edited images must not be published. Access: https://bimcv.cipf.es/bimcv-projects/bimcv-covid19/. Folder, one release:

    sub-S03099/ses-E06999/mod-rx/sub-S03099_ses-E06999_run-1_bp-chest_vp-pa_dx.png    16 bits, as stored
    sub-S03099/ses-E06999/mod-rx/sub-S03099_ses-E06999_run-1_bp-chest_vp-pa_dx.json   its DICOM header
    sub-S03099/sub-S03099_sessions.tsv   session_id, study_date, medical_evaluation
    participants.tsv                     participant, modality_dicom, age, gender
    derivatives/labels/<labels>.tsv      PatientID, ReportID, Labels, …

wherever in the folder these lie.
"""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from radedit.data.datasets.bimcv.files import Sidecar, list_cell, read_tsv
from radedit.data.image.dicom import DicomError, show
from radedit.data.image.files import LoadedImage
from radedit.data.image.raster import open_header
from radedit.data.layouts.image_files import ImageFile, ImageFiles
from radedit.types import Record

logger = logging.getLogger(__name__)

NAME = "BIMCV-COVID19"
COVID = {"positive": 1, "negative": 0}
UNKNOWN = "unknown"
FINDINGS = {  # of reports, in PadChest's words
    "normal": "no_finding",
    "pneumothorax": "pneumothorax",
    "consolidation": "consolidation",
    "cardiomegaly": "cardiomegaly",
    "pleural effusion": "effusion",
    "atelectasis": "atelectasis",
    "infiltrates": "infiltration",
    "pacemaker": "pacemaker",
    "chest drain tube": "drain",
}
VIEWS = {"LL": "LATERAL", "RL": "LATERAL", "LAT": "LATERAL", "LATERAL": "LATERAL", "PA": "PA", "AP": "AP"}


class Bimcv(ImageFiles):
    """Radiographs of one release.

    The label `covid` is the release's: of the positive one, every patient had a positive test at some time, which does
    not say that this image shows disease. Findings listed in the session's report are 1, others were not read; the
    attribute `findings` has all of them in the report's own words. Reports are Spanish and left out.

    Args:
        root: Folder of one release.
        release: "positive" or "negative"; found in the names of the labels' table and the folder where None.
        views: Kept ones, of PA, AP, LATERAL and unknown; all where empty. An image without a readable JSON has an
            unknown view, and it is unknown whether it is to be inverted.
        check_files: See `ImageFiles`. Images are found in the folder, so that none is missing; sessions of the labels'
            table without any are warned of.

    Raises:
        FileNotFoundError: If there is no table of labels.
        ValueError: If a table can't be read, the release can't be found, or no image is left.

    Note:
        Some images named `vp-pa` are lateral; which ones is not published.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        release: str | None = None,
        views: Sequence[str] = ("PA", "AP"),
        check_files: bool = True,
    ) -> None:
        root = Path(root)
        images, tables = _find(root)
        labels = _labels_table(root, tables)
        release = release or _release(root, labels)
        if release not in COVID:
            raise ValueError(f"release is {release!r}. Allowed are {', '.join(COVID)}.")
        findings = {row["ReportID"]: list_cell(row["Labels"]) for row in _read(labels, "ReportID", "Labels")}
        people = {
            row["participant"]: row
            for row in (_read(tables["participants.tsv"], "participant") if "participants.tsv" in tables else [])
            if row["participant"].startswith("sub-")
        }
        dates = _dates(tables)
        excluded: Counter[str] = Counter()
        radiographs, sessions = [], set()
        for path in images:
            entities = _entities(path.stem)
            session = f"ses-{entities.get('ses', '')}"
            sessions.add(session)
            sidecar = Sidecar.beside(path)
            view = _view(entities, sidecar)
            if entities.get("bp", "chest") != "chest":
                excluded[f"of the {entities['bp']}"] += 1
            elif views and view not in views:
                excluded[f"view is {view}"] += 1
            else:
                radiographs.append(_image(path, entities, session, view, release, sidecar, findings, people, dates))
        if lacking := sorted(set(findings) - sessions):
            logger.warning(
                "%s: %d of %d sessions of %s have no radiograph here, such as %s: they are CTs, or not downloaded.",
                NAME, len(lacking), len(findings), labels.name, lacking[0],
            )  # fmt: skip
        about = {"release": release, "views": list(views)}
        super().__init__(NAME, root, radiographs, excluded=excluded, about=about, check_files=check_files)

    def read(self, radiograph: ImageFile) -> LoadedImage:
        """Stored values through rescale, then LUT or window, then the inversion of MONOCHROME1; see `data.dicom`."""
        try:
            with open_header(radiograph.image) as image:
                stored = np.asarray(image)
        except Exception as error:  # Pillow reports damage as OSError, SyntaxError, struct.error and more
            raise ValueError(f"{radiograph.image} cannot be read as a picture: {error}. Fetch it again.") from error
        if stored.ndim != 2 or stored.min() == stored.max():
            raise ValueError(
                f"{radiograph.image} is no radiograph: it is in colour, or of one grey level. Fetch it again."
            )
        sidecar = Sidecar.beside(radiograph.image)
        try:
            grey, notes = show(stored, (sidecar or Sidecar({})).dataset())
        except DicomError as error:
            raise DicomError(f"{radiograph.image}: {error}") from error
        notes += [] if sidecar else ["no readable JSON: taken as MONOCHROME2 without a window"]
        return LoadedImage(torch.from_numpy(grey)[None], notes)


def _image(
    path: Path,
    entities: Mapping[str, str],
    session: str,
    view: str,
    release: str,
    sidecar: Sidecar | None,
    findings: Mapping[str, Sequence[str]],
    people: Mapping[str, Mapping[str, str]],
    dates: Mapping[str, str],
) -> ImageFile:
    patient = f"sub-{entities['sub']}"
    person = people.get(patient, {})
    words = findings.get(session, [])
    labels = {"covid": COVID[release]} | {FINDINGS[word]: 1 for word in words if word in FINDINGS}
    attributes = {
        "source": NAME,
        "release": release,
        "view": view,
        "modality": entities.get("", "").upper(),
        "sex": {"None": ""}.get(person.get("gender", ""), person.get("gender", ""))
        or (sidecar.text("00100040") if sidecar else ""),
        "age": next(iter(list_cell(person.get("age", ""))), ""),
        "study_id": session,
        "study_date": dates.get(session, ""),
        "findings": "|".join(words),
    }
    return ImageFile(Record(path.stem, patient, labels, "", attributes), path)


def _find(root: Path) -> tuple[list[Path], dict[str, Path]]:
    """Radiographs, and tables by name, wherever the archives were unpacked."""
    images: list[Path] = []
    tables: dict[str, Path] = {}
    for folder, _, names in os.walk(root):
        for name in names:
            if name.startswith("sub-") and name.endswith(".png"):
                images.append(Path(folder) / name)
            elif name.endswith(".tsv"):
                tables[name] = Path(folder) / name
    return sorted(images), tables


def _labels_table(root: Path, tables: Mapping[str, Path]) -> Path:
    found = [path for name, path in sorted(tables.items()) if name.lower().startswith("labels")]
    if not found:
        raise FileNotFoundError(
            f"There is no table labels….tsv in {root} or below. Unpack the archive of derivatives (head) there, too."
        )
    if len(found) > 1:
        raise ValueError(
            f"{root} has {len(found)} tables of labels: {', '.join(path.name for path in found)}. Name the folder of "
            "one release, and leave its newest table in it."
        )
    return found[0]


def _release(root: Path, labels: Path) -> str:
    """By the names that its files were published under; iterations 1 to 3 together are of the positive one only."""
    for name in (labels.stem.lower(), root.name.lower()):
        if re.search(r"neg|-$", name):
            return "negative"
        if re.search(r"posi|_123|\+$", name):
            return "positive"
    raise ValueError(
        f"Neither {labels.name} nor {root.name} says which release this is. Say release=positive or negative."
    )


def _read(path: Path, *columns: str) -> list[dict[str, str]]:
    rows = read_tsv(path)
    if not rows or not set(columns) <= set(rows[0]):
        raise ValueError(f"{path} is empty or lacks one of the columns {', '.join(columns)}. Fetch it again.")
    return rows


def _dates(tables: Mapping[str, Path]) -> dict[str, str]:
    """Session → the day of the study, yyyymmdd."""
    paths = [path for name, path in tables.items() if name.endswith("_sessions.tsv")]
    return {row["session_id"]: row["study_date"] for path in paths for row in _read(path, "session_id", "study_date")}


def _entities(stem: str) -> dict[str, str]:
    """Of `sub-S1_ses-E1_run-1_vp-pa_dx`: what follows each key; the suffix under the empty one."""
    parts = (part.partition("-") for part in stem.split("_"))
    return {key if dash else "": value if dash else key for key, dash, value in parts}


def _view(entities: Mapping[str, str], sidecar: Sidecar | None) -> str:
    if sidecar is None:
        return UNKNOWN
    words = [entities.get("vp", ""), *re.split(r"[^A-Za-z]+", sidecar.text("0008103E"))]  # of the series, in Spanish
    return next((VIEWS[word.upper()] for word in words if word.upper() in VIEWS), UNKNOWN)
