"""Predictors are named by what determines them, found again by that name, and trained only where there are none."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from radedit.app import trained_predictors as trained
from radedit.app.configuration import composed
from radedit.app.trained_predictors import CARD, find, missing, note_recipe, obtain, recipe, steps_in
from radedit.data.io.progress import Progress

EXPERIMENT = "ptx_confounded_classifier"


@functools.cache
def named(*overrides: str) -> str:
    return recipe(composed("train", [f"+experiment={EXPERIMENT}", *overrides]))


def trained_by(name: str, folder: Path) -> Path:
    """A folder as a training leaves it."""
    folder.mkdir(parents=True)
    (folder / "model.safetensors").touch()
    (folder / CARD).write_text(json.dumps({"seed": 0}))
    note_recipe(folder, name)
    return folder


@pytest.mark.parametrize(
    "change",
    ["seed=1", "max_steps=10", "module.lr=1e-3", "data.train.n=10", "data.val.n=10", "data.batch_size=8",
     "world.appearance.gamma=1.2", "module.augmentation.flip=0", "monitor=null", "trainer.precision=bf16-mixed"],
)  # fmt: skip
def test_what_determines_the_weights_changes_the_recipe(change: str) -> None:
    change = f"+{change}" if "flip" in change else change
    assert named(change) != named()


@pytest.mark.parametrize("change", ["bundle=elsewhere", "cache=elsewhere", "logger=csv", "threads=2", "ckpt_every=7"])
def test_what_does_not_leaves_it_alone(change: str) -> None:
    assert named(change) == named()


@pytest.mark.parametrize("experiment", ["ptx_confounded_classifier", "ptx_unconfounded_segmenter"])
def test_shipped_predictors_are_found(experiment: str) -> None:
    found = find(recipe(composed("train", [f"+experiment={experiment}"])), [trained.SHIPPED])
    assert found is not None and found.name == experiment


def test_a_predictor_without_its_weights_is_not_found(tmp_path: Path) -> None:
    folder = trained_by("abc", tmp_path / "one")
    assert find("abc", [tmp_path]) == folder
    (folder / "model.safetensors").unlink()
    assert find("abc", [tmp_path]) is None


def test_what_is_lacking_is_said_of_each_seed(tmp_path: Path) -> None:
    trained_by(named("seed=1"), tmp_path / "predictors" / EXPERIMENT / "seed-1")
    assert trained.lacking([EXPERIMENT], [0, 1, 2], tmp_path) == [(EXPERIMENT, 2)]


def test_only_what_is_missing_is_trained_and_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def train(arguments: Sequence[str], folder: Path, progress: Progress) -> None:
        asked.append(folder.parent.name)
        (folder / CARD).write_text("{}")
        (folder / "model.safetensors").touch()
        note_recipe(folder, recipe(composed("train", arguments)))

    monkeypatch.setattr(trained, "_train", train)
    wanted = {"one": EXPERIMENT, "two": "covid_biased"}
    first = obtain(wanted, 0, tmp_path, jobs=2)
    assert first["one"] == trained.SHIPPED / EXPERIMENT and asked == ["covid_biased"]
    assert obtain(wanted, 0, tmp_path) == first and len(asked) == 1
    assert obtain(wanted, 1, tmp_path)["two"] != first["two"]
    assert asked[1:] == [EXPERIMENT, "covid_biased"]


def test_a_training_that_fails_says_where_its_log_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radedit.app.trained_predictors.sys.executable", "false")
    with pytest.raises(ValueError, match=r"training of covid_biased ended with code 1: .*training\.log"):
        obtain({"one": "covid_biased"}, 0, tmp_path)


def test_steps_of_a_training_are_read_from_its_log() -> None:
    with Progress(20_000, "Training", "steps") as progress:
        lines = [progress.line(1.0)]
        progress.add(1500)
        lines.append(progress.line(10.0))
    assert steps_in("\n".join(lines)) == 1500 and steps_in("loading\n") == 0


def test_a_users_own_predictor_is_not_trained() -> None:
    config = composed("stress", ["+scenario=manifestation", "predictors.confounded_classifier.folder=mine"])
    assert set(missing(config.predictors)) == {
        "confounded_segmenter", "unconfounded_classifier", "unconfounded_segmenter",
    }  # fmt: skip


def test_another_configuration_can_be_composed_inside_a_running_command() -> None:
    before = composed("stress", ["+scenario=manifestation"])
    composed("train", [f"+experiment={EXPERIMENT}"])
    assert composed("stress", ["+scenario=manifestation"]) == before
