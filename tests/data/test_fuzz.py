"""Damaged files are read or refused: no traceback, no crash, ten seconds and two gigabytes at most."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES, RUNS = ("dicom", "pictures", "tables"), ("removals", "additions", "predictions")


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "n"), [*((kind, 2000) for kind in FILES), *((kind, 150) for kind in RUNS)])
def test_damaged_files_are_read_or_refused(kind: str, n: int) -> None:
    """In a process of its own, which a decoder may crash."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.data.fuzz", kind, str(n)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=1500,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.returncode} {done.stdout[-2000:]} {done.stderr[-3000:]}"
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["kind"] == kind
    assert found["read"] + found["refused"] == n and found["refused"] > 0.2 * n, found
    assert "Traceback" not in done.stderr
