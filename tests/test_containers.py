"""Recipes of containers: a linter finds nothing in them, and both take the same files. No engine builds them here."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LINTER = shutil.which("hadolint", path=str(Path(sys.executable).parent))
SECTIONS = {"arguments", "files", "post", "runscript", "test", "environment", "labels", "help"}  # of Apptainer


def sections(recipe: str) -> dict[str, str]:
    """Section → its lines; the header is under ""."""
    parts = re.split(r"^%(\w+)\n", recipe, flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


@pytest.mark.skipif(LINTER is None, reason="hadolint is installed on Linux only")
def test_linter_finds_nothing_in_the_dockerfile(repository: Path) -> None:
    done = subprocess.run([str(LINTER), "Dockerfile"], cwd=repository, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0)


def test_apptainer_recipe_has_known_sections_whose_scripts_parse(repository: Path) -> None:
    found = sections((repository / "apptainer.def").read_text())
    assert set(found) - {""} <= SECTIONS and re.search(r"^Bootstrap: docker\nFrom: \S+$", found[""], re.MULTILINE)
    for name in ("post", "runscript", "test"):
        script = found[name].replace("{{ torch_index }}", "an-index")
        done = subprocess.run(["sh", "-n"], input=script, capture_output=True, text=True)
        assert done.returncode == 0, (name, done.stderr)


def test_both_recipes_take_the_same_files_that_are_there(repository: Path) -> None:
    docker = re.findall(r"^COPY (?!--)(.+) \S+$", (repository / "Dockerfile").read_text(), re.MULTILINE)
    apptainer = sections((repository / "apptainer.def").read_text())["files"].split("\n")
    files = {line.split()[0] for line in apptainer if line.strip()}
    assert files == {name for line in docker for name in line.split()}
    assert all((repository / name).exists() for name in files)
