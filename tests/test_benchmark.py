"""`python -m radedit.benchmark`: all editors on phantoms, with tiny networks."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from radedit import __version__, benchmark
from radedit.data.io.provenance import git_commit
from radedit.models.bundle.bundle import hash_folder
from tests.commands import run
from tests.realcxr_folder import write_realcxr
from tests.tiny_bundle import SIZE

N, N_VALIDATION, WEIGHTS = 3, 2, [1.0, 2.0]
MASKLESS = ("lance", "sdedit")


@pytest.fixture(scope="module")
def arguments(tiny_bundle: Path) -> list[str]:
    return [
        f"generator.folder={tiny_bundle}", f"size={SIZE}", f"n={N}", f"n_validation={N_VALIDATION}", "n_pictures=2",
        "weights=[1,2]", "paper_weight=2", "setup.steps=2", "setup.block=2",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def out(arguments: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmark")
    assert run(benchmark.main, [*arguments, f"out={folder}"]) == 0
    return folder


@pytest.fixture
def results(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "results.json").read_text())
    return found


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def test_every_image_is_measured_under_every_editor(out: Path) -> None:
    found = Counter((row["editor"], row["mask"], row["w"]) for row in rows(out / "images.csv"))
    assert set(found.values()) == {N}
    names = {editor for editor, _, _ in found}
    assert names == {
        "radedit", "diffedit", *MASKLESS, "no "
                                          "edit", "local mean "
                                                  "fill", "VAE of the counterfactual", "re-rendered counterfactual",
    }  # fmt: skip
    masks = {editor: {mask for name, mask, _ in found if name == editor} for editor in names}
    assert masks["radedit"] == masks["diffedit"] == {"exact", "eroded", "shifted"}
    assert all(masks[editor] == {"exact"} for editor in MASKLESS)


def test_weights_are_chosen_on_other_patients(out: Path, results: dict[str, Any]) -> None:
    validation, test = rows(out / "validation.csv"), rows(out / "images.csv")
    assert not {row["patient"] for row in validation} & {row["patient"] for row in test}
    assert {float(row["w"]) for row in validation} == set(WEIGHTS)
    for editor, best in results["best_weights"].items():
        tested = {float(row["w"]) for row in test if row["editor"] == editor}
        assert tested == {2.0, best}


def test_table_averages_the_images(out: Path, results: dict[str, Any]) -> None:
    images = rows(out / "images.csv")
    for entry in results["table"]:
        w = "" if entry["w"] is None else str(entry["w"])
        of = [r for r in images if (r["editor"], r["mask"], r["w"]) == (entry["editor"], entry["mask"], w)]
        assert entry["n"] == len(of) == N
        for measure in ("success", "error_edit", "error_keep", "variance_ratio"):
            mean = sum(float(r[measure]) for r in of) / N
            assert entry[measure]["value"] == pytest.approx(mean, rel=1e-3, abs=1e-6)


def test_references_close_all_and_nothing_of_the_gap(results: dict[str, Any]) -> None:
    gap = {entry["editor"]: entry["gap_closed"] for entry in results["table"] if entry["w"] is None}
    assert gap["no edit"] == 0 and gap["re-rendered counterfactual"] == 1


def test_success_is_all_three_of_its_parts(out: Path) -> None:
    for row in rows(out / "images.csv"):
        parts = [float(row[key]) for key in ("gone", "kept", "clean")]
        assert float(row["success"]) == min(parts)


def test_results_say_where_they_come_from(results: dict[str, Any], tiny_bundle: Path) -> None:
    assert results["generator"] == hash_folder(tiny_bundle) and results["commit"] == git_commit()
    assert results["versions"]["radedit"] == __version__
    assert results["command"].startswith("python -m radedit.benchmark generator.folder=")


def test_table_and_pictures_are_there(out: Path, results: dict[str, Any]) -> None:
    lines = (out / "table.md").read_text().splitlines()
    assert len(lines) == 2 + len(results["table"]) and len({line.count("|") for line in lines}) == 1
    with Image.open(out / "editors.png") as picture:
        assert min(picture.size) > 100


@pytest.mark.slow
def test_same_command_gives_the_same_numbers(out: Path, arguments: list[str]) -> None:
    assert run(benchmark.main, [*arguments, "out=again"]) == 0
    for name in ("images.csv", "validation.csv"):
        assert Path("again", name).read_bytes() == (out / name).read_bytes()


MISTAKES = {
    "size": (["size=64"], "Images are drawn at 64 px, but the generator works at 32"),
    "generator": (["generator.folder=nowhere"], "No generator bundle in"),
    "key": (["stepps=3"], "There is no 'stepps' in conf/benchmark.yaml"),
    "out": (["out=notes.txt/out"], "notes.txt/out"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_named_in_one_line(mistake: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    wrong, message = MISTAKES[mistake]
    Path("notes.txt").write_text("not a folder")
    rest = [a for a in arguments if a.partition("=")[0] != wrong[0].partition("=")[0]]
    assert run(benchmark.main, [*rest, *wrong]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and "\n" not in error.strip()


@pytest.mark.slow
def test_real_images_with_drawn_findings_are_measured_and_those_that_cannot_be_drawn_on_are_left_out(
    arguments: list[str], tmp_path: Path
) -> None:
    few = {"joined": 2, "n": 36}  # the lungs of the first two images can't be told apart
    folder = write_realcxr(tmp_path / "realcxr", few["n"], joined=few["joined"])
    out = tmp_path / "out"
    assert run(benchmark.main, [*arguments, "images=open", f"realcxr={folder}", "weights=[1]", f"out={out}"]) == 0
    found = {row["record"] for row in rows(out / "images.csv")}
    assert found and not found & {"image_000", "image_001"}
    assert all(int(name.removeprefix("image_")) % 5 != 4 for name in found)  # every fifth image has no lung mask
