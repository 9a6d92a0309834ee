"""The list of finished stress tests names every one once, by the names that its tables have."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from radedit.harness.sweep.finished_run import read_run
from radedit.harness.sweep.results import Sweep
from radedit.report.sweep import folder as sweep_folder
from radedit.report.sweep.index import finished_runs, runs_table, write_index
from tests.made_up_runs import ADDITIONS, addition_run, removal_run
from tests.report.sweep.test_page import Page


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of a removal's seed 0, its seed 1 alone, and a sweep of two additions. Not to be written to."""
    out = tmp_path_factory.mktemp("outputs")
    swept, _ = (removal_run(out / "stress", seed) for seed in range(2))
    named = {prompt: (key, key) for key, (_, prompt, _) in ADDITIONS.items()}
    additions = [addition_run(out / "stress", addition, 0) for addition in list(ADDITIONS)[:2]]
    with pytest.MonkeyPatch.context() as patch:  # their pages and certificates are no part of the test
        for name in ("write_report", "write_certificates"):
            patch.setattr(sweep_folder, name, lambda *_: None)
        sweep_folder.write_sweep([read_run(swept)], out / "sweeps", {})
        sweep_folder.write_sweep([read_run(folder) for folder in additions], out / "sweeps", named)
    return out


def test_every_run_is_listed_once(out: Path) -> None:
    found = finished_runs(out)
    listed = [run for line in found for run in line.runs]
    assert sorted(listed) == sorted(f"stress/{path.name}" for path in (out / "stress").iterdir() if path.is_dir())
    assert [line.created for line in found] == sorted((line.created for line in found), reverse=True)
    assert sorted(line.page.split("/")[0] for line in found) == ["stress", "sweeps", "sweeps"]
    assert {line.scenario for line in finished_runs(out, "population")} == {"population"}


def test_page_links_to_every_report_and_has_the_names_of_tables(out: Path) -> None:
    page = Page(write_index(out).read_text(encoding="utf-8"))
    said = " ".join(text.strip() for _, text in page.text)
    links = {attributes.get("href") for attributes in page.all("a")}
    assert {line.page for line in finished_runs(out)} <= links
    for folder in (out / "sweeps").iterdir():
        sweep = Sweep.model_validate_json((folder / "sweep.json").read_text(encoding="utf-8"))
        for variant in sweep.variants:
            for entry in variant.results.predictors:
                assert (f"{variant.name}, {entry.name}" if sweep.several else entry.name) in said


def test_console_has_the_keys_that_a_command_takes(out: Path) -> None:
    table = runs_table(finished_runs(out), out)
    assert "biased" in table and str(out / "stress") in table


def test_damaged_run_is_named_and_left_out(out: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    copy = Path(shutil.copytree(out, tmp_path / "copy"))
    alone = next(line for line in finished_runs(copy) if line.page.startswith("stress"))
    (copy / alone.runs[0] / "results.json").write_text("{", encoding="utf-8")
    assert alone.runs[0] not in [run for line in finished_runs(copy) for run in line.runs]
    assert "Left out" in caplog.text
