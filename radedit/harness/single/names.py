"""Names of outputs: a file may be called after a patient."""

from __future__ import annotations

import re
from pathlib import Path

from radedit.data.io.accents import composed
from radedit.data.io.provenance import sha256_of

MODES = ("auto", "file", "content")
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".dcm", ".dicom"}
# Words of file names that are no person's; sub, ses, run, bp and vp are of BIDS
PLAIN = frozenset(
    re.findall(
        r"\w+",
        """
    image img picture pic scan radiograph xray xr cxr chest thorax lung lungs frontal lateral pa ap view dicom dcm cr
    dx dr png jpg jpeg study series instance acquisition patient subject sub ses session run bp vp record id
    phantom source original edit edited keep mask synthetic test train example sample left right upright supine
    normal abnormal healthy covid drain effusion pacemaker pneumonia pneumothorax
    """,
    )
)
# UUIDs, and identifiers of eight hexadecimal digits and more that are no word
DIGEST = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<![^\W_])(?=[a-f]*\d)[0-9a-f]{8,}(?![^\W_])")


def stem(path: Path) -> str:
    """The name without a picture's extension; other dots are part of it, as in UIDs that name DICOM files."""
    return composed(path.stem if path.suffix.lower() in IMAGE_SUFFIXES else path.name)


def may_be_a_persons(name: str) -> bool:
    """Whether a name has a word that radiographs are not commonly called by, so that it may be a person's name.

    Numbers, single letters of ASCII and identifiers are no words.
    """
    words = re.findall(r"[^\W\d_]+", DIGEST.sub(" ", name.lower()))
    return any(word not in PLAIN and not (len(word) == 1 and word.isascii()) for word in words)


def shows(path: Path, mode: str) -> bool:
    """Whether outputs may bear the name of a file.

    Args:
        path: The file.
        mode: "file" shows names, "content" none, and "auto" those that are not a person's.
    """
    return mode == "file" or (mode == "auto" and not may_be_a_persons(stem(path)))


def id_of(path: Path, mode: str) -> str:
    """What an image and its outputs are called: its file's name, or a name that is made of the file's content.

    Raises:
        OSError: If the file can't be read.
    """
    return stem(path) if shows(path, mode) else f"image-{sha256_of(path)[:12]}"


def check_names(mode: str) -> None:
    """Raise a `ValueError` for a mode that is not allowed."""
    if mode not in MODES:
        raise ValueError(f"names is {mode!r}; allowed are {', '.join(MODES)}.")
