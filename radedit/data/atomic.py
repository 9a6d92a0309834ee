"""Files that are either whole or absent, however a run ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY_SUFFIX = ".tmp"


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file so that a reader, or a run killed half-way, never sees part of it.

    Args:
        path: Where to write; its folder must exist. An older file of that name is replaced.
        content: All of the file's bytes.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A path to write to, whose file takes the place of `path` at the end, for files that are written bit by bit.

    Args:
        path: As for `write_atomically`. Nothing is left if an error ends the writing.
    """
    path = Path(path)
    # In the same folder, so that replacing is a rename.
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # else a power cut can keep the new name and lose the bytes
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
