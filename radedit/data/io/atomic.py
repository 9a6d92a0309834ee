"""Files that are either whole or absent, however a run ends."""

from __future__ import annotations

import errno
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TEMPORARY_SUFFIX = ".tmp"
FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the quota is used up", errno.EFBIG: "it would be too large"}


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file so that a dataset, or a run killed half-way, never sees part of it.

    Args:
        path: Where to write; its folder must exist. An older file of that name is replaced.
        content: All of the file's bytes.

    Raises:
        OSError: If it can't be written; for a full disk the message has a remedy.
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
    # In the same folder, so that replacing is a rename. Processes of two machines may have one number.
    shortened = path.name.encode()[:100].decode(errors="ignore")  # with what follows, no name may have 255 bytes
    temporary = path.with_name(f".{shortened}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # else a power cut can keep the new name and lose the bytes
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno not in FULL:
            raise
        raise disk_full(path, error) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def is_temporary(path: Path) -> bool:
    """Whether a file was on its way to its place, by its name."""
    return re.fullmatch(rf"\..+\.\d+(-[0-9a-f]{{8}})?{re.escape(TEMPORARY_SUFFIX)}", path.name) is not None


def remove_leftovers(folder: Path, *, older_than_s: float | None = None) -> None:
    """Remove what killed runs were writing.

    Args:
        folder: With all folders in it.
        older_than_s: Leave what was written to since, seconds; None only where no other process writes the folder.
    """
    for leftover in filter(is_temporary, folder.rglob(f".*{TEMPORARY_SUFFIX}")):
        with suppress(FileNotFoundError):  # another process has just put it in its place, or removed it
            if older_than_s is None or time.time() - leftover.stat().st_mtime > older_than_s:
                leftover.unlink()


def disk_full(path: Path, error: OSError) -> OSError:
    """An error that names the file which found no room, and the remedy."""
    reason = FULL.get(error.errno or 0, error.strerror)
    return OSError(
        error.errno, f"{reason}, so this file was not written. What is finished is kept: make room, and run the same "
        "again", str(path),
    )  # fmt: skip
