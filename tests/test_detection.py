"""`python -m radedit.detection`: rules frozen on some worlds, others judged by them, with tiny networks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from radedit import detection, stress
from radedit.harness import detection as study_of
from tests.commands import run
from tests.tiny_bundle import SIZE

N = 3


@pytest.fixture(scope="module")
def words(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What `radedit.stress` and `radedit.detection` are both told."""
    return [
        "preset=smoke", "logger=csv", f"size={SIZE}", f"n={N}", "n_also=0", "n_cells=3", "n_own=4", "edit.steps=2",
        "edit.max_lost=1", "edit.threshold=-1", f"generator.folder={tiny_bundle}", "rules.min_n=2",
        f"out={tmp_path_factory.mktemp('detection')}",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def out(words: list[str]) -> Path:
    return Path(words[-1].partition("=")[2])


@pytest.fixture(scope="module")
def arguments(words: list[str], out: Path) -> list[str]:
    """Two worlds that are frozen on, two that are tested, and one broken generator of two."""
    for change in ([], ["editor.w=40"]):
        told = ["+scenario=manifestation", *words, *change, "run=[generate]", "seeds='0'"]
        assert run(stress.main, told) == 0
    given = [
        *words, "detection.strengths=[0,1]", "detection.worlds=1", "detection.freeze.worlds=1", f"cache={out}/cache",
        "cheap.family.n=8", "cheap.family.n_val=8", "cheap.family.steps=2", "cheap.family.batch_size=4",
        "cheap.family.network.network.channels=[8,8,8,8]", "detection.broken.w_40=['editor.w=40']",
        "detection.broken.blurred=['editor.w=41']",
    ]  # fmt: skip
    assert run(detection.main, given) == 0
    return given


@pytest.fixture
def results(arguments: list[str], out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "detection" / "detection.json").read_text())
    return found


def test_every_world_is_judged(results: dict[str, Any]) -> None:
    assert results["worlds"] == 2 == len(results["rows"]) and results["n"] == N
    assert [entry["strength"] for entry in results["curve"]] == [0, 1]
    alarms, found = results["false_alarms"], results["detected"]
    assert alarms["n"] + found["n"] == 2
    for row in results["rows"]:
        cells = row["cells"]
        assert set(cells) == {"0-0", "0-1", "1-0", "1-1"}
        assert row["gap"] == pytest.approx(cells["0-0"] - cells["0-1"])
        assert row["biased"] is (abs(row["gap"]) > 0.1)


def test_rules_rest_on_other_worlds(results: dict[str, Any], out: Path) -> None:
    rules = json.loads((out / "detection" / "rules.json").read_text())
    assert rules["rules"] == results["rules"]["rules"] and rules["hash"] == results["rules"]["hash"]
    assert len(rules["worlds"]) == 2
    assert not {w["predictor"] for w in rules["worlds"]} & {row["predictor"] for row in results["rows"]}


def test_worlds_differ_in_their_patients(out: Path, results: dict[str, Any]) -> None:
    patients = []
    for row in results["rows"]:
        card = json.loads((out / "predictors_cheap" / row["predictor"] / "card.json").read_text())
        patients.append((card["data"]["train"]["world"]["seed"], card["data"]["train"]["namespace"]))
    assert len(set(patients)) == 2 and {namespace for _, namespace in patients} == {"detection-train"}


def test_broken_generator_that_is_there_is_judged_and_one_that_is_not_is_named(results: dict[str, Any]) -> None:
    broken = {entry["name"]: entry for entry in results["broken"]}
    assert set(broken) == {"w_40", "blurred", "whole"}
    assert len(broken["w_40"]["rows"]) == len(broken["whole"]["rows"]) == 2
    command = broken["blurred"]["missing"]
    assert command.startswith("python -m radedit.stress +scenario=manifestation editor.w=41")


def test_table_and_picture_are_there(results: dict[str, Any], out: Path) -> None:
    text = (out / "detection" / "table.md").read_text()
    assert "False alarms:" in text and "w_40" in text and "No verdicts under blurred" in text
    with Image.open(out / "detection" / "curve.png") as picture:
        assert min(picture.size) > 400


def test_second_run_trains_nothing_and_never_freezes_again(
    arguments: list[str], results: dict[str, Any], out: Path, trained: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (out / "detection" / "rules.json").read_bytes()

    def refit(*_: object) -> float:
        raise AssertionError("the rules were chosen again")

    monkeypatch.setattr(study_of, "choose_limit", refit)
    assert run(detection.main, arguments) == 0
    again = json.loads((out / "detection" / "detection.json").read_text())
    assert trained == [] and (out / "detection" / "rules.json").read_bytes() == before
    assert again["rows"] == results["rows"] and again["curve"] == results["curve"]


def test_frozen_rules_are_used_whatever_the_worlds_they_rest_on_have_become(
    arguments: list[str], results: dict[str, Any], out: Path, trained: list[str]
) -> None:
    """They are not trained again either, where their predictors are gone."""
    for world in json.loads((out / "detection" / "rules.json").read_text())["worlds"]:
        shutil.rmtree(out / "predictors_cheap" / world["predictor"], ignore_errors=True)
    assert run(detection.main, arguments) == 0 and trained == []


MISTAKES = {
    "other predictors": (["cheap.family.steps=3"], "frozen for other predictors or another stress set"),
    "same worlds": (["detection.freeze.first_world=1000"], "serve to freeze the rules and to test them"),
    "no stress set": (["edit.seed=7"], "is not there. Make it with: python -m radedit.stress +scenario=manifestation"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_named_in_one_line(mistake: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    change, message = MISTAKES[mistake]
    assert run(detection.main, [*arguments, *change]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and "\n" not in error.strip()
