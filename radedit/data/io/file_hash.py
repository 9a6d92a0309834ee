"""What a file holds, by a digest that is computed once for as long as the file stays as it is.

Digests are kept in a small database beside other caches, under the hash of a file's path, so that it holds no names. A
file counts as unchanged while its size, the times of its last change, its device and its inode are the same.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

SAMPLED = {  # bytes up to which a file is hashed whole; pieces of a larger one, evenly spaced, and bytes of each
    "whole": (2**63, 0, 0),
    "sampled": (4 * 2**20, 64, 2**15),
    "quick": (2**16, 8, 2**12),
}
SETTLED_NS = 2_000_000_000  # a file that changed just now may change again within one tick of the clock
THREADS = 8  # that read; hashing and reading release Python's lock
PLACE = "RADEDIT_CACHE"  # environment variable that names the folder of the database
FILE = "file-hashes.sqlite"

_Key = tuple[bytes, str]


def file_hash(path: Path, how: str = "sampled") -> str:
    """Digest of one file, see `file_hashes`."""
    return file_hashes([path], how)[path]


def file_hashes(paths: Iterable[Path], how: str = "sampled") -> dict[Path, str]:
    """Digests of files, 64 hexadecimal digits; 50,000 that were seen before take seconds.

    Args:
        paths: The files.
        how: `whole` for all bytes. `sampled` takes size and 64 pieces of 32 KiB of a file above 4 MiB, `quick` of one
            above 64 KiB size and 8 pieces of 4 KiB: another image, or another export of it, differs in all.

    Returns:
        Path → SHA-256 of the content, or, of a sampled file, `s` and 63 digits.

    Raises:
        OSError: If a file can't be read; the error names it.
    """
    wanted = list(dict.fromkeys(paths))
    stats = {path: _state(path) for path in wanted}
    keys = {
        path: (hashlib.sha256(os.path.abspath(path).encode()).digest()[:16], _mode(stats[path], how)) for path in wanted
    }
    with _database() as database:
        kept = _kept(database, list(keys.values())) if database else {}
        found = {path: digest for path in wanted if (digest := kept.get((*keys[path], stats[path])))}
        absent = [path for path in wanted if path not in found]
        with ThreadPoolExecutor(THREADS) as pool:
            fresh = dict(zip(absent, pool.map(lambda path: _digest(path, keys[path][1]), absent), strict=True))
        if database and fresh:
            settled = time.time_ns() - SETTLED_NS
            rows = [
                (*keys[path], stats[path], digest)
                for path, digest in fresh.items()
                if max(map(int, stats[path].split()[1:3])) < settled and _state(path) == stats[path]
            ]
            _keep(database, rows)
    return {path: found[path] if path in found else fresh[path] for path in wanted}


def _state(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_dev} {stat.st_ino}"


def _mode(state: str, how: str) -> str:
    return "whole" if int(state.split()[0]) <= SAMPLED[how][0] else how


def _digest(path: Path, mode: str) -> str:
    with path.open("rb") as file:
        if mode == "whole":
            return hashlib.file_digest(file, "sha256").hexdigest()
        size = file.seek(0, os.SEEK_END)
        digest = hashlib.sha256(str(size).encode())
        _, pieces, length = SAMPLED[mode]
        for piece in range(pieces):
            file.seek((size - length) * piece // (pieces - 1))
            digest.update(file.read(length))
    return "s" + digest.hexdigest()[1:]


@contextmanager
def _database() -> Iterator[sqlite3.Connection | None]:
    """The kept digests; None where no folder can be written, so that all are computed anew."""
    home = os.environ.get("XDG_CACHE_HOME") or Path("~").expanduser() / ".cache"
    folder = Path(os.environ.get(PLACE) or Path(home) / "radedit")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(folder / FILE, timeout=30, isolation_level=None)
        database.execute(
            "CREATE TABLE IF NOT EXISTS kept (path BLOB, mode TEXT, state TEXT, digest TEXT, PRIMARY KEY (path, mode))"
        )
    except (OSError, RuntimeError, sqlite3.Error):  # read-only, no home, or damaged
        yield None
        return
    with closing(database):
        yield database


def _kept(database: sqlite3.Connection, keys: list[_Key]) -> dict[tuple[bytes, str, str], str]:
    found: dict[tuple[bytes, str, str], str] = {}
    try:
        for start in range(0, len(keys), 400):
            part = keys[start : start + 400]
            marks = ", ".join("?" * len(part))
            rows = database.execute(
                f"SELECT path, mode, state, digest FROM kept WHERE path IN ({marks})", [p for p, _ in part]
            )
            found |= {(path, mode, state): digest for path, mode, state, digest in rows}
    except sqlite3.Error:
        return {}
    return found


def _keep(database: sqlite3.Connection, rows: list[tuple[bytes, str, str, str]]) -> None:
    try:
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", rows)
        database.execute("COMMIT")
    except sqlite3.Error:  # another process holds it too long, or the disk is full: computed again next time
        return
