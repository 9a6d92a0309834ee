"""`python -m radedit.validity`: a whole study with tiny networks, on a stress set that the same words have made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from radedit import stress, validity
from radedit.studies.shared import cheap_predictors as cheap
from tests.commands import run
from tests.tiny_bundle import SIZE

N = 3
ADDITIONS = ("oedema", "pacemaker")
CHEAP = [
    "cheap.strengths=[0,1]", "cheap.seeds=2", "cheap.family.n=8", "cheap.family.n_val=8", "cheap.family.steps=2",
    "cheap.family.batch_size=4", "validity.n_match=2",
]  # fmt: skip
SMALL = {
    "manifestation": ["cheap.family.network.network.channels=[8,8,8,8]"],
    "acquisition": ["cheap.family.network.network.channels=[8,8,8,8]"],
    "population": ["cheap.family.network.decoder_channels=[8,8]", "cheap.family.network.shrink=1"],
}
TINY = [
    "preset=smoke", "logger=csv", f"size={SIZE}", f"n={N}", f"n_added={N}", "n_also=0", "n_cells=1", "n_own=4",
    "edit.steps=2", "edit.max_lost=1", "edit.threshold=-1", f"additions=\"{','.join(ADDITIONS)}\"",
]  # fmt: skip


def words(scenario: str, bundle: Path, out: Path) -> list[str]:
    """What `radedit.stress` and `radedit.validity` are both told."""
    return [f"+scenario={scenario}", *TINY, f"generator.folder={bundle}", f"out={out}"]


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=pytest.mark.slow) for name in ("manifestation", "population")]
)
def study(
    request: pytest.FixtureRequest, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, list[str]]:
    """Scenario, folder of the outputs and arguments of a finished study."""
    scenario, out = request.param, tmp_path_factory.mktemp(request.param)
    told = words(scenario, tiny_bundle, out)
    assert run(stress.main, [*told, "run=[generate]", "seeds='0'"]) == 0
    arguments = [*told, *CHEAP, *SMALL[scenario], f"cache={out}/cache"]
    assert run(validity.main, arguments) == 0
    return scenario, out, arguments


@pytest.fixture
def folder(study: tuple[str, Path, list[str]]) -> Path:
    (folder,) = (study[1] / "validity").iterdir()
    return folder


@pytest.fixture
def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "validity.json").read_text())
    return found


def test_every_predictor_is_measured_every_way(study: tuple[str, Path, list[str]], results: dict[str, Any]) -> None:
    rows = results["all"]["rows"]
    constants = {"mean_shape"} if study[0] == "population" else {"always_yes", "always_no"}
    assert {row["predictor"] for row in rows if row["strength"] is None} == constants
    assert sorted((r["strength"], r["seed"]) for r in rows if r["strength"] is not None) == [
        (0, 0), (0, 1), (1, 0), (1, 1),
    ]  # fmt: skip
    assert all(0 <= row[way] <= 1 for row in rows for way in ("truth", "synthetic", "in_distribution", "corrupted"))
    assert results["trained"] == results["trained_now"] == 4 and results["failed"] == []


def test_additions_are_pooled(study: tuple[str, Path, list[str]], results: dict[str, Any]) -> None:
    names = list(ADDITIONS) if study[0] == "population" else [""]
    assert [entry["name"] for entry in results["sets"]] == names
    assert results["all"]["n"] == sum(entry["counts"]["edited"] for entry in results["sets"]) > 0


def test_constant_classifiers_sit_where_they_must(study: tuple[str, Path, list[str]], results: dict[str, Any]) -> None:
    """Nothing is left of the finding: whoever always says yes is always wrong, on edits and in truth."""
    rows = {row["predictor"]: row for row in results["all"]["rows"]}
    for key, value in (("always_yes", 0), ("always_no", 1)) if study[0] == "manifestation" else ():
        assert rows[key]["truth"] == rows[key]["synthetic"] == rows[key]["corrupted"] == value


def test_constant_segmenter_is_no_worse_on_edits(study: tuple[str, Path, list[str]], results: dict[str, Any]) -> None:
    """It never looks, and the lungs stay where they are."""
    for row in results["all"]["rows"]:
        if row["predictor"] == "mean_shape":
            assert row["synthetic"] == row["truth"] == row["corrupted"] > 0


def test_table_and_picture_are_there(folder: Path) -> None:
    text = (folder / "table.md").read_text()
    assert "corruption of equal size" in text and "always_yes" in text or "mean_shape" in text
    with Image.open(folder / "scatter.png") as picture:
        assert min(picture.size) > 500


def test_second_run_trains_nothing_and_finds_the_same(
    study: tuple[str, Path, list[str]], folder: Path, results: dict[str, Any], trained: list[str]
) -> None:
    assert run(validity.main, study[2]) == 0
    again = json.loads((folder / "validity.json").read_text())
    assert trained == [] and again["trained_now"] == 0 and again["all"] == results["all"]


def test_killed_study_goes_on_with_the_first_that_is_missing(
    study: tuple[str, Path, list[str]], results: dict[str, Any], trained: list[str]
) -> None:
    gone = sorted((study[1] / "predictors_cheap").iterdir())[-1]
    before = (gone / "model.safetensors").read_bytes()
    shutil.rmtree(gone)
    assert run(validity.main, study[2]) == 0
    assert trained == [gone.name] and (gone / "model.safetensors").read_bytes() == before


def test_training_that_fails_is_listed_and_stops_no_other(
    study: tuple[str, Path, list[str]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = sorted((study[1] / "predictors_cheap").iterdir())[0]
    kept = gone.rename(study[1] / "kept")

    def diverge(*_: object) -> None:
        raise ValueError("the training has diverged")

    monkeypatch.setattr(cheap, "train", diverge)
    assert run(validity.main, study[2]) == 0
    found = json.loads((folder / "validity.json").read_text())
    assert found["failed"] == [{"predictor": gone.name, "reason": "the training has diverged"}]
    assert found["trained"] == 3 and found["all"]["predictors"] == 3
    assert "could not be trained: the training has diverged" in (folder / "table.md").read_text()
    kept.rename(gone)


def test_missing_stress_set_names_the_command_that_makes_it(
    tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(validity.main, [*words("manifestation", tiny_bundle, Path("empty")), *CHEAP]) == 2
    error = capsys.readouterr().err
    assert "is not there. Make it with: python -m radedit.stress +scenario=manifestation" in error


def test_folder_that_is_no_stress_set_is_refused(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = words("manifestation", tiny_bundle, Path("empty"))
    assert run(validity.main, [*told, *CHEAP, "stress_set=nowhere"]) == 2
    assert "nowhere is no finished stress set" in capsys.readouterr().err


def test_scenario_must_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(validity.main, []) == 2
    assert "Say +scenario=… with one of: acquisition, manifestation, population." in capsys.readouterr().err
