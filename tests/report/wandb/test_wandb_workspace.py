"""The view of a W&B project, as its specification has it. No server is asked."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from radedit import workspace as command
from radedit.report.wandb.log import EDITOR, summary
from radedit.report.wandb.workspace import specification, workspace
from tests.commands import run as run_command
from tests.report.conftest import Run, made_up
from tests.report.wandb.test_wandb_log import addition, results, verdicts

RUNS = [results(made_up() | {"verdicts": verdicts()}), results(addition())]


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    pytest.importorskip("wandb_workspaces")
    found: dict[str, Any] = json.loads(specification(workspace("team", "radedit", "a view", RUNS)))
    return found


def panels(spec: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    sections = spec["spec"]["section"]["panelBankConfig"]["sections"]
    return {section["name"]: section["panels"] for section in sections}


def test_sections_lead_from_the_headline_to_the_edits(spec: dict[str, Any]) -> None:
    assert list(panels(spec)) == ["Headline", "Other sets of images", "Attribution", "Counts and cost", "Edits"]
    assert all(section["isOpen"] for section in spec["spec"]["section"]["panelBankConfig"]["sections"])


def test_every_metric_is_one_that_runs_are_logged_with(spec: dict[str, Any]) -> None:
    used = set(re.findall(r"(?:test|attribution|agreement|counts|score|cost|verdict)/[\w/]+", json.dumps(spec)))
    assert len(used) > 20
    assert used <= {name for run in RUNS for name in summary(run)}


def test_headline_has_bars_of_the_papers_two_sets_and_one_scatter_a_predictor(spec: dict[str, Any]) -> None:
    shown = panels(spec)["Headline"]
    bars = [panel["config"] for panel in shown if panel["viewType"] == "Bar Chart"]
    assert bars[0]["metrics"] == [f"test/{key}/in_distribution_test_set/accuracy" for key in ("bad", "good")]
    assert bars[1]["metrics"] == [f"test/{key}/synthetic_kept/accuracy" for key in ("bad", "good")]
    scatters = [panel["config"] for panel in shown if panel["viewType"] == "Scatter Plot"]
    assert len(scatters) == 4  # two predictors, by accuracy and by Dice


def test_runs_are_grouped_by_sweep_and_editor(spec: dict[str, Any]) -> None:
    (runs,) = spec["spec"]["section"]["runSets"]
    assert [(key["section"], key["name"]) for key in runs["grouping"]] == [
        ("run", "group"),
        ("config", f"{EDITOR}.value"),
    ]
    assert "summary:verdict/bad" in runs["runFeed"]["columnOrder"]


def test_edits_are_shown(spec: dict[str, Any]) -> None:
    media = [panel["config"].get("mediaKeys") for panel in panels(spec)["Edits"]]
    assert ["strip"] in media and ["report"] in media and '"edits"' in json.dumps(panels(spec)["Edits"])


def test_command_writes_the_specification_without_a_server(write: Callable[[Run], Path]) -> None:
    pytest.importorskip("wandb_workspaces")
    folder = write(made_up())
    assert run_command(command.main, [f"runs={folder.parent}", "save=false", "out=view.json"]) == 0
    assert "test/bad/synthetic_kept/accuracy" in Path("view.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runs=nowhere", "save=false"], "There is no finished run in nowhere"),
        ([], "entity was not given. Say entity=… (W&B user or team), or save=false"),
    ],
)
def test_mistake_is_named(
    arguments: list[str], message: str, write: Callable[[Run], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(made_up())
    assert run_command(command.main, [f"runs={folder.parent}", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_package_that_is_missing_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces.reports.v2", None)
    with pytest.raises(ValueError, match=r"not installed. Install it: .*\[workspace\]"):
        workspace("team", "radedit", "a view", RUNS)
