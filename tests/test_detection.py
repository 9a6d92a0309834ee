"""`python -m radedit.detection`: worlds judged under a whole generator and broken ones, with tiny networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from radedit import detection
from tests.commands import run
from tests.tiny_bundle import SIZE

N, FEWER = 3, 2  # images of the whole generator, and of broken ones
GENERATORS = [
    "whole", "does_nothing", "w_1", "w_40", "blurred", "mirrored", "opposite_prompt", "keep_ignored",
]  # fmt: skip


def words(tiny_bundle: Path, out: Path, *more: str) -> list[str]:
    """Two worlds, three images, two steps, random weights."""
    return [
        "preset=smoke", f"size={SIZE}", f"n={N}", f"n_added={N}", "n_cells=3", "n_own=4", "edit.steps=2",
        "edit.max_lost=1", "edit.threshold=-1", f"generator.folder={tiny_bundle}", "rules.min_n=2", f"out={out}",
        "detection.strengths=[0,1]", "detection.worlds=1",
        f"detection.fewer.n={FEWER}", f"detection.fewer.n_added={FEWER}", f"cache={out}/cache", "cheap.family.n=8",
        "cheap.family.n_val=8", "cheap.family.steps=2", "cheap.family.batch_size=4", *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("detection")


@pytest.fixture(scope="module")
def arguments(tiny_bundle: Path, out: Path) -> list[str]:
    given = words(tiny_bundle, out, "cheap.family.network.network.channels=[8,8,8,8]")
    assert run(detection.main, given) == 0
    return given


@pytest.fixture
def results(arguments: list[str], out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "detection" / "manifestation" / "detection.json").read_text())
    return found


@pytest.mark.slow
def test_every_world_is_judged_under_every_generator(results: dict[str, Any]) -> None:
    assert list(results["generators"]) == GENERATORS
    gaps = {row["predictor"]: row["gap"] for row in results["generators"]["whole"]["rows"]}
    assert len({found["stress_sets"][0] for found in results["generators"].values()}) == len(GENERATORS)
    for name, found in results["generators"].items():
        assert found["worlds"] == 2 == len(found["rows"]) and found["edited"] == (N if name == "whole" else FEWER)
        assert {row["predictor"]: row["gap"] for row in found["rows"]} == gaps  # the truth knows no generator
        assert found["biased"]["fail"]["n"] + found["others"]["fail"]["n"] == 2


@pytest.mark.slow
def test_worlds_differ_in_their_patients(out: Path, results: dict[str, Any]) -> None:
    patients = []
    for row in results["generators"]["whole"]["rows"]:
        card = json.loads((out / "predictors_cheap" / row["predictor"] / "card.json").read_text())
        patients.append((card["data"]["train"]["world"]["seed"], card["data"]["train"]["namespace"]))
    assert len(set(patients)) == 2 and {namespace for _, namespace in patients} == {"detection-train"}


@pytest.mark.slow
def test_table_and_pictures_are_there(results: dict[str, Any], out: Path) -> None:
    folder = out / "detection" / "manifestation"
    text = (folder / "table.md").read_text()
    assert "does nothing" in text and "not biased" in text and "opposite prompt" in text
    for name in ("curve.png", "generators.png"):
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 400


@pytest.mark.slow
def test_second_run_trains_and_edits_nothing(
    arguments: list[str], results: dict[str, Any], out: Path, trained: list[str]
) -> None:
    before = (out / "detection" / "manifestation" / "rules.json").read_bytes()
    sets = {path: path.stat().st_mtime_ns for path in (out / "stress_sets").glob("*/manifest.csv")}
    assert run(detection.main, arguments) == 0
    again = json.loads((out / "detection" / "manifestation" / "detection.json").read_text())
    assert trained == [] and (out / "detection" / "manifestation" / "rules.json").read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in (out / "stress_sets").glob("*/manifest.csv")} == sets
    assert again["generators"] == results["generators"]


@pytest.mark.slow
def test_additions_are_judged_one_by_one(tiny_bundle: Path, tmp_path: Path) -> None:
    given = words(tiny_bundle, tmp_path, "scenario=population", "additions='oedema,consolidation_left'")
    given += [f"~detection.broken.{name}" for name in GENERATORS[1:] if name != "opposite_prompt"]
    given += ["cheap.family.network.decoder_channels=[8,8]", "cheap.family.network.shrink=1"]
    assert run(detection.main, given) == 0
    found = json.loads((tmp_path / "detection" / "population" / "detection.json").read_text())
    for generator in ("whole", "opposite_prompt"):
        rows = found["generators"][generator]["rows"]
        assert [row["predictor"].split("/")[0] for row in rows] == ["oedema"] * 2 + ["consolidation_left"] * 2


MISTAKES = {"other rules": (["rules.limit=0.3"], "Rules are frozen before the first verdict")}


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_named_in_one_line(mistake: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    change, message = MISTAKES[mistake]
    assert run(detection.main, [*arguments, *change]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and "\n" not in error.strip()
