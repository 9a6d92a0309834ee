"""Damaged files are read or refused: no traceback, no crash, ten seconds and two gigabytes at most."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("dicom", "pictures", "tables", "removals", "additions", "predictions")


def fuzz(kind: str, n: int) -> None:
    """In a process of its own, which a decoder may crash."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.data.fuzz", kind, str(n)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=1500,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.returncode} {done.stdout[-2000:]} {done.stderr[-3000:]}"
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["read"] + found["refused"] == n and found["refused"] > 0.2 * n
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_file_is_read_or_refused(kind: str) -> None:
    fuzz(kind, 150 if kind in {"dicom", "pictures", "tables"} else 4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_each_of_many_damaged_files_is_read_or_refused(kind: str) -> None:
    fuzz(kind, 2000 if kind in {"dicom", "pictures", "tables"} else 150)
