"""`python -m radedit.sweep`, and the end of `radedit.stress`: exit codes, errors, the same folder again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from radedit import runs, sweep
from radedit.app.configuration import CONF
from radedit.app.jobs import NOTES, Job, jobs, note_job
from radedit.app.sweeps import additions, finish
from radedit.harness.statistics import means as statistics
from radedit.report.sweep import folder as sweep_folder
from tests.commands import run
from tests.made_up_runs import RATES, addition_run, removal_run


@pytest.fixture(autouse=True)
def _few_resamples_and_no_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here has nothing to do with pictures or with the last digit of an interval."""
    monkeypatch.setattr(statistics, "RESAMPLES", 200)
    for name in ("write_report", "write_certificates"):
        monkeypatch.setattr(sweep_folder, name, lambda *_: None)


HOLDS = {role: RATES["unbiased"] | {"edit": RATES["unbiased"]["sham"]} for role in RATES}


def code_of(folders: list[Path]) -> int:
    try:
        finish([Job(folder) for folder in folders])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.parametrize(
    ("fail_on", "min_n", "expected"),
    [(None, 30, 0), ("fail", 30, 1), ("undecided", 1000, 3)],
)
def test_exit_code_is_that_of_the_rules(fail_on: str | None, min_n: int, expected: int, tmp_path: Path) -> None:
    folders = [removal_run(tmp_path / "stress", seed, fail_on=fail_on, min_n=min_n) for seed in (0, 1)]
    assert code_of(folders) == expected
    (found,) = (tmp_path / "sweeps").iterdir()
    assert json.loads((found / "verdict.json").read_text())["exit_code"] == expected


def test_predictors_that_hold_pass(tmp_path: Path) -> None:
    folders = [removal_run(tmp_path / "stress", s, n=400, rates=HOLDS, fail_on="undecided", limit=0.2) for s in (0,)]
    assert code_of(folders) == 0


def test_sweep_that_is_killed_and_started_again_ends_with_the_same_hash(tmp_path: Path) -> None:
    folders = [removal_run(tmp_path / "stress", seed) for seed in (0, 1)]
    code_of(folders[:1])
    code_of(folders)
    before = sorted(path.name for path in (tmp_path / "sweeps").iterdir())
    code_of(folders[::-1])
    assert sorted(path.name for path in (tmp_path / "sweeps").iterdir()) == before and len(before) == 2


def test_jobs_leave_notes_that_any_machine_finds_and_none_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [tmp_path / "out" / "stress" / name for name in "ba"]
    with jobs(Path("out")) as folders:  # relative to where the command runs
        for folder in runs:
            with monkeypatch.context() as elsewhere:  # as submitit's jobs, which know their environment only
                elsewhere.chdir("/")
                note_job(folder)
        (notes,) = (tmp_path / "out").iterdir()
        for age, folder in enumerate(reversed(runs)):
            os.utime(notes / f"{folder.name}.json", (100 - age, 100 - age))
    assert folders == [Job(folder) for folder in runs]  # as they ended
    assert not list((tmp_path / "out").iterdir()) and NOTES not in os.environ


def test_nothing_finished_is_nothing_to_put_together(tmp_path: Path) -> None:
    finish([])
    assert not list(tmp_path.iterdir())


def test_command_that_swept_over_limits_gives_a_report_each(tmp_path: Path) -> None:
    folders = [removal_run(tmp_path / "stress", 0, limit=limit) for limit in (0.1, 0.2)]
    assert code_of(folders) == 0


def test_command_gives_what_the_end_of_a_sweep_gives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [removal_run(tmp_path / "stress", seed) for seed in (0, 1)]
    code_of(folders)
    joined = ",".join(str(folder) for folder in folders)
    assert run(sweep.main, ["-v", f"runs=[{joined}]", f"out={tmp_path / 'again'}", "logger=csv"]) == 0
    (one,), (two,) = ((path.parent for path in (tmp_path / name).glob("*/sweep.json")) for name in ("sweeps", "again"))
    assert list((tmp_path / "again" / "log").rglob("metrics.csv"))
    assert one.name == two.name and (one / "sweep.json").read_bytes() == (two / "sweep.json").read_bytes()
    printed = capsys.readouterr().out
    for text in ("Biased classifier", "5.5 ± 2.1", "FAIL", "The shift costs the biased classifier"):
        assert text in printed, text


def test_runs_are_listed_with_their_sweep_and_alone_where_they_are_in_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, alone = (removal_run(tmp_path / "stress", seed) for seed in (0, 1, 2))
    code_of([first, second])
    capsys.readouterr()
    assert run(runs.main, [f"out={tmp_path}"]) == 0
    together, single, index = sorted(
        capsys.readouterr().out.strip().split("\n\n"), key=lambda text: -text.count("run  ")
    )
    assert all(str(folder) in together for folder in (first, second)) and str(alone) not in together
    assert str(alone / "report.html") in single and "FAIL" in single and str(first) not in single
    page = Path(index).read_text(encoding="utf-8")
    assert all(f"stress/{folder.name}" in page for folder in (first, second, alone))


def test_foreign_folder_is_an_error_of_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(sweep.main, [f"runs=[{tmp_path}]", f"out={tmp_path / 'sweeps'}"]) == 2
    error = capsys.readouterr().err
    assert "it is no folder of a finished stress test" in error and "Traceback" not in error


def test_runs_of_two_scenarios_are_an_error_of_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [removal_run(tmp_path, 0), addition_run(tmp_path)]
    assert run(sweep.main, [f"runs=[{folders[0]},{folders[1]}]", f"out={tmp_path / 'sweeps'}"]) == 2
    assert "do not belong together: the scenario is" in capsys.readouterr().err


def test_missing_runs_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(sweep.main, []) == 2
    assert "runs was not given" in capsys.readouterr().err


def test_every_addition_has_a_name_by_its_prompt() -> None:
    named = additions().values()
    assert {key for key, _ in named} == {path.stem for path in (CONF / "addition").glob("*.yaml")}
    assert {group for _, group in named} == {"oedema", "pacemaker", "consolidation"}
