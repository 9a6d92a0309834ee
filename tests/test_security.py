"""What a stranger hands over is data: every line of docs/explanation/security.md that concerns files of results."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from radedit import sweep
from radedit.data.io.names import checked_digest, checked_name, inside
from radedit.data.io.provenance import without_places
from radedit.harness.statistics import means as statistics
from radedit.harness.sweep.finished_run import read_run
from radedit.report.sweep import folder as sweep_folder
from tests.commands import run
from tests.made_up_runs import removal_run

Results = dict[str, Any]


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 50)


@pytest.fixture
def no_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("write_report", "write_certificates"):
        monkeypatch.setattr(sweep_folder, name, lambda *_: None)


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    return removal_run(tmp_path / "stress", 0)


def change(folder: Path, how: Callable[[Results], object]) -> None:
    results = json.loads((folder / "results.json").read_text())
    how(results)
    (folder / "results.json").write_text(json.dumps(results))


def swept(folder: Path, out: Path, *more: str) -> int:
    return run(sweep.main, [f"runs=[{folder}]", f"out={out}", *more])


@pytest.mark.parametrize(
    "target",
    ["pathlib.Path.touch", "pandas.read_pickle", "torch.load", "joblib.load", "numpy.load", "shutil.copy", "os.mkdir"],
)
@pytest.mark.usefixtures("no_drawing")
def test_logger_that_a_result_names_is_not_made(target: str, stranger: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    logger = {"_target_": "pathlib.Path.touch", "_args_": [{"_target_": "pathlib.Path", "_args_": [str(mark)]}]}
    other = {"_target_": target, "_args_": [str(tmp_path / "evil.pkl")]}
    for config in (logger, other):
        change(stranger, lambda results, config=config: results["config"].update(logger=config))
        assert swept(stranger, tmp_path / "out", "logger=csv") == 0
    assert not mark.exists()


@pytest.mark.usefixtures("no_drawing")
@pytest.mark.parametrize(
    "name", ["../../escaped", "/tmp/escaped", "a/b", "..", "", "a\nb", "a\u2028b", ".hidden", "é" * 3]
)
def test_scenario_of_a_result_names_no_folder_elsewhere(
    name: str, stranger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(stranger, lambda results: results["scenario"].update(name=name))
    before = sorted(tmp_path.rglob("*"))
    assert swept(stranger, tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert "scenario.name" in error and "Traceback" not in error
    assert [path for path in sorted(tmp_path.rglob("*")) if "out" not in path.parts] == before
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("hashes", "runs"), {"Seed 0": "../../x"}),
        (("hashes", "stress_set"), "/etc"),
        (("config", "editor"), {"_target_": "x./tmp/evil.edit"}),
        (("config", "editor"), {"_target_": "edit"}),
        (("config", "editor"), "radedit"),
    ],
)
def test_hashes_and_editor_of_a_result_are_words(where: tuple[str, str], value: Any, stranger: Path) -> None:
    change(stranger, lambda results: results[where[0]].update({where[1]: value}))
    with pytest.raises(ValueError, match=where[1]):
        read_run(stranger)


def test_picture_that_is_a_link_out_of_the_run_is_not_copied(stranger: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("of the machine")
    picture = json.loads((stranger / "results.json").read_text())["gallery"][0]["images"]["source"]
    (stranger / picture).unlink()
    os.symlink(secret, stranger / picture)
    assert swept(stranger, tmp_path / "out") == 2
    assert not [p for p in (tmp_path / "out").rglob("*") if p.is_file() and b"of the machine" in p.read_bytes()]


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "a\0b", "", None, 3])
def test_path_that_was_read_stays_in_its_folder(path: Any, tmp_path: Path) -> None:
    if path == "":
        assert inside(tmp_path, path, "It") == tmp_path
        return
    with pytest.raises(ValueError, match="is not in"):
        inside(tmp_path, path, "It")


def test_names_and_digests_that_we_write_are_read() -> None:
    assert checked_name("acquisition", "x") == "acquisition" and checked_digest("0a" * 32, "x") == "0a" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stress out=/home/anna/study/out n=3", "stress out=…/out n=3"),
        ("Record 'a': /data/Doe John/image.png can't be read.", "Record 'a': …/image.png can't be read."),
        ("~/study/a.png", "…/a.png"),
        ("C:\\Users\\anna\\a.png", "…/a.png"),
        ("roots=[/mnt/a/b,/mnt/c/d]", "roots=[…/b,…/d]"),
        *((same, same) for same in ("w = 1/2, a/b and a / b", "https://a.b/c/d", "outputs/stress/run", "p7/edit")),
    ],
)
def test_what_is_passed_on_names_no_place(text: str, expected: str) -> None:
    assert without_places({"a": [text], "b": 1}) == {"a": [expected], "b": 1}
