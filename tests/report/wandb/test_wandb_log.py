"""What W&B is told of a run: names of metrics, tables, lineage. No server is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from radedit.harness.evidence.results import Results
from radedit.harness.sweep.results import Sweep, Variant
from radedit.report.wandb import log as wandb_log
from radedit.report.wandb.log import log_run, log_sweep, slug, summary
from tests.report.conftest import ADDITION, Run, between, estimate, made_up

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
    run = made_up() | {"scenario": ADDITION, "verdicts": verdicts()}
    for row in run["table"]:
        row["scores"] = {"dice": row.pop("accuracy"), "hd95": estimate(12.0, 9.0, 15.0)}
        row["missed"] = 1
    return run


def verdicts() -> list[Run]:
    return [
        {
            "predictor": "bad",
            "outcome": "fail",
            "shift_effect": between(0.8),
            "artefact": between(0.01),
            "n": 60,
            "reasons": [],
        },
        {
            "predictor": "good",
            "outcome": "pass",
            "shift_effect": between(0.04),
            "artefact": between(0.0),
            "n": 60,
            "reasons": [],
        },
    ]


def results(run: Run) -> Results:
    """As they are read."""
    return Results.model_validate_json(json.dumps(run))


@pytest.fixture
def finished(write: Callable[[Run], Path]) -> tuple[Results, Path]:
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
    return results(run), folder


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("in-distribution test set", "in_distribution_test_set"),
        ("synthetic (kept)", "synthetic_kept"),
        ("truly shifted, same patients", "truly_shifted_same_patients"),
        ("VAE", "vae"),
    ],
)
def test_slug_is_a_word(data: str, name: str) -> None:
    assert slug(data) == name


def test_metrics_are_named_alike_in_a_removal_and_an_addition() -> None:
    def names(run: Run) -> set[str]:
        return {name.replace("/dice", "/accuracy") for name in summary(results(run)) if "hd95" not in name}

    removal, added = names(made_up() | {"verdicts": verdicts()}), names(addition())
    assert {name for name in added if not name.endswith("/missed")} == removal


def test_metrics_have_values_bounds_and_counts() -> None:
    found = summary(results(made_up() | {"verdicts": verdicts()}))
    test = "test/bad/synthetic_kept"
    assert found[f"{test}/accuracy"] == 0.18 and found[f"{test}/n"] == 60
    assert found[f"{test}/accuracy/low"] == pytest.approx(0.13) and found[f"{test}/accuracy/high"] == pytest.approx(
        0.23
    )
    assert found["attribution/bad/shift"] == 0.795 and found["attribution/bad/shift/high"] == pytest.approx(0.845)
    assert found["verdict/bad"] == "fail" and found["verdict/bad/shift_effect"] == 0.8 and found["verdict/bad/n"] == 60
    assert found["counts/sources"] == 62 and found["score/kept_share"] == pytest.approx(60 / 61)
    assert found["cost/generate_minutes"] == 3.2
    assert not [name for name in found if " " in name or "(" in name]


def test_what_is_not_known_is_left_out() -> None:
    run = made_up()
    run["table"][0]["accuracy"] = estimate(0.9)
    run["counts"] = {"sources": 3, "edited": 0, "kept": 0}
    found = summary(results(run))
    first = f"test/bad/{slug(run['table'][0]['data'])}/accuracy"
    assert first in found and f"{first}/low" not in found and "score/kept_share" not in found


def test_agreement_is_that_of_the_kept_edits() -> None:
    run = made_up()
    over_all = run["agreement"][0] | {"edits": "all", "difference": estimate(0.5)}
    run["agreement"] = [run["agreement"][0], over_all]
    assert summary(results(run))["agreement/bad/difference"] == 0.02


@pytest.mark.parametrize("offline", [True, False])
def test_run_is_logged_with_configuration_tables_and_report(offline: bool, finished: tuple[Results, Path]) -> None:
    run, folder = finished
    logger = WandbLogger(offline)
    log_run(logger, run, folder, {"seed": 7})
    assert logger.config["hashes"] == run.hashes.model_dump() and logger.config["seed"] == 7
    assert logger.config[wandb_log.EDITOR] == "radedit"
    assert logger.metrics == summary(run) and logger.status == "success"
    assert logger.logged["edits"].columns[:3] == ["record", "kept", "cosine"]
    assert [row[0] for row in logger.logged["edits"].data] == ["rec-1", "rec-2", "rec-3"]
    assert "report" in logger.logged


def test_offline_there_are_hashes_but_no_artifacts(finished: tuple[Results, Path]) -> None:
    logger = WandbLogger(offline=True)
    log_run(logger, *finished, {})
    assert not logger.made and not logger.used and logger.config["hashes"]["stress_set"] == SET


def test_online_set_and_predictors_are_artifacts_named_by_their_hashes(finished: tuple[Results, Path]) -> None:
    logger = WandbLogger(offline=False)
    log_run(logger, *finished, {})
    (made,) = logger.made
    assert (made.name, made.type, made.metadata) == (f"stress-set-{SET[:12]}", "stress-set", {"content_hash": SET})
    assert set(made.manifest.entries) == {"manifest.csv", "meta.json", "results.json"}  # no image, no weights
    assert [(used.name, used.type, used.metadata["hash"]) for used in logger.used] == [
        ("predictor-bb22", "predictor", "bb22"),
        ("predictor-cc33", "predictor", "cc33"),
    ]
    assert all(set(used.manifest.entries) == {"predictor.json"} for used in logger.used)


def sweep(*variants: str) -> Sweep:
    one = results(made_up() | {"verdicts": verdicts()})
    several = [Variant(key=key, name=key, group=key, results=one) for key in variants]
    return Sweep(
        title=one.title, hash="ee55", created="", command="python -m radedit.stress", rules=one.rules, outcome="fail",
        exit_code=0, runs=[], variants=several, groups=several, verdicts=one.verdicts,
    )  # fmt: skip


def test_sweep_is_a_run_of_its_own_with_the_metrics_of_runs(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<p>sweep</p>")
    logger = WandbLogger(offline=True)
    log_sweep(logger, sweep("one"), tmp_path)
    assert logger.metrics == summary(results(made_up() | {"verdicts": verdicts()}))
    assert len(logger.logged["sweep"].data) == len(made_up()["table"]) and logger.logged["sweep"].data[1][6] == 0.18
    assert "report" in logger.logged and logger.config["hashes"]["sweep"] == "ee55" and logger.status == "success"


def test_variants_of_a_sweep_are_told_apart(tmp_path: Path) -> None:
    logger = WandbLogger(offline=True)
    log_sweep(logger, sweep("oedema", "pacemaker"), tmp_path)
    assert {"test/oedema/bad/synthetic_kept/accuracy", "verdict/pacemaker/good"} <= set(logger.metrics)


def test_other_loggers_get_numbers_only(finished: tuple[Results, Path]) -> None:
    class CSVLogger(WandbLogger):
        pass

    logger = CSVLogger(offline=False)
    log_run(logger, *finished, {})
    assert logger.metrics and not logger.logged and not logger.made


def test_without_a_logger_nothing_is_logged(finished: tuple[Results, Path]) -> None:
    log_run(None, *finished, {})
    log_sweep(None, sweep("one"), finished[1])
