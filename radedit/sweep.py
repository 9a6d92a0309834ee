"""The end of a sweep: several seeds and additions of one scenario put together, `python -m radedit.sweep runs=[…]`.

Jobs may run in other processes or on other machines (Hydra's launchers), so each leaves the folder of its run in a file
that the environment names.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

NOTES = "RADEDIT_JOBS"


@contextmanager
def jobs() -> Iterator[list[Path]]:
    """Collects the folders of all runs that finish inside; read it afterwards."""
    folders: list[Path] = []
    before = os.environ.get(NOTES)
    handle, name = tempfile.mkstemp(prefix="radedit-jobs-")
    os.close(handle)
    os.environ[NOTES] = name
    try:
        yield folders
        lines = Path(name).read_text(encoding="utf-8").splitlines()
        folders += dict.fromkeys(Path(json.loads(line)) for line in lines)
    finally:
        os.environ.pop(NOTES) if before is None else os.environ.update({NOTES: before})
        Path(name).unlink()


def note_job(folder: Path) -> None:
    """Leave the folder of a finished run for the end of the sweep."""
    if notes := os.environ.get(NOTES):
        with open(notes, "a", encoding="utf-8") as file:
            file.write(json.dumps(str(folder.resolve())) + "\n")


def finish(folders: Sequence[Path]) -> None:
    """Put the runs together."""
