"""Where CheXpert's images are, and which of them are frontal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

SPLITS = ("train", "valid")
PATH = re.compile(
    r"(?:CheXpert-v1\.0(?:-small)?/)?(?P<split>train|valid)/(?P<patient>patient\d+)/(?P<study>study\d+)/"
    r"(?P<stem>view\d+_(?:frontal|lateral))\.\w+"
)


class ImagePath(NamedTuple):
    """What an image's path holds, without the release's prefix."""

    split: str
    patient: str
    study: str
    stem: str

    @classmethod
    def parse(cls, path: str, place: str) -> ImagePath:
        """Read a path as the tables have it.

        Raises:
            ValueError: If it is no path of CheXpert; begins with `place`.
        """
        found = PATH.fullmatch(path)
        if not found:
            raise ValueError(
                f"{place}: {path!r} is no path of CheXpert. Allowed are those like "
                "CheXpert-v1.0/train/patient00001/study1/view1_frontal.jpg, with the prefix or without."
            )
        return cls(**found.groupdict())

    @property
    def id(self) -> str:
        """Without prefix and suffix, so that all releases name an image alike."""
        return f"{self.split}/{self.patient}/{self.study}/{self.stem}"

    def below(self, root: Path, patients: Mapping[str, Path], suffix: str) -> Path:
        """The file; where the patient has no folder, the place that it should have."""
        patient = f"{self.split}/{self.patient}"
        return patients.get(patient, root / patient) / f"{self.study}/{self.stem}{suffix}"


def subfolders(root: Path) -> list[Path]:
    """The root and the folders in it: CheXpert is downloaded in batches, and not every batch holds `train/`."""
    return [root, *sorted(path for path in root.iterdir() if path.is_dir() and path.name not in SPLITS)]


def patient_folders(root: Path) -> dict[str, Path]:
    """`train/patient00001` → its folder, in whichever batch it is.

    Batch 1 holds `valid/`; batches 2 to 4 hold the training patients, without a `train/` around them.
    """
    found: dict[str, Path] = {}
    for folder in subfolders(root):
        for split, inside in (("train", folder / "train"), ("valid", folder / "valid"), ("train", folder)):
            for patient in inside.glob("patient*"):
                found.setdefault(f"{split}/{patient.name}", patient)
    return found


def why_not_frontal(projection: str, view: str, *, frontal_only: bool, strict_views: bool) -> str | None:
    """Why an image is left out by its view; None if it stays.

    Args:
        projection: `Frontal` or `Lateral`.
        view: AP, PA, or something else; among 191,027 frontal images of the training set, 17 are LL or RL.
        frontal_only: Whether laterals are left out.
        strict_views: Whether frontal images must be AP or PA.
    """
    if projection != "Frontal":
        return "not frontal" if frontal_only else None
    return f"frontal, but {view or 'neither AP nor PA'}" if strict_views and view not in ("AP", "PA") else None
