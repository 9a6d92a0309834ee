"""The key to blinded images: which one shows what. A person who has it is not blind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from radedit.data.blinded.dicom_write import WHITE
from radedit.data.io.fingerprint import content_hash
from radedit.data.io.json_lines import parse_json

EXPORT, DIGITS = "export", 12  # column of the table to fill that names the export, and how much of its hash


@dataclass(frozen=True)
class Item:
    """One image that was given away.

    Attributes:
        id: Patient ID, accession number, and name of the file.
        file: Relative to the folder that was given away.
        uid, study_uid: SOP Instance UID and Study Instance UID; empty where it is no DICOM file.
        digest: Of its pixels, see `digest_of`.
        shows: Sets of the stress test, such as `edit` → records that this is the image of. Equal images are given away
            once.
    """

    id: str
    file: str
    uid: str
    study_uid: str
    digest: str
    shows: Mapping[str, list[str]]

    @property
    def names(self) -> set[str]:
        """By which a product may call it."""
        return {self.id, self.file, Path(self.file).name, self.uid, self.study_uid} - {""}


@dataclass(frozen=True)
class Key:
    """What was given away, and of which stress test.

    Attributes:
        scenario: Its name.
        stress_set: Hash of the set.
        size: Side of the images, px.
        seed: Of the order.
        items: In the order of their ids.
    """

    scenario: str
    stress_set: str
    size: int
    seed: int
    items: list[Item]

    @property
    def hash(self) -> str:
        """Names the export."""
        return content_hash(asdict(self))


def digest_of(image: Tensor) -> str:
    """SHA-256 of an image's pixels in 16 bits, shape (1, H, W) in [0, 1]."""
    return hashlib.sha256(levels_of(image).tobytes()).hexdigest()


def levels_of(image: Tensor) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """Pixels as they are written, 0…65535, shape (H, W)."""
    return np.rint(image[0].detach().cpu().double().numpy() * WHITE).astype("<u2")


def key_text(key: Key, about: Mapping[str, Any]) -> bytes:
    """The key as JSON; `about` is provenance, which is not part of its hash."""
    return (json.dumps({"export": key.hash, **asdict(key), "about": dict(about)}, indent=1) + "\n").encode()


def read_key(file: Path) -> Key:
    """Read a key.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no key, or was changed since it was written.
    """
    if not file.is_file():
        raise FileNotFoundError(f"There is no key {file}. radedit export wrote it: key=…/key.json.")
    found = parse_json(file.read_text(encoding="utf-8"), file)
    try:
        about = {name: found[name] for name in ("scenario", "stress_set", "size", "seed")}
        key, named = Key(items=[Item(**item) for item in found["items"]], **about), str(found["export"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{file} is no key of an export: {error}. Expected the key.json of radedit export.") from None
    if key.hash != named:
        raise ValueError(f"{file} does not fit its own hash {named[:12]}: it was changed. Export with the same words.")
    return key
