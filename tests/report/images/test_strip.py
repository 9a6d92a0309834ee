"""One record as a strip: a tick stands only below a picture that is a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from radedit.harness.evidence.results import Results, load
from radedit.report.images.gallery import gallery
from radedit.report.images.strip import said_of, write_strip
from tests.report.conftest import made_up, written


def folder_of(structures: dict[str, bool], folder: Path) -> Path:
    run = made_up()
    for example in run["gallery"]:
        example["structures"] = structures
    return written(run, folder)


def said(found: Results, kind: str) -> list[str]:
    picture = gallery(found)[0].picture(kind)
    assert picture is not None
    return [text for text, _ in said_of(picture, ["bad", "good"], found.shortcut)]


def test_kept_structure_is_ticked_beside_the_predictions(tmp_path: Path) -> None:
    found = load(folder_of({"radedit": True}, tmp_path / "run"))
    assert said(found, "radedit") == ["✗ confounded 0.80", "✓ unconfounded 0.10", "✓ drain kept"]
    assert said(found, "counterfactual") == ["✗ confounded 0.85", "✓ unconfounded 0.20"]


def test_no_prediction_is_ticked_where_the_edit_lost_the_structure(tmp_path: Path) -> None:
    lines = said(load(folder_of({"radedit": False}, tmp_path / "run")), "radedit")
    assert lines == ["– confounded 0.80", "– unconfounded 0.10", "✗ drain lost: no test"]


def test_nothing_is_said_of_a_structure_of_which_nothing_is_known(tmp_path: Path) -> None:
    assert said(load(folder_of({}, tmp_path / "run")), "radedit") == ["✗ confounded 0.80", "✓ unconfounded 0.10"]


@pytest.mark.parametrize("structures", [{}, {"radedit": False}])
def test_strip_is_written(structures: dict[str, bool], tmp_path: Path) -> None:
    folder = folder_of(structures, tmp_path / "run")
    path = write_strip(load(folder), folder)
    assert path is not None and path.read_bytes().startswith(b"\x89PNG")
