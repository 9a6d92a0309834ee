"""What is asked before a stress test, of its set, and beside it: `radedit.plan`, `radedit.score`, `radedit.compare`."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from radedit import compare, plan, score, stress
from radedit.app.configuration import CONF, composed
from radedit.studies.figures import comparison
from tests.commands import run
from tests.tiny_bundle import SIZE

N = 4


def words(bundle: Path, out: Path, scenario: str = "manifestation") -> list[str]:
    """A stress test's arguments: 32 px, two steps, random weights."""
    return [
        f"+scenario={scenario}", "preset=smoke", "logger=csv", f"size={SIZE}", f"n={N}", f"n_added={N}", "n_also=2",
        "n_cells=1", "n_own=4", "edit.steps=2", "edit.max_lost=1", "edit.threshold=-1", f"generator.folder={bundle}",
        f"out={out}",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def stress_set(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Folder of the outputs, with a finished set in it, and the words that made it."""
    out = tmp_path_factory.mktemp("set")
    told = words(tiny_bundle, out)
    assert run(stress.main, [*told, "run=[generate]", "seeds='0'"]) == 0
    return out, told


@pytest.fixture(scope="module")
def planned(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Folder of the outputs before there are any, and what the plan says then."""
    out = tmp_path_factory.mktemp("planned")
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert run(plan.main, words(tiny_bundle, out)) == 0
    return out, said.getvalue()


@pytest.mark.slow
def test_plan_counts_what_the_run_then_calls(
    stress_set: tuple[Path, list[str]], planned: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """All calls before there is a set, none afterwards; what is missing of predictors is counted for every seed."""
    out, before = planned
    assert run(plan.main, stress_set[1]) == 0
    after = capsys.readouterr().out
    calls = [int(re.search(r"in all: ([\d,]+) network calls", text)[1].replace(",", "")) for text in (before, after)]  # type: ignore[index]
    assert calls[0] > N and calls[1] == 0
    assert "Predictors to be trained: 8 of 8" in before and "2 seeds of 4 predictors" in before
    assert not (out / "stress_sets").exists()


def test_plan_says_how_many_images_five_points_take(planned: tuple[Path, str]) -> None:
    """n = (1.96 · 0.5 / 0.05)² for a rate near one half."""
    assert f"a rate near 50 %: 385; the {N} sources" in planned[1]


def test_plan_says_beforehand_what_four_images_can_not_decide(planned: tuple[Path, str]) -> None:
    printed = planned[1]
    assert "No verdict with 3 kept edits: records that are judged (rules.min_n) takes 30" in printed
    assert re.search(r"A pass takes \d+ kept edits, about \d+ sources", printed) and "  fail: " not in printed


def test_plan_says_what_can_fail_and_pass_where_the_rules_can_be_met(
    tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [*words(tiny_bundle, Path("out")), "limit=null", "n=200", "rules.min_n=30"]
    assert run(plan.main, told) == 0
    printed = capsys.readouterr().out
    assert "Verdicts, 4 of them, if the score keeps 80 % (160 of 200)" in printed and "No verdict" not in printed
    effect = re.search(r"one of (\d+) points or more is found in 80 %", printed)
    assert effect is not None and 10 < int(effect[1]) < 60 and "pass: possible" in printed


@pytest.mark.slow
def test_plan_sums_over_additions(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = words(tiny_bundle, Path("out"), "population")
    assert run(plan.main, [*told, "additions='oedema,pacemaker'"]) == 0
    printed = capsys.readouterr().out
    each = [int(n.replace(",", "")) for n in re.findall(r"about ([\d,]+) network calls", printed)]
    total = re.search(r"in all: ([\d,]+) network calls", printed)
    assert len(each) == 2 and total is not None and abs(sum(each) - int(total[1].replace(",", ""))) <= 100
    assert f"the {2 * N} sources" in printed


@pytest.mark.slow
def test_score_keeps_fewer_edits_the_higher_its_threshold(stress_set: tuple[Path, list[str]]) -> None:
    out, told = stress_set
    assert run(score.main, told) == 0
    (folder,) = (out / "score").iterdir()
    with (folder / "thresholds.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [float(row["kept"]) for row in rows]
    assert len(rows) > 3 and kept == sorted(kept, reverse=True) and {row["of"] for row in rows} == {str(N)}
    found = json.loads((folder / "score.json").read_text())
    for row in found["by_failure"]:
        assert row["failure"] and (row["auroc"] is None or 0 <= row["auroc"]["value"] <= 1)
    with Image.open(folder / "score.png") as picture:
        assert min(picture.size) > 300


def test_score_needs_a_finished_set(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(score.main, words(tiny_bundle, Path("empty"))) == 2
    assert "There is no finished stress set in" in capsys.readouterr().err


@pytest.mark.parametrize("command", [plan, score])
def test_scenario_must_be_given(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command.main, []) == 2  # type: ignore[attr-defined]
    assert "Say +scenario=… with one of: acquisition, manifestation, population" in capsys.readouterr().err


@pytest.mark.slow
def test_comparison_of_every_figure_has_pictures_and_numbers(tiny_bundle: Path) -> None:
    few = ["n=2", "n_pictures=2", f"size={SIZE}", "setup.steps=2", "setup.block=2", f"generator.folder={tiny_bundle}"]
    assert run(compare.main, ["out=out", *few]) == 0
    found = json.loads(Path("out/results.json").read_text())["comparisons"]
    assert list(found) == ["figure-2", "figure-3", "figure-10", "figure-11"]
    table = Path("out/table.md").read_text()
    for name, one in found.items():
        assert len(one["rows"]) >= 2 and one["claim"] in table
        with Image.open(f"out/{name}.png") as picture:
            assert picture.width >= 2 * SIZE


@pytest.mark.slow
def test_comparison_that_was_stopped_goes_on_with_the_next_figure(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = ["n=1", "n_pictures=1", f"size={SIZE}", "setup.steps=1", "setup.block=1", f"generator.folder={tiny_bundle}"]
    asked: list[str] = []
    whole = comparison.compare

    def stops_at_the_second(*arguments: Any, **options: Any) -> Any:
        asked.append(arguments[0].figure)
        if asked == ["Figure 2", "Figure 3"]:
            raise KeyboardInterrupt
        return whole(*arguments, **options)

    monkeypatch.setattr(comparison, "compare", stops_at_the_second)
    assert run(compare.main, ["out=out", *few]) == 130
    assert run(compare.main, ["out=out", *few]) == 0
    assert asked == ["Figure 2", "Figure 3", "Figure 3", "Figure 10", "Figure 11"]


def test_figures_are_made_at_the_weights_that_their_file_names() -> None:
    written, used = OmegaConf.load(CONF / "compare.yaml"), composed("compare", [])
    assert isinstance(written, DictConfig)
    for group in ("ways", "adding"):
        assert {name: way.w for name, way in used[group].items()} == {n: way.w for n, way in written[group].items()}
    figure_3 = used.comparisons["figure-3"].columns
    assert [column.editor.w for column in figure_3.values()] == [way.w for way in written.adding.values()]
