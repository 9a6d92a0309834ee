"""The end of a sweep: several seeds and additions of one scenario put together."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from omegaconf import OmegaConf

from radedit.app.command import is_verbose
from radedit.app.configuration import CONF, close_logger
from radedit.app.jobs import Job
from radedit.app.loggers import RunLogger, spoils_nothing
from radedit.harness.sweep.finished_run import FinishedRun, read_run
from radedit.harness.sweep.put_together import kind_of
from radedit.harness.sweep.results import Sweep
from radedit.report.sweep.folder import write_sweep
from radedit.report.sweep.index import write_index
from radedit.report.sweep.page import PAGE
from radedit.report.sweep.table import tables
from radedit.report.wandb.log import log_sweep
from radedit.report.words.findings import editor_findings, findings


def finish(finished: Sequence[Job]) -> None:
    """Put the runs of a command together, print their table and verdicts, and end with the exit code of the rules.

    Jobs that do not belong together, as of a command that swept over settings or limits, give a report each.

    Raises:
        SystemExit: With 1 for fail and 3 for undecided, where the rules have it fail on these; with 2 where the runs
            can't be put together.
    """
    together: dict[tuple[str, str, str], list[FinishedRun]] = {}
    codes = [0]
    loggers = {job.folder: job.logger for job in finished}
    try:
        for run in map(read_run, loggers):
            together.setdefault(kind_of(run), []).append(run)
        for runs in together.values():
            out, how = runs[0].folder.parent.parent / "sweeps", RunLogger.of(loggers[runs[0].folder])
            codes.append(put_together(runs, out, how))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    if code := 1 if 1 in codes else max(codes):
        raise SystemExit(code)


def additions() -> dict[str, tuple[str, str]]:
    """Editing prompt of each addition → its name, and its group in Figure 5."""
    found = {}
    for path in sorted((CONF / "addition").glob("*.yaml")):
        config = OmegaConf.load(path)
        found[str(config.scenario.prompt)] = (path.stem, str(config.addition.finding))
    return found


def put_together(runs: Sequence[FinishedRun], out: Path, logger: RunLogger | None) -> int:
    """Write, print and log; the exit code."""
    finished = write_sweep(runs, out, additions())
    sweep = finished.sweep
    if is_verbose():
        print(f"\n{tables(sweep)}")
    print(outcome(sweep))
    if out.name == "sweeps":
        write_index(out.parent)
    print(f"\n{finished.folder / PAGE}", flush=True)
    if logger is not None:
        with spoils_nothing():
            _log(sweep, finished.folder, logger)
    return sweep.exit_code


def outcome(sweep: Sweep) -> str:
    """The finding in a sentence, then a verdict for each model."""
    width = max((len(verdict.predictor) for verdict in sweep.verdicts), default=0)
    found = findings([group.results for group in sweep.groups])
    lines = [
        f"\n{sweep.title}  {sweep.section}, setting {sweep.setting}",
        *([found] if found else []),
        *editor_findings(sweep),
        "",
    ]
    for verdict in sweep.verdicts:
        reason = verdict.reasons[0] if verdict.reasons else ""
        lines.append(f"{verdict.outcome.upper():9}  {verdict.predictor:{width}}  {reason}")
    return "\n".join(lines)


def _log(sweep: Sweep, folder: Path, how: RunLogger) -> None:
    """The sweep as a run of its own, in the group of its runs."""
    named = {"name": f"{sweep.name}-sweep", "group": sweep.name} if how.kind == "wandb" else {}
    run_logger = replace(how, **named).open()  # type: ignore[arg-type]
    try:
        log_sweep(run_logger, sweep, folder)
    finally:
        close_logger([run_logger])
