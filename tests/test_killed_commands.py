"""Whole commands, killed at random or begun three times at once, end with the files of one undisturbed run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.killed_commands import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow


def ended(*arguments: str) -> Any:
    """In a process that has only imported: what forks must not have computed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.killed_commands", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=3000, check=False)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("command", COMMANDS)
def test_command_that_is_killed_ends_with_the_files_of_an_undisturbed_one(command: str) -> None:
    found = ended("kill", command, "3")
    assert found["kills"] == 3 and found["files"] >= 10 and found["differing"] == []


def test_three_processes_end_with_the_files_of_one() -> None:
    found = ended("together", "1")
    assert found["failed"] == 0 and found["reports"] == [1] and found["differing"] == []
