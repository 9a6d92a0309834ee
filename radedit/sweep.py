"""The end of a sweep: several seeds and additions of one scenario put together, `python -m radedit.sweep runs=[…]`.

Jobs may run in other processes or on other machines (Hydra's launchers), so each leaves a note of its run in a folder
that the environment names, and learns there what was typed.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from radedit.configuration import CONF, close_logger, entry_point, quote_text
from radedit.data.atomic import write_atomically
from radedit.harness.verdict import exit_code
from radedit.report.finished_run import FinishedRun, read_run
from radedit.report.page import PAGE
from radedit.report.sweep_folder import kind_of, write_sweep
from radedit.report.sweep_results import FILE, Sweep, load_sweep
from radedit.report.sweep_table import print_sweep
from radedit.report.wandb_log import log_sweep

NOTES, ARGUMENTS = "RADEDIT_JOBS", "RADEDIT_ARGUMENTS"


@contextmanager
def jobs(out: Path) -> Iterator[list[Path]]:
    """Collects the folders of all runs that finish inside; read it afterwards.

    Args:
        out: Of the runs, as every machine sees it; notes lie there meanwhile.
    """
    folders: list[Path] = []
    notes = out.resolve() / f".jobs-{secrets.token_hex(8)}"
    told = {NOTES: str(notes), ARGUMENTS: " ".join(quote_text(sys.argv[1:]))}
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        yield folders
        found = sorted(notes.glob("*.json"), key=lambda note: (note.stat().st_mtime_ns, note.name))
        folders += [Path(json.loads(note.read_text(encoding="utf-8"))) for note in found]
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        shutil.rmtree(notes, ignore_errors=True)


def note_job(folder: Path) -> None:
    """Leave the folder of a finished run for the end of the sweep."""
    if notes := os.environ.get(NOTES):
        Path(notes).mkdir(parents=True, exist_ok=True)
        write_atomically(Path(notes) / f"{folder.name}.json", json.dumps(str(folder.resolve())).encode())


def typed() -> str:
    """The arguments of the command that a job is of, which may run elsewhere."""
    return os.environ.get(ARGUMENTS, " ".join(sys.argv[1:]))


def finish(folders: Sequence[Path]) -> None:
    """Put the runs of a command together, print their table and verdicts, and end with the exit code of the rules.

    Jobs that do not belong together, as of a command that swept over settings or limits, give a report each.

    Raises:
        SystemExit: With 1 for fail and 3 for undecided, where the rules have it fail on these; with 2 where the runs
            can't be put together.
    """
    together: dict[tuple[str, str, str], list[FinishedRun]] = {}
    codes = [0]
    try:
        for run in map(read_run, folders):
            together.setdefault(kind_of(run), []).append(run)
        for runs in together.values():
            codes.append(_put_together(runs, runs[0].folder.parent.parent / "sweeps"))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    if code := 1 if 1 in codes else max(codes):
        raise SystemExit(code)


@entry_point("sweep")
def main(config: DictConfig) -> None:
    """Put the runs of several commands together, e.g. of two editors."""
    runs = [read_run(Path(folder)) for folder in config.runs]
    if code := _put_together(runs, Path(config.out)):
        raise SystemExit(code)


def additions() -> dict[str, tuple[str, str]]:
    """Editing prompt of each addition → its name, and its group in Figure 5."""
    found = {}
    for path in sorted((CONF / "addition").glob("*.yaml")):
        config = OmegaConf.load(path)
        found[str(config.scenario.prompt)] = (path.stem, str(config.addition.finding))
    return found


def _put_together(runs: Sequence[FinishedRun], out: Path) -> int:
    """Write, print and log; the exit code."""
    finished = write_sweep(runs, out, additions())
    sweep = load_sweep(finished.folder)
    print_sweep(sweep)
    print(f"\nsweep: {(finished.folder / PAGE).resolve()}")
    _log(sweep, finished.folder, runs[0].results["config"].get("logger"))
    return exit_code(finished.verdicts, finished.rules)


def _log(sweep: Sweep, folder: Path, logger: Mapping[str, Any] | None) -> None:
    """The sweep as a run of its own, by the logger that its runs had, in their group."""
    if not logger:
        return
    found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    several = len(found["variants"]) > 1
    rows = [
        row | ({"predictor": f"{variant['key']}/{row['predictor']}"} if several else {})
        for variant in found["variants"]
        for row in variant["results"]["table"]
    ]
    named = {"name": f"{sweep.name}-sweep"} if "group" in logger else {}
    run_logger = instantiate({**logger, **named})
    try:
        hashes = {"sweep": sweep.hash, "runs": {member.folder: member.run for member in sweep.runs}}
        config = {"hashes": hashes, "rules": sweep.rules, "setting": sweep.setting, "command": sweep.command}
        log_sweep(run_logger, rows, folder, config)
    finally:
        close_logger([run_logger])


if __name__ == "__main__":
    main()
