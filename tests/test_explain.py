"""`python -m radedit.explain`: one case of a finished run, read from its stress set, and mistakes that are named."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from radedit import explain, stress
from radedit.data.image.files import read_image
from radedit.models.predictors import load_predictor
from tests.commands import run, save_tiny_predictors
from tests.tiny_bundle import SIZE

pytestmark = pytest.mark.slow

KEY = "confounded_classifier"


@pytest.fixture(scope="module")
def finished(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`out` of a finished stress test, with the predictors' weights in it. Not to be written to."""
    out = tmp_path_factory.mktemp("finished")
    tiny = [
        "+scenario=manifestation", "preset=smoke", "seeds='0'", "logger=csv", "anatomy=null", f"size={SIZE}", "n=2",
        "n_also=1", "n_cells=1", "n_own=4", "edit.steps=2", "edit.max_lost=1", "edit.threshold=-1",
        f"generator.folder={tiny_bundle}",
        *save_tiny_predictors(out / "predictors"),
    ]  # fmt: skip
    assert run(stress.main, [*tiny, f"out={out}"]) == 0
    return out


@pytest.fixture(scope="module")
def folder(finished: Path) -> Path:
    """Of the run."""
    (folder,) = (finished / "stress").glob("manifestation-*")
    return folder


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


@pytest.fixture(scope="module")
def place(folder: Path) -> Path:
    """Where the worst case is explained. Not to be written to."""
    assert run(explain.main, [f"run={folder}"]) == 0
    (place,) = (folder / "explain").iterdir()
    return place


@pytest.fixture
def explained(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place / "explanation.json").read_text())
    return found


@pytest.fixture
def out(finished: Path) -> Path:
    """A copy of `finished` that may be written to, with nothing explained."""
    return Path(shutil.copytree(finished, "out", ignore=shutil.ignore_patterns("explain")))


def rewrite(folder: Path, found: dict[str, Any]) -> None:
    """Replace a run's results; without checksums, as in the folder of an older version, they are read."""
    (folder / "results.json").write_text(json.dumps(found))
    (folder / "SHA256SUMS").unlink()


def test_worst_is_the_first_of_the_gallery_and_has_page_picture_and_facts(
    explained: dict[str, Any], place: Path, results: dict[str, Any]
) -> None:
    assert place.name == explained["record"] == results["gallery"][0]["record"]
    assert sorted(path.name for path in place.iterdir()) == ["chain.png", "explanation.json", "index.html"]
    with Image.open(place / "chain.png") as picture:
        assert picture.width > picture.height / 2 > 300 and "Not for clinical use" in picture.info["Disclaimer"]


def test_page_is_one_file(explained: dict[str, Any], place: Path) -> None:
    page = (place / "index.html").read_text()
    assert explained["title"] in page and "Not for clinical use" not in page.split("<main")[1]
    assert 'src="http' not in page and "<script src" not in page and "url(" not in page
    assert page.count('src="data:image/') == page.count("<img ")


def test_chains_are_those_of_the_report(explained: dict[str, Any]) -> None:
    images = [(image["compared_to"], image["kind"]) for image in explained["images"]]
    assert images == [
        *(("source", kind) for kind in ("source", "vae", "replay", "edit", "counterfactual")),
        *(("reference", kind) for kind in ("reference", "reference_vae", "reference_replay", "sham")),
    ]


def test_predictors_prediction_as_in_the_run(explained: dict[str, Any], results: dict[str, Any]) -> None:
    said = {image["kind"]: image["predictors"] for image in explained["images"]}
    for key, probabilities in results["gallery"][0]["predictions"].items():
        for kind, name in {
            "source": "source",
            "edit": "radedit",
            "sham": "sham",
            "counterfactual": "counterfactual",
        }.items():
            assert said[kind][key]["probability"] == pytest.approx(probabilities[name], abs=1e-5)


def test_differences_are_those_of_the_sets_pictures(explained: dict[str, Any], finished: Path) -> None:
    (stress_set,) = (finished / "stress_sets").glob("manifestation-*")
    images = {image["kind"]: image for image in explained["images"]}
    source, edit = (read_image(stress_set / images[kind]["image"]).pixels for kind in ("source", "edit"))
    assert images["edit"]["change"]["mean"] == pytest.approx(float(255 * (edit - source).abs().mean()), abs=1e-3)
    assert images["source"]["change"]["max"] == images["reference"]["change"]["max"] == 0
    for image in images.values():
        assert image["sha256"] == hashlib.sha256((stress_set / image["image"]).read_bytes()).hexdigest()


def test_facts_name_run_set_and_predictors_by_their_hashes(
    explained: dict[str, Any], folder: Path, results: dict[str, Any]
) -> None:
    assert explained["hashes"].pop("results") == hashlib.sha256((folder / "results.json").read_bytes()).hexdigest()
    assert explained["hashes"] == results["hashes"]
    for key, place in explained["folders"].items():
        weights = folder.parent.parent / "predictors" / Path(place).name  # what is passed on names no other place
        assert [load_predictor(weights).hash] == list(results["hashes"]["predictors"][key].values())


def test_every_classifying_predictor_has_a_grad_cam(explained: dict[str, Any]) -> None:
    assert set(explained["grad_cam"]["layers"]) == set(explained["folders"]) and len(explained["folders"]) == 4
    for image in explained["images"]:
        assert all(says["grad_cam"]["max"] >= 0 for says in image["predictors"].values())


def test_again_and_with_weights_that_have_moved_is_the_same_page(out: Path, place: Path) -> None:
    (folder,) = (out / "stress").glob("manifestation-*")
    found = json.loads((folder / "results.json").read_text())
    found["predictors"][0]["folder"] = "moved/away"
    found["predictors"][1]["folder"] = f"predictors/{found['predictors'][1]['key']}"  # as seen from the folder `out`
    rewrite(folder, found)
    assert run(explain.main, [f"run={folder}", f"+folders.{KEY}={out / 'predictors' / KEY}"]) == 0
    assert (folder / "explain" / place.name / "chain.png").read_bytes() == (place / "chain.png").read_bytes()


def test_prediction_is_right_or_wrong_at_the_predictors_own_threshold(out: Path, explained: dict[str, Any]) -> None:
    (folder,) = (out / "stress").glob("manifestation-*")
    edit = next(image for image in explained["images"] if image["kind"] == "edit")["predictors"][KEY]
    found = json.loads((folder / "results.json").read_text())
    entry = next(entry for entry in found["predictors"] if entry["key"] == KEY)
    entry["threshold"] = edit["probability"] + (1e-3 if edit["wrong"] else -1e-3)
    rewrite(folder, found)
    assert run(explain.main, [f"run={folder}"]) == 0
    again = json.loads((folder / "explain" / explained["record"] / "explanation.json").read_text())
    assert (
        next(image for image in again["images"] if image["kind"] == "edit")["predictors"][KEY]["wrong"]
        is not edit["wrong"]
    )


MISTAKES = {
    "unknown record": (["record=sources-x"], "There is no record 'sources-x' among the 2 of "),
    "no results": (["run=."], "results.json does not exist; a stress test writes it when it has finished"),
    "no run": (["run=???"], "run was not given. Say run=… (folder of a finished stress test"),
    "set is gone": ([], "The stress set of "),
    "another set": ([], "has hash 000"),
    "trained again": ([], f"Predictor '{KEY}' in "),
    "weights are gone": ([], f"Say where the weights are: +folders.{KEY}="),
    "weights were not written down": ([], f"does not say where the weights of predictor '{KEY}' lie"),
    "unknown predictor": (["+folders.resnet=x"], "folders has 'resnet', which "),
    "skipped record": (["record=lost"], "Record 'lost' was skipped, not edited: It is blank."),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_named_in_one_line(mistake: str, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder,) = (out / "stress").glob("manifestation-*")
    (stress_set,) = (out / "stress_sets").glob("manifestation-*")
    found = json.loads((folder / "results.json").read_text())
    weights = out / "weights"
    shutil.copytree(out / "predictors" / KEY, weights)
    found["predictors"][0]["folder"] = weights.name  # seen from the folder of all outputs
    match mistake:
        case "set is gone":
            shutil.rmtree(stress_set)
        case "another set":
            (stress_set / "meta.json").write_text(json.dumps({"content_hash": "0" * 64}))
        case "trained again":
            predictor = load_predictor(weights)
            with torch.no_grad():
                next(predictor.parameters()).mul_(2)
            predictor.save_pretrained(weights)
        case "weights are gone":
            shutil.rmtree(weights)
        case "weights were not written down":
            found["predictors"][0]["folder"] = ""
        case "skipped record":
            entry = {"block": 0, "id": "lost", "reason": "It is blank."}
            (stress_set / "skipped.jsonl").write_text(json.dumps(entry) + "\n")
    rewrite(folder, found)

    arguments, message = MISTAKES[mistake]
    given = [] if any(argument.startswith("run=") for argument in arguments) else [f"run={folder}"]
    assert run(explain.main, [*given, *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and message in captured.err
    assert "\n" not in captured.err.strip() and not (folder / "explain").exists()
