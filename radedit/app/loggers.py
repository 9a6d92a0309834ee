"""Where a run's numbers are logged: one of a closed list, and nothing leaves this machine unless that is said.

All of them give a metric the same name, see `radedit.report.wandb.log.summary`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from lightning.pytorch.loggers import CSVLogger, Logger
from lightning.pytorch.loggers import MLFlowLogger as LightningMLFlowLogger
from lightning.pytorch.loggers import TensorBoardLogger as LightningTensorBoardLogger
from lightning.pytorch.loggers import WandbLogger as LightningWandbLogger

logger = logging.getLogger(__name__)

KINDS = ("csv", "tensorboard", "mlflow", "wandb")
PACKAGES = {  # kind → modules of which one is needed, and how to install it
    "csv": ((), ""),
    "tensorboard": (("tensorboard", "tensorboardX"), "pip install tensorboard"),
    "mlflow": (("mlflow",), "pip install mlflow"),
    "wandb": (("wandb",), "pip install wandb"),
}
UPLOADS = (None, "numbers", "images")
LEAVES = {
    "numbers": "numbers leave this machine: metrics, settings and hashes; no images, no ids of records, no report",
    "images": "images leave this machine, with ids of records, their predictions, the manifest and the report",
}
STAGING = ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_ARTIFACT_DIR")  # else they lie in the home folder
INIT_SECONDS, FINISH_SECONDS = 30.0, 300.0  # that W&B may take to answer, and to send the rest at the end


@dataclass(frozen=True)
class RunLogger:
    """How a run is logged, as plain values; `open` makes the logger.

    Attributes:
        kind: `csv` or `tensorboard`, files below `save_dir`; or `mlflow` or `wandb`, there too unless `upload` says
            what is sent.
        save_dir: Folder of all that it writes.
        name: Of the run.
        project: In W&B; in MLflow, the experiment.
        group: In W&B, of the runs of one command.
        upload: What is sent: `numbers`, `images` (numbers as well; W&B only), or None for nothing.
        offline: True keeps everything here even so.
        server: Address of an MLflow server, to which numbers are sent where `upload` says so.

    Raises:
        ValueError: If a value is not allowed.
    """

    kind: str = "csv"
    save_dir: str = "outputs"
    name: str = "csv"
    project: str = "radedit"
    group: str = ""
    upload: str | None = None
    offline: bool | None = None
    server: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"logger.kind is {self.kind!r}; allowed are {', '.join(KINDS)}.")
        if self.upload not in UPLOADS:
            raise ValueError(f"logger.upload is {self.upload!r}; allowed are numbers, images, and null for nothing.")
        if self.kind == "mlflow" and self.upload == "images":
            raise ValueError("logger.upload is 'images', but MLflow is sent numbers only; say logger.upload=numbers.")
        if self.server and self.kind != "mlflow":
            raise ValueError(f"logger.server is {self.server!r}, which only logger=mlflow has.")
        if self.kind == "mlflow" and bool(self.server) != bool(self.upload) and not self.offline:
            raise ValueError(
                f"logger.server is {self.server!r} and logger.upload {self.upload!r}. To send numbers say both, "
                "as logger.server=https://mlflow.example.org logger.upload=numbers; to send nothing, neither."
            )
        if self.offline is False and self.upload is None and self.kind == "wandb":
            raise ValueError(
                "logger.offline=false does not say what may leave this machine. Say logger.upload=numbers, or "
                "logger.upload=images where no patient can be seen or where all may be sent."
            )

    @classmethod
    def of(cls, found: object) -> RunLogger | None:
        """One whose values were read from a note of ours; None where they are no such values."""
        names = {field.name for field in fields(cls)}
        if not isinstance(found, Mapping) or not set(found) <= names:
            return None
        return cls(**found)

    @property
    def sends(self) -> str | None:
        """What leaves this machine."""
        return None if self.kind not in ("mlflow", "wandb") or self.offline else self.upload

    def open(self) -> Logger:
        """The logger; one that sends says what.

        Raises:
            ValueError: If its package is not installed.
        """
        modules, install = PACKAGES[self.kind]
        if modules and not any(map(find_spec, modules)):
            raise ValueError(f"logger={self.kind} needs the package {modules[0]}. Install it: {install}")
        if self.kind == "csv":
            return CSVLogger(self.save_dir, self.name)
        if self.kind == "tensorboard":
            return TensorBoardLogger(self.save_dir, self.name, default_hp_metric=False)
        return MLFlowLogger(self) if self.kind == "mlflow" else WandbLogger(self)


class TensorBoardLogger(LightningTensorBoardLogger):
    """Lightning's, which takes words, such as a verdict, as texts."""

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Numbers as scalars, and words as texts of the same names."""
        for name, word in _words(metrics).items():
            self.experiment.add_text(name, word, step)
        super().log_metrics(_numbers(metrics), step)


class MLFlowLogger(LightningMLFlowLogger):
    """Lightning's, which writes files unless `upload` is set, sends no user name, and takes words as tags.

    Args:
        how: Names, folder and what is sent.
    """

    def __init__(self, how: RunLogger) -> None:
        place = (Path(how.save_dir) / "mlruns").resolve()
        super().__init__(
            how.project, how.name, tracking_uri=how.server if how.sends else place.as_uri(),
            tags={"mlflow.user": "-", "mlflow.source.name": "radedit", "radedit.group": how.group or how.name},
        )  # fmt: skip
        if how.sends:
            print(f"MLflow: {LEAVES['numbers']}. Server: {how.server}.", flush=True)

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Numbers as metrics, and words as tags of the same names."""
        for name, word in _words(metrics).items():
            self.experiment.set_tag(self.run_id, name, word)
        super().log_metrics(_numbers(metrics), step)


class WandbLogger(LightningWandbLogger):
    """Lightning's, which stays offline where there is no network, keeps its files in one folder, and names no machine.

    Args:
        how: Names, folder and what is sent.
    """

    def __init__(self, how: RunLogger) -> None:
        from wandb import Settings

        Path(how.save_dir).mkdir(parents=True, exist_ok=True)
        for name in STAGING:
            os.environ.setdefault(name, str(Path(how.save_dir).resolve() / "wandb"))
        wanted = {"dryrun": "offline"}.get(mode := os.environ.get("WANDB_MODE", ""), mode)
        self.how, self.upload = how, None if wanted in ("offline", "disabled") else how.sends
        self.linked = False
        mode = wanted if wanted == "disabled" else "online" if self.upload else "offline"
        settings = Settings(
            host="-", username="-", disable_git=True, disable_code=True, disable_job_creation=True, console="off",
            x_disable_meta=True, x_disable_machine_info=True, x_disable_stats=True, init_timeout=INIT_SECONDS,
            finish_timeout=FINISH_SECONDS, silent=self.upload is None,  # what stays here has nothing to tell
        )  # fmt: skip
        super().__init__(
            name=how.name, project=how.project, group=how.group or None, save_dir=how.save_dir, settings=settings,
            mode=mode,
        )  # fmt: skip
        if self.upload:
            print(f"W&B: {LEAVES[self.upload]}. Project: {how.project}.", flush=True)

    @property
    def experiment(self) -> Any:
        """The run; offline where the server does not answer. Its link is printed once."""
        try:
            run = LightningWandbLogger.experiment.__get__(self)
            if self.upload and not self.linked and isinstance(url := getattr(run, "url", None), str):
                self.linked = True
                print(f"W&B: {url}", flush=True)
            return run
        except Exception as error:  # W&B's own, requests', or of its service
            if self.upload is None:
                raise
            logger.warning(
                "W&B does not answer (%s); this run is logged offline. Send it later with: wandb sync %s",
                " ".join(str(error).split())[:200], Path(self.how.save_dir) / "wandb",
            )  # fmt: skip
            self.upload, self._wandb_init["mode"] = None, "offline"
            return LightningWandbLogger.experiment.__get__(self)

    def log_image(self, *arguments: Any, **options: Any) -> None:
        """Nothing where only numbers are sent."""
        if self.upload != "numbers":
            super().log_image(*arguments, **options)


def _words(metrics: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in metrics.items() if isinstance(value, str)}


def _numbers(metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metrics.items() if not isinstance(value, str)}


def open_logger(config: Any, **changed: Any) -> Logger | None:
    """The logger of a command's configuration, ours or one that the user names.

    Args:
        config: `logger` of the configuration, or None.
        changed: Values that differ from it, as far as the logger is ours.
    """
    if not config:
        return None
    how = instantiate(config)
    if not isinstance(how, RunLogger):
        return how
    return RunLogger(**(asdict(how) | changed)).open()


def noted(config: Any) -> dict[str, Any] | None:
    """How a job was logged, for the note that it leaves; None where the logger is not ours."""
    how = instantiate(config) if config else None
    return asdict(how) if isinstance(how, RunLogger) else None


@contextmanager
def spoils_nothing() -> Iterator[None]:
    """Logging that fails after the results were written is a warning, and changes no exit code."""
    try:
        yield
    except Exception as error:  # whatever a logger raises
        logger.warning("The run was not logged (%s: %s); its results are whole.", type(error).__name__, error)
