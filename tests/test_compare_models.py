"""`radedit.compare_models` on finished runs, and the history of a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from radedit import compare_models
from radedit import runs as runs_command
from radedit.app.sweeps import additions
from radedit.compare_models import named
from radedit.harness.sweep.finished_run import read_run, read_runs
from radedit.report.sweep.folder import write_sweep
from tests.commands import run
from tests.made_up_runs import removal_run

MADE: dict[Path, list[str]] = {}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions with the same predictions, each with a sweep of its own, and a run on other edits."""
    out = tmp_path_factory.mktemp("versions") / "outputs"
    versions = [removal_run(out / "stress", seed, predictions_of=0) for seed in (0, 1)]
    for folder in versions:
        write_sweep([read_run(folder)], out / "sweeps", additions())
    MADE[out] = [str(folder) for folder in (*versions, removal_run(out / "stress", 0, stress_set="other"))]
    return out


def folders(out: Path) -> list[str]:
    """Runs of the first version, of the second, and on other edits."""
    return MADE[out]


def test_two_folders_are_baseline_and_candidate() -> None:
    assert named(["a", "b", "margin=0.1"]) == ["baseline=a", "candidate=b", "margin=0.1"]
    assert named(["--cfg", "job", "a", "-v", "candidate=c"]) == ["--cfg", "job", "baseline=a", "-v", "candidate=c"]


def test_equal_versions_pass_and_a_report_is_named(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two, _ = folders(out)
    code = run(compare_models.main, [one, two, "margin=0.3", f"out={out / 'comparisons'}"])
    said = capsys.readouterr().out
    assert code == 0 and said.startswith("PASS") and Path(said.strip().splitlines()[-1]).is_file()


def test_few_images_do_not_show_that_a_version_is_no_worse(out: Path) -> None:
    one, two, _ = folders(out)
    assert run(compare_models.main, [f"baseline={one}", f"candidate={two}", f"out={out / 'comparisons'}"]) == 3


def test_other_edits_are_refused_in_one_line(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, _, other = folders(out)
    assert run(compare_models.main, [one, other, f"out={out / 'comparisons'}"]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: The stress sets differ") and "\n" not in said


def test_folder_of_a_sweep_stands_for_its_runs(out: Path) -> None:
    sweeps = sorted((out / "sweeps").iterdir())
    assert {run.folder.name for run in read_runs(sweeps)} == {Path(folder).name for folder in folders(out)[:2]}


def test_history_shows_a_model_over_its_tests(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(runs_command.main, [f"out={out}", "model=biased"]) == 0
    said = capsys.readouterr().out.strip().splitlines()
    page = Path(said[-1]).read_text(encoding="utf-8")
    assert page.count('<tr><th scope="row">') == 2 and page.count('<svg class="figure"') == 2
    assert [line[:10] for line in said[:2]] == ["2026-01-01", "2026-01-02"]


def test_history_of_an_unknown_model_names_those_there_are(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(runs_command.main, [f"out={out}", "model=mine"]) == 2
    assert "biased, unbiased" in capsys.readouterr().err
