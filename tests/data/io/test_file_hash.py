"""Digests name what a file holds, and are computed once for as long as it stays as it is."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import numpy as np
import pytest

from radedit.data.io import file_hash as module
from radedit.data.io.file_hash import file_hash, file_hashes

LONG_AGO = 1_600_000_000


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files whose bytes were read."""
    read: list[Path] = []
    digest = module._digest

    def noting(path: Path, mode: str) -> str:
        read.append(path)
        return digest(path, mode)

    monkeypatch.setattr(module, "_digest", noting)
    monkeypatch.setattr(module, "SETTLED_NS", -(10**18))  # also what was written just now is kept
    return read


def test_small_file_has_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"image")
    assert file_hash(tmp_path / "a") == hashlib.sha256(b"image").hexdigest()


def test_file_that_stayed_as_it_was_is_read_once(tmp_path: Path, reads: list[Path]) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"image")
    assert file_hash(path) == file_hash(path) and reads == [path]


def test_file_that_is_replaced_in_place_has_another_digest(tmp_path: Path, reads: list[Path]) -> None:
    """Of as many bytes, and dated back."""
    path = tmp_path / "a"
    path.write_bytes(b"image")
    os.utime(path, (LONG_AGO, LONG_AGO))
    before = file_hash(path)
    path.write_bytes(b"mask")
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert file_hash(path) != before and reads == [path, path]


def test_file_that_has_just_changed_is_not_trusted_to_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"image")
    monkeypatch.setattr(module, "SETTLED_NS", 10**18)
    assert file_hash(path) == hashlib.sha256(b"image").hexdigest()
    stat = path.stat()
    monkeypatch.setattr(module, "_state", lambda _: f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} 0 0")
    path.write_bytes(b"mask")  # within one tick of the clock
    assert file_hash(path) == hashlib.sha256(b"mask").hexdigest()


@pytest.mark.parametrize("how", ["sampled", "quick"])
def test_large_file_is_told_by_a_sample(how: str, tmp_path: Path) -> None:
    rng, path = np.random.default_rng(0), tmp_path / "a"
    content = rng.bytes(6 * 2**20)
    path.write_bytes(content)
    before = file_hash(path, how)
    assert before.startswith("s") and len(before) == 64 and before == file_hash(path, how)
    for other in (rng.bytes(len(content)), content[:-1], b"x" + content[1:], content[:-1] + b"x"):
        path.write_bytes(other)
        assert file_hash(path, how) != before
    assert file_hash(path, "whole") == hashlib.sha256(other).hexdigest()


@pytest.mark.parametrize("spoil", ["no folder", "no database"])
def test_without_a_place_to_keep_them_digests_are_the_same(
    spoil: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"image")
    cache = tmp_path / "cache"
    if spoil == "no folder":
        cache.write_text("a file")
    else:
        cache.mkdir()
        (cache / module.FILE).write_bytes(b"no database at all" * 100)
    monkeypatch.setenv(module.PLACE, str(cache))
    assert file_hash(tmp_path / "a") == hashlib.sha256(b"image").hexdigest()


def test_database_names_no_file(tmp_path: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.PLACE, str(tmp_path / "cache"))
    (tmp_path / "Doe_John.png").write_bytes(b"image")
    file_hash(tmp_path / "Doe_John.png")
    kept = (tmp_path / "cache" / module.FILE).read_bytes()
    assert b"Doe" not in kept and hashlib.sha256(b"image").hexdigest().encode() in kept


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error:
        file_hash(tmp_path / "a")
    assert error.value.filename == str(tmp_path / "a")


@pytest.mark.slow
def test_fifty_thousand_files_cost_seconds(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(50_000)]
    for number, path in enumerate(paths):
        path.write_bytes(number.to_bytes(4, "big") * 500)
    time.sleep(2.5)
    first = file_hashes(paths)
    started = time.process_time()
    assert file_hashes(paths) == first and len(set(first.values())) == len(paths)
    assert time.process_time() - started < 10
