"""What W&B is told of a run: names of metrics, tables, lineage. No server is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from radedit.report import wandb_log
from radedit.report.wandb_log import log_run, log_sweep, slug, summary
from tests.report.conftest import Run, between, estimate, made_up

SET = "ab" * 32


class WandbLogger:
    """Looks like Lightning's, and keeps what it is told."""

    def __init__(self, offline: bool) -> None:
        self.experiment = self  # also the run
        self.offline, self.disabled = offline, False
        self.config: dict[str, Any] = {}
        self.metrics: dict[str, Any] = {}
        self.logged: dict[str, Any] = {}
        self.made: list[Any] = []
        self.used: list[Any] = []
        self.status = ""

    def log_hyperparams(self, config: dict[str, Any]) -> None:
        self.config |= config

    def log_metrics(self, metrics: dict[str, Any]) -> None:
        self.metrics |= metrics

    def log(self, values: dict[str, Any]) -> None:
        self.logged |= values

    def log_artifact(self, artifact: Any) -> None:
        self.made.append(artifact)

    def use_artifact(self, artifact: Any) -> None:
        if self.offline:
            raise TypeError("Cannot use artifact when in offline mode.")
        self.used.append(artifact)

    def finalize(self, status: str) -> None:
        self.status = status


@pytest.fixture(autouse=True)
def _wandb_stays_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("DATA_DIR", "CACHE_DIR", "ARTIFACT_DIR"):
        monkeypatch.setenv(f"WANDB_{name}", str(tmp_path / "wandb"))
    yield


def addition() -> Run:
    """The same run as if lungs were segmented."""
    run = made_up() | {"measure": "dice", "verdicts": verdicts()}
    for row in run["table"]:
        row["scores"] = {"dice": row.pop("accuracy"), "hd95": estimate(12.0, 9.0, 15.0)}
        row["missed"] = 1
    return run


def verdicts() -> list[Run]:
    return [
        {"predictor": "bad", "outcome": "fail", "excess": between(0.8), "path": between(0.01), "n": 60, "reasons": []},
        {"predictor": "good", "outcome": "pass", "excess": between(0.04), "path": between(0.0), "n": 60, "reasons": []},
    ]


@pytest.fixture
def finished(write: Callable[[Run], Path]) -> tuple[Run, Path]:
    """Results and folder of a run whose stress set is beside it."""
    run = made_up() | {"verdicts": verdicts()}
    run["hashes"] |= {"stress_set": SET}
    run["config"]["editor"]["_target_"] = "radedit.editing.radedit.edit"
    written = write(run)
    folder = written.parent / "out" / "stress" / "run"
    folder.parent.mkdir(parents=True)
    written.rename(folder)
    (folder / "report.html").write_text("<p>report</p>")
    place = folder.parent.parent / "stress_sets" / f"manifestation-{SET[:12]}"
    place.mkdir(parents=True)
    (place / "manifest.csv").write_text("id\n")
    (place / "meta.json").write_text(json.dumps({"content_hash": SET}))
    return run, folder


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("ordinary test set", "ordinary_test_set"),
        ("synthetic (kept)", "synthetic_kept"),
        ("truly shifted, same patients", "truly_shifted_same_patients"),
        ("VAE", "vae"),
    ],
)
def test_slug_is_a_word(data: str, name: str) -> None:
    assert slug(data) == name


def test_metrics_are_named_alike_in_a_removal_and_an_addition() -> None:
    def names(run: Run) -> set[str]:
        return {name.replace("/dice", "/accuracy") for name in summary(run) if "hd95" not in name}

    removal, added = names(made_up() | {"verdicts": verdicts()}), names(addition())
    assert {name for name in added if not name.endswith("/missed")} == removal


def test_metrics_have_values_bounds_and_counts() -> None:
    found = summary(made_up() | {"verdicts": verdicts()})
    test = "test/bad/synthetic_kept"
    assert found[f"{test}/accuracy"] == 0.18 and found[f"{test}/n"] == 60
    assert found[f"{test}/accuracy/low"] == pytest.approx(0.13) and found[f"{test}/accuracy/high"] == pytest.approx(
        0.23
    )
    assert found["attribution/bad/shift"] == 0.795 and found["attribution/bad/shift/high"] == pytest.approx(0.845)
    assert found["verdict/bad"] == "fail" and found["verdict/bad/excess"] == 0.8 and found["verdict/bad/n"] == 60
    assert found["counts/sources"] == 62 and found["score/kept_share"] == pytest.approx(60 / 61)
    assert found["cost/generate_minutes"] == 3.2
    assert not [name for name in found if " " in name or "(" in name]


def test_what_is_not_known_is_left_out() -> None:
    run = made_up()
    run["table"][0]["accuracy"] = estimate(None)
    run["counts"] = {"sources": 3, "edited": 0, "kept": 0}
    found = summary(run)
    assert "test/bad/synthetic_kept/accuracy" in found and "score/kept_share" not in found
    assert not [name for name in found if name.startswith(f"test/bad/{slug(run['table'][0]['data'])}/accuracy")]


def test_agreement_is_that_of_the_kept_edits() -> None:
    run = made_up()
    over_all = run["agreement"][0] | {"edits": "all", "difference": estimate(0.5)}
    run["agreement"] = [run["agreement"][0], over_all]
    assert summary(run)["agreement/bad/difference"] == 0.02


@pytest.mark.parametrize("offline", [True, False])
def test_run_is_logged_with_configuration_tables_and_report(offline: bool, finished: tuple[Run, Path]) -> None:
    run, folder = finished
    logger = WandbLogger(offline)
    log_run(logger, run, folder, {"seed": 7})
    assert logger.config["hashes"] == run["hashes"] and logger.config["seed"] == 7
    assert logger.config[wandb_log.EDITOR] == "radedit"
    assert logger.metrics == summary(run) and logger.status == "success"
    assert logger.logged["edits"].columns[:3] == ["record", "kept", "cosine"]
    assert [row[0] for row in logger.logged["edits"].data] == ["rec-1", "rec-2", "rec-3"]
    assert "report" in logger.logged


def test_offline_there_are_hashes_but_no_artifacts(finished: tuple[Run, Path]) -> None:
    logger = WandbLogger(offline=True)
    log_run(logger, *finished, {})
    assert not logger.made and not logger.used and logger.config["hashes"]["stress_set"] == SET


def test_online_set_and_predictors_are_artifacts_named_by_their_hashes(finished: tuple[Run, Path]) -> None:
    logger = WandbLogger(offline=False)
    log_run(logger, *finished, {})
    (made,) = logger.made
    assert (made.name, made.type, made.metadata) == (f"stress-set-{SET[:12]}", "stress-set", {"content_hash": SET})
    assert set(made.manifest.entries) == {"manifest.csv", "meta.json", "results.json"}  # no film, no weights
    assert [(used.name, used.type, used.metadata["hash"]) for used in logger.used] == [
        ("predictor-bb22", "predictor", "bb22"),
        ("predictor-cc33", "predictor", "cc33"),
    ]
    assert all(set(used.manifest.entries) == {"predictor.json"} for used in logger.used)


def test_sweep_is_a_run_of_its_own_with_the_metrics_of_runs(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<p>sweep</p>")
    table = [*made_up()["table"], {"predictor": "bad", "seeds": 5}]
    logger = WandbLogger(offline=True)
    log_sweep(logger, table, tmp_path, {"name": "manifestation"})
    assert logger.metrics["test/bad/synthetic_kept/accuracy"] == 0.18
    assert set(logger.metrics) <= set(summary(made_up()))
    assert logger.logged["sweep"].columns == ["predictor", "data", "label", "n", "accuracy", "paper", "seeds"]
    assert logger.logged["sweep"].data[1][4] == 0.18 and len(logger.logged["sweep"].data) == len(table)
    assert "report" in logger.logged and logger.config == {"name": "manifestation"} and logger.status == "success"


def test_other_loggers_get_numbers_only(finished: tuple[Run, Path]) -> None:
    class CSVLogger(WandbLogger):
        pass

    logger = CSVLogger(offline=False)
    log_run(logger, *finished, {})
    assert logger.metrics and not logger.logged and not logger.made


def test_without_a_logger_nothing_is_logged(finished: tuple[Run, Path]) -> None:
    log_run(None, *finished, {})
    log_sweep(None, [], finished[1], {})
