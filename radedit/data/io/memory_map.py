"""Arrays on disk that are filled bit by bit."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import DTypeLike

from radedit.data.io.atomic import disk_full


def new_array(path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> np.memmap:
    """An array of zeros as a memory map, whose room on disk is taken at once.

    Else the disk may be full only when pages are written, which ends the process without a word.

    Args:
        path: Of the `.npy` file; an older one is replaced.
        dtype: Of the array.
        shape: Of the array.

    Raises:
        OSError: If there is no room; no file is left.
    """
    array = open_memmap(path, "w+", dtype, shape)
    if hasattr(os, "posix_fallocate"):  # not on macOS
        try:
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            path.unlink()
            raise disk_full(path, error) from error
    return array
