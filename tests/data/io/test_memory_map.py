"""An array on disk has its room before it is filled."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from radedit.data.io.memory_map import new_array


def test_a_new_array_is_of_zeros_and_takes_its_room(tmp_path: Path) -> None:
    array = new_array(tmp_path / "images.npy", np.uint8, (3, 1000, 1000))
    assert array.shape == (3, 1000, 1000) and not array.any()
    assert (tmp_path / "images.npy").stat().st_blocks * 512 >= 3_000_000
    assert np.load(tmp_path / "images.npy", mmap_mode="r").dtype == np.uint8


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="the disk is full.*make room.*images.npy"):
        new_array(tmp_path / "images.npy", np.uint8, (3, 8, 8))
    assert not list(tmp_path.iterdir())
