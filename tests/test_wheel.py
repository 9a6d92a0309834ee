"""A wheel has all that a checkout's package and conf/ have, and works from any folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCES = ("radedit", "conf")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built of a copy: setuptools writes beside what it builds."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        shutil.copytree(REPOSITORY / name, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, folder / "source")
    pip("wheel", "--no-build-isolation", "--wheel-dir", str(folder), str(folder / "source"))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the wheel is installed into, with its script in `bin`."""
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-index", "--target", str(folder), str(wheel))
    return folder


def pip(command: str, *arguments: str) -> None:
    call = [sys.executable, "-m", "pip", "--isolated", command, "--quiet", "--no-deps", "--no-cache-dir", *arguments]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def printed(installed: Path, folder: Path, *command: str) -> str:
    """What this interpreter prints, run in `folder` with the radedit in `installed` before any other."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wheel_has_every_file_of_the_package_and_of_conf(wheel: Path) -> None:
    files = {
        path.relative_to(REPOSITORY).as_posix()
        for name in SOURCES
        for path in (REPOSITORY / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    wanted = {f"radedit/{name}" if name.startswith("conf/") else name for name in files}
    assert {"radedit/conf/stress.yaml", "radedit/weights/phantom/vae/config.json"} <= wanted
    there = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("radedit/")}
    assert there == wanted


def test_script_works_from_another_folder_with_the_wheels_own_conf(installed: Path, tmp_path: Path) -> None:
    where = "import radedit.app.configuration as c; print(c.__file__, c.CONF, sep='\\n')"
    module, conf = printed(installed, tmp_path, "-c", where).split()
    assert Path(module).is_relative_to(installed) and Path(conf) == installed / "radedit" / "conf"

    script = str(installed / "bin" / "radedit")
    assert "Stress-test predictors under one shift" in printed(installed, tmp_path, script, "--help")
    composed = printed(installed, tmp_path, script, "stress", "+scenario=manifestation", "--cfg", "job")
    assert "name: manifestation" in composed
    assert not list(tmp_path.iterdir())  # asking leaves nothing behind


def test_demo_of_the_wheel_is_that_of_the_checkout(installed: Path, tmp_path: Path) -> None:
    few = ["n=2", "n_also=1", "n_cells=4", "n_own=4", "n_gallery=1", "edit.steps=2", "threads=1", "logger=csv"]
    made: dict[str, dict[str, bytes]] = {}
    for name, place in {"wheel": installed, "checkout": REPOSITORY}.items():
        folder = tmp_path / name
        folder.mkdir()
        printed(place, folder, "-m", "radedit.stress", "+scenario=manifestation", "preset=demo", *few)
        out = folder / "outputs"
        files = [*out.glob("stress_sets/*/images/**/*.png"), *out.glob("stress/*/predictions.csv")]
        made[name] = {path.relative_to(out).as_posix(): path.read_bytes() for path in files}
        assert (out / "index.html").is_file()
    assert any(path.endswith("predictions.csv") for path in made["wheel"])
    assert sum(path.endswith(".png") for path in made["wheel"]) >= 2 * 8  # eight kinds of images of each record
    assert made["wheel"] == made["checkout"]
