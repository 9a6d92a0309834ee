"""Checksums beside what they are of, as `sha256sum` writes and checks them: damage is seen, and named."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from radedit.data.io.atomic import write_atomically
from radedit.data.io.file_hash import file_hashes

FILE = "SHA256SUMS"
SEAL = b"# sha256 "  # begins the last line of a sealed file


def digest_of(content: bytes) -> str:
    """SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def write_sums(path: Path, digests: Mapping[str, str]) -> None:
    """Write paths, relative to the file's folder or its parents as the dataset agrees, with their digests."""
    lines = [f"{digest}  {name}\n" for name, digest in sorted(digests.items())]
    write_atomically(path, "".join(lines).encode())


def read_sums(path: Path) -> dict[str, str]:
    """Path → digest, as `write_sums` wrote them.

    Raises:
        ValueError: If the file is damaged.
    """
    found: dict[str, str] = {}
    *lines, end = path.read_bytes().decode("utf-8", "replace").split("\n")
    for line in [*lines, *([end] if end else [])]:
        match = re.fullmatch(r"([0-9a-f]{64})  (.+)", line)
        if match is None or line is end:
            raise ValueError(f"{path} is damaged: {line[:80]!r} is no checksum with a path.")
        found[match[2]] = match[1]
    return found


def sums_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Digests of files of a folder."""
    paths = {name: folder / name for name in names}
    digests = file_hashes(paths.values(), "whole")
    return {name: digests[path] for name, path in paths.items()}


def damaged(folder: Path, sums: Mapping[str, str]) -> list[str]:
    """Files of a folder that are missing, or do not match their digests."""
    there = [name for name in sums if (folder / name).is_file()]
    found = sums_of(folder, there)
    return sorted(name for name, digest in sums.items() if found.get(name) != digest)


def require_whole(folder: Path, what: str, remedy: str, *, names: Collection[str] | None = None) -> None:
    """See that files of a folder are as they were written, where it has checksums.

    Args:
        folder: Has `SHA256SUMS`, unless an older version wrote it.
        what: Names it in the error.
        remedy: What to do, as a sentence.
        names: Which files, as in `SHA256SUMS`; None is all.

    Raises:
        ValueError: If one is not; it is named.
    """
    if not (folder / FILE).is_file():
        return
    sums = read_sums(folder / FILE)
    if wrong := damaged(folder, {name: sums[name] for name in sums if names is None or name in names}):
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        state = "was changed" if (folder / wrong[0]).exists() else "is missing"
        raise ValueError(f"{what} is not as it was written: {folder / wrong[0]}{more} {state} since. {remedy}")


def write_sealed(path: Path, content: bytes) -> None:
    """Write a file of whole lines whose last line has the digest of the others and the name they were written under."""
    write_atomically(path, content + SEAL + _seal(path, content) + b"\n")


def read_sealed(path: Path) -> bytes | None:
    """What `write_sealed` wrote; None if there is no such file, or it was changed or renamed since."""
    if not path.is_file():
        return None
    content, _, seal = path.read_bytes().rpartition(SEAL)
    return content if seal == _seal(path, content) + b"\n" else None


def _seal(path: Path, content: bytes) -> bytes:
    name = f"{path.parent.name}/{path.name}\n".encode()
    return hashlib.sha256(name + content).hexdigest().encode()
