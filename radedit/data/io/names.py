"""Names that were read from a file and are to become a part of a path or a text of ours."""

from __future__ import annotations

import re
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
DIGEST = re.compile(r"[0-9a-f]{6,64}")


def capitalized(text: str) -> str:
    """The text with its first letter large and the rest as it is; an empty one stays empty."""
    return text[:1].upper() + text[1:]


def checked_name(name: object, what: str) -> str:
    """A name that stays in the folder it is put into.

    Args:
        name: As read.
        what: It is, with its file, for the error.

    Raises:
        ValueError: If it is anything else.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name) or ".." in name:
        raise ValueError(
            f"{what} is {str(name)[:80]!r}, which can't name a file. Allowed are up to 100 letters, digits, '.', '_' "
            "and '-', beginning with a letter or digit. The file was not written by radedit, or was changed since."
        )
    return name


def checked_digest(digest: object, what: str) -> str:
    """A checksum, or the beginning of one, in small hexadecimal digits.

    Raises:
        ValueError: If it is anything else.
    """
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise ValueError(f"{what} is {str(digest)[:80]!r}; expected a hash of 6 to 64 hexadecimal digits (0-9, a-f).")
    return digest


def inside(folder: Path, path: object, what: str) -> Path:
    """A file of a folder, by a path that was read and that may neither leave it nor be a link that does.

    Args:
        folder: That it must be in.
        path: Relative to it.
        what: Names it, for the error.

    Raises:
        ValueError: If it leads out of the folder.
    """
    file = folder / str(path)
    if not isinstance(path, str) or "\0" in path or not file.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{what} is {str(path)[:80]!r}, which is not in {folder}. Paths are relative to that folder.")
    return file
