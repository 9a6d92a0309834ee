"""Model files that are damaged at random are read, or refused in one line that says why: no traceback or hang."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 10  # seconds of a processor for one file
MOST_MIB = 2048  # of all of them, with the libraries


@pytest.mark.slow
@pytest.mark.parametrize("n", [480])
def test_damaged_model_file_is_read_or_refused_in_one_line(n: int, tmp_path: Path) -> None:
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package)
    command = [sys.executable, "-m", "tests.models.damaged_models", str(tmp_path / "models"), "0", str(n)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1500,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, f"it ended with {done.returncode} after {lines[-1:]}: {done.stderr[-2000:]}"
    attempts = [line for line in lines if "ended" in line]
    assert len(attempts) == n
    assert [one for one in attempts if one["ended"] not in ("read", "refused")] == []
    assert max(one["seconds"] for one in attempts) < LONGEST
    assert lines[-1]["memory_mib"] < MOST_MIB
