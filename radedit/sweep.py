"""Put finished runs of one scenario together: `python -m radedit.sweep runs=[…]`, see `conf/sweep.yaml`."""

from __future__ import annotations

from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from radedit.app.command import entry_point


@entry_point("sweep")
def main(config: DictConfig) -> None:
    """Put the runs of several commands together, e.g. of two editors."""
    from radedit.app.loggers import RunLogger
    from radedit.app.sweeps import put_together
    from radedit.harness.sweep.finished_run import read_run

    folders = [config.runs] if isinstance(config.runs, str) else config.runs
    runs = [read_run(Path(folder).expanduser()) for folder in folders]
    how = instantiate(config.logger) if config.get("logger") else None
    if code := put_together(runs, Path(config.out), how if isinstance(how, RunLogger) else None):
        raise SystemExit(code)


if __name__ == "__main__":
    main()
