"""Loggers: a closed list of ours, and patients stay home."""

from __future__ import annotations

import csv
import getpass
import os
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from tensorboardX.proto.event_pb2 import Event

from radedit.app.command import entry_point
from radedit.app.configuration import CONF, close_logger, sent_by_default
from radedit.app.loggers import STAGING, RunLogger, open_logger, spoils_nothing
from tests.commands import run


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_SILENT", "true")
    for name in (*STAGING, "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # where nobody answers
    yield
    for name in (*STAGING, "WANDB_MODE"):
        os.environ.pop(name, None)


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (["+scenario=manifestation"], "images"),
        (["+scenario=manifestation", "setting=paper"], None),
        (["+scenario=acquisition", "setting=open"], None),
        (["+scenario=manifestation", "setting=manifest"], None),
        (["+scenario=manifestation", "shift=paper/manifestation"], None),
        (["+scenario=manifestation", "setting=paper", "logger.upload=numbers"], "numbers"),
        (["+scenario=manifestation", "logger.offline=true"], None),
    ],
)
def test_only_drawn_radiographs_are_sent_without_a_word(
    arguments: list[str], sent: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    command = entry_point("stress")(lambda config: found.append(instantiate(config.logger)))
    monkeypatch.setattr(sys, "argv", ["stress"])
    assert run(command, [*arguments, "hydra.mode=RUN"]) == 0
    assert found[0].sends == sent


@pytest.mark.parametrize(("experiment", "sent"), [("diffusion", "images"), ("paper/diffusion", None)])
def test_training_on_patients_sends_nothing(experiment: str, sent: str | None) -> None:
    found = []
    command = entry_point("train")(lambda config: found.append(instantiate(config.logger)))
    assert run(command, [f"+experiment={experiment}"]) == 0
    assert found[0].sends == sent


def test_nothing_is_sent_where_the_setting_is_not_known() -> None:
    assert sent_by_default() is None
    with initialize_config_dir(str(CONF), version_base="1.3"):
        assert instantiate(compose("sweep", overrides=["runs=[a]", "logger=wandb"]).logger).sends is None


@pytest.mark.parametrize(("key", "value"), [("kind", "torch.load"), ("upload", "everything"), ("offline", False)])
def test_value_that_is_not_allowed_is_named(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"logger.{key}"):
        RunLogger(**({"kind": "wandb"} | {key: value}))


@pytest.mark.parametrize("note", [None, "wandb", {"_target_": "os.system"}, {"kind": "csv", "more": 1}])
def test_note_that_is_none_of_ours_makes_no_logger(note: object) -> None:
    assert RunLogger.of(note) is None


@pytest.mark.slow
def test_without_a_network_the_run_is_logged_offline_and_inside_its_folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("radedit.app.loggers.INIT_SECONDS", 3.0)
    how = {"_target_": "radedit.app.loggers.RunLogger", "kind": "wandb", "save_dir": str(tmp_path / "out")}
    logger = open_logger(how | {"upload": "numbers", "name": "a"})
    assert logger is not None
    logger.log_metrics({"accuracy": 0.5})
    close_logger([logger])
    assert "numbers leave this machine" in capsys.readouterr().out
    assert "W&B does not answer" in caplog.text and "wandb sync" in caplog.text
    (kept,) = (tmp_path / "out" / "wandb").glob("offline-run-*/*.wandb")
    text = kept.read_bytes()
    assert socket.gethostname().encode() not in text and getpass.getuser().encode() not in text.replace(b"root_", b"")


@pytest.mark.slow
def test_a_run_that_stays_here_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WANDB_SILENT")
    how = {"_target_": "radedit.app.loggers.RunLogger", "kind": "wandb", "save_dir": str(tmp_path), "offline": True}
    logger = open_logger(how | {"name": "a"})
    assert logger is not None
    logger.log_metrics({"accuracy": 0.5})
    close_logger([logger])
    assert list(tmp_path.glob("wandb/offline-run-*"))
    said = capfd.readouterr()
    assert "wandb" not in said.out + said.err


def test_logging_that_fails_spoils_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with spoils_nothing():
        raise ConnectionError("no network")
    assert "no network" in caplog.text and "its results are whole" in caplog.text


def test_what_the_command_line_names_is_trusted(tmp_path: Path) -> None:
    own = {"_target_": "lightning.pytorch.loggers.CSVLogger", "save_dir": str(tmp_path)}
    assert type(open_logger(own)).__name__ == "CSVLogger" and open_logger(None) is None


METRICS = {"test/biased/synthetic_kept/accuracy": 0.25, "counts/kept": 3.0, "verdict/biased": "fail"}


def logged_csv(folder: Path) -> dict[str, object]:
    (file,) = folder.rglob("metrics.csv")
    (row,) = csv.DictReader(file.open())
    return {
        name: value if name.startswith("verdict") else float(value) for name, value in row.items() if name != "step"
    }


def logged_tensorboard(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for file in folder.rglob("events.*"):
        for record in records_of(file.read_bytes()):
            for value in Event.FromString(record).summary.value:
                words = value.tensor.string_val
                found[value.tag.removesuffix("/text_summary")] = words[0].decode() if words else value.simple_value
    return {name: value for name, value in found.items() if "hparams" not in name}


def records_of(content: bytes) -> Iterator[bytes]:
    """Records of an event file: a length, its checksum, the record, its checksum."""
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        yield content[12 : 12 + length]
        content = content[16 + length :]


class Client:
    """As much of MLflow's client as is called, writing down what it is told."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.metrics: dict[str, Any] = {}
        self.tags: dict[str, Any] = {}
        CLIENTS.append(self)

    def get_experiment_by_name(self, name: str) -> None:
        return None

    def create_experiment(self, **options: object) -> str:
        return "1"

    def create_run(self, experiment_id: str, tags: dict[str, str]) -> SimpleNamespace:
        self.tags |= tags
        return SimpleNamespace(info=SimpleNamespace(run_id="r"))

    def get_run(self, run_id: str) -> bool:
        return True

    def set_terminated(self, run_id: str, status: str) -> None:
        assert status == "FINISHED"

    def set_tag(self, run_id: str, name: str, value: str) -> None:
        self.tags[name] = value

    def log_batch(self, run_id: str, metrics: Sequence[SimpleNamespace] = (), params: Sequence[object] = ()) -> None:
        self.metrics |= {metric.key: metric.value for metric in metrics}


CLIENTS: list[Client] = []


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> list[Client]:
    """Stands for the package, which pins other versions of what we need."""
    user = {"mlflow.user": getpass.getuser(), "mlflow.source.name": "/home/somebody/stress.py"}
    parts: dict[str, dict[str, object]] = {
        "mlflow": {"set_tracking_uri": lambda uri: None},
        "mlflow.tracking": {"MlflowClient": Client},
        "mlflow.tracking.context.registry": {"resolve_tags": lambda tags: user | tags},
        "mlflow.entities": {"Metric": SimpleNamespace, "Param": SimpleNamespace},
        "mlflow.utils.mlflow_tags": {"MLFLOW_RUN_NAME": "mlflow.runName"},
    }
    for name, content in parts.items():
        module = ModuleType(name)
        vars(module).update(content)
        module.__spec__ = ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("lightning.pytorch.loggers.mlflow._MLFLOW_AVAILABLE", True)
    monkeypatch.setattr("lightning.pytorch.loggers.mlflow._get_resolve_tags", lambda: lambda tags: user | tags)
    CLIENTS.clear()
    return CLIENTS


def test_every_logger_has_the_metric_under_the_same_name(tmp_path: Path, mlflow: list[Client]) -> None:
    for kind in ("csv", "tensorboard", "mlflow"):
        logger = RunLogger(kind, str(tmp_path / kind), "a").open()
        logger.log_hyperparams({"seed": 0})
        logger.log_metrics(METRICS)
        logger.save()
        logger.finalize("success")
    assert logged_csv(tmp_path / "csv") == METRICS
    assert logged_tensorboard(tmp_path / "tensorboard") == METRICS
    (client,) = mlflow
    assert client.metrics | {"verdict/biased": client.tags["verdict/biased"]} == METRICS


def test_mlflow_writes_files_unless_told_what_to_send_and_names_nobody(
    tmp_path: Path, mlflow: list[Client], capsys: pytest.CaptureFixture[str]
) -> None:
    RunLogger("mlflow", str(tmp_path), "a").open().log_metrics(METRICS)
    assert mlflow[-1].uri == f"file://{tmp_path}/mlruns" and not capsys.readouterr().out
    RunLogger("mlflow", str(tmp_path), "a", server="https://a.b", upload="numbers").open().log_metrics(METRICS)
    assert mlflow[-1].uri == "https://a.b" and "numbers leave this machine" in capsys.readouterr().out
    assert getpass.getuser() not in mlflow[-1].tags.values() and "/home" not in str(mlflow[-1].tags)
    RunLogger("mlflow", str(tmp_path), "a", server="https://a.b", upload="numbers", offline=True).open()
    assert mlflow[-1].uri.startswith("file:")


@pytest.mark.parametrize(
    "values", [{"server": "https://a.b"}, {"upload": "numbers"}, {"upload": "images", "server": "https://a.b"}]
)
def test_mlflow_is_told_both_where_and_what(values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="logger.upload"):
        RunLogger("mlflow", **values)


@pytest.mark.parametrize("kind", ["tensorboard", "mlflow", "wandb"])
def test_missing_package_is_one_line_with_the_command_that_installs_it(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("radedit.app.loggers.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=f"^logger={kind} needs the package {kind}. Install it: pip install {kind}$"):
        RunLogger(kind, str(tmp_path)).open()


@pytest.mark.parametrize("kind", [path.stem for path in (CONF / "logger").glob("*.yaml")])
def test_every_logger_is_one_file_and_sends_nothing_of_patients(kind: str) -> None:
    found = []
    command = entry_point("stress")(lambda config: found.append(instantiate(config.logger)))
    assert run(command, ["+scenario=manifestation", "setting=paper", f"logger={kind}", "hydra.mode=RUN"]) == 0
    assert (found[0].kind, found[0].sends) == (kind, None)
