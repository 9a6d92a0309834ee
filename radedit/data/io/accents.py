"""Names of files as people read them, however their accents are written."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Literal

FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")  # as Linux and Windows write é, and as macOS does


def composed(name: str) -> str:
    """A name in Unicode's composed form, in which names that look the same are the same."""
    return unicodedata.normalize("NFC", name)


def is_printable(name: str) -> bool:
    """Whether a name can stand in tables, reports and names of files: no line breaks and the like, no dots alone."""
    return name.isprintable() and bool(name.strip("."))


def find_file(path: str | Path) -> Path:
    """The file or folder that a path means.

    That is the path itself, or where there is no such file, one whose name differs in how accents are written. Where
    there is neither, it is the path as it stands.
    """
    path = Path(path)
    if str(path).isascii() or path.exists() or path.parent == path:
        return path
    folder = find_file(path.parent)
    spelled = (folder / unicodedata.normalize(form, path.name) for form in FORMS)
    return next((found for found in spelled if found.exists()), path)
