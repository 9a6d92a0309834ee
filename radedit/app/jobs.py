"""The jobs of a sweep, which may run in other processes or on other machines (Hydra's launchers).

Each leaves a note of its run in a folder that the environment names.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf

from radedit.app.configuration import CONF
from radedit.data.io.atomic import write_atomically

NOTES = "RADEDIT_JOBS"


class Job(NamedTuple):
    """The folder of a run that finished, and how it was logged, as a note of ours says it."""

    folder: Path
    logger: Mapping[str, Any] | None = None


@contextmanager
def jobs(out: Path) -> Iterator[list[Job]]:
    """Collects all runs that finish inside; read it afterwards.

    Args:
        out: Of the runs, as every machine sees it; notes lie there meanwhile.
    """
    finished: list[Job] = []
    notes = out.resolve() / f".jobs-{secrets.token_hex(8)}"
    before = os.environ.get(NOTES)
    os.environ[NOTES] = str(notes)
    try:
        yield finished
        found = sorted(notes.glob("*.json"), key=lambda note: (note.stat().st_mtime_ns, note.name))
        for note in found:
            read = json.loads(note.read_text(encoding="utf-8"))
            finished.append(Job(Path(read["folder"]), read["logger"]))
    finally:
        if before is None:
            os.environ.pop(NOTES)
        else:
            os.environ[NOTES] = before
        shutil.rmtree(notes, ignore_errors=True)


def note_job(folder: Path, logger: Mapping[str, Any] | None = None) -> None:
    """Leave the folder of a finished run, and how it was logged, for the end of the sweep."""
    if notes := os.environ.get(NOTES):
        Path(notes).mkdir(parents=True, exist_ok=True)
        note = {"folder": str(folder.resolve()), "logger": logger}
        write_atomically(Path(notes) / f"{folder.name}.json", json.dumps(note).encode())


def out_of(config_name: str, arguments: Sequence[str]) -> Path:
    """`out` as the command line has it, before Hydra composes."""
    given = [value for key, _, value in (argument.partition("=") for argument in arguments) if key == "out"]
    return Path(str(given[-1] if given else OmegaConf.load(CONF / f"{config_name}.yaml").out)).expanduser()
