"""The list of finished stress tests: on the console, and as `index.html` beside them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from radedit.data.io.atomic import write_atomically
from radedit.harness.evidence.results import FILE as RESULTS
from radedit.harness.evidence.results import load
from radedit.harness.sweep.results import FILE, Sweep, load_sweep
from radedit.report.environment import environment
from radedit.report.sweep.page import PAGE

logger = logging.getLogger(__name__)

INDEX, RUNS = "index.html", "stress"  # the list, and the folder of single runs


@dataclass(frozen=True)
class Finished:
    """A finished stress test in a line: a sweep with its runs, or a run that is in no sweep.

    Attributes:
        scenario, setting: What was tested, on which images.
        created: When it ended, ISO 8601.
        generator: First digits of the hash of the one that edited; several, where several did.
        verdicts: Model → fail, pass or undecided.
        names: Model → its name as in tables; where there are several variants, with theirs.
        page: Report, seen from the output folder.
        runs: Folders of the single runs that went in, likewise; `radedit.explain` and `radedit.sweep` take these.
    """

    scenario: str
    setting: str
    created: str
    generator: str
    verdicts: dict[str, str]
    names: dict[str, str]
    page: str
    runs: tuple[str, ...]


def finished_sweeps(out: Path) -> Iterator[tuple[Path, Sweep]]:
    """Sweeps below `<out>/sweeps` with their folders, by name. A damaged one is named and left out."""
    for folder in sorted(path.parent for path in out.glob(f"sweeps/*/{FILE}")):
        try:
            yield folder, load_sweep(folder)
        except (ValueError, OSError) as error:
            logger.warning("Left out: %s", error)


def finished_runs(out: Path, scenario: str | None = None) -> list[Finished]:
    """Sweeps below `<out>/sweeps` and runs below `<out>/stress` that are in none of them, the last one first.

    A damaged one is named and left out.

    Args:
        out: The output folder.
        scenario: Only those of it.
    """
    sweeps = [(sweep, (folder / PAGE).relative_to(out).as_posix()) for folder, sweep in finished_sweeps(out)]
    in_a_sweep = {member.folder for sweep, _ in sweeps for member in sweep.runs}
    for folder in sorted(path.parent for path in out.glob(f"{RUNS}/*/{RESULTS}")):
        if folder.name not in in_a_sweep:
            try:
                sweeps.append((Sweep.of(load(folder), folder.name), f"{RUNS}/{folder.name}/{PAGE}"))
            except (ValueError, OSError) as error:
                logger.warning("Left out: %s", error)
    found = [_finished(sweep, page) for sweep, page in sweeps if scenario in (None, sweep.name)]
    return sorted(found, key=lambda run: run.created, reverse=True)


def _finished(sweep: Sweep, page: str) -> Finished:
    generators = dict.fromkeys(variant.results.hashes.generator[:12] for variant in sweep.variants)
    names: dict[str, str] = {}
    for variant in sweep.variants:
        key, name = (f"{variant.key}/", f"{variant.name}, ") if sweep.several else ("", "")
        names |= {key + entry.key: name + entry.name for entry in variant.results.predictors}
    return Finished(
        scenario=sweep.name,
        setting=sweep.setting,
        created=sweep.created,
        generator=", ".join(generators),
        verdicts={verdict.predictor: verdict.outcome for verdict in sweep.verdicts},
        names=names,
        page=page,
        runs=tuple(f"{RUNS}/{member.folder}" for member in sweep.runs),
    )


def runs_table(runs: Sequence[Finished], out: Path) -> str:
    """A paragraph for each: what and when, a verdict for each model, the report, and the folders of its runs."""
    paragraphs = []
    for run in runs:
        width = max(map(len, run.verdicts), default=0)
        lines = [f"{run.scenario}, setting {run.setting}, generator {run.generator}, {run.created[:16]}"]
        lines += [f"  {outcome.upper():9}  {model:{width}}".rstrip() for model, outcome in run.verdicts.items()]
        lines += [f"  report  {out / run.page}", *(f"  run     {out / folder}" for folder in run.runs)]
        paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs)


def write_index(out: Path) -> Path:
    """Write `<out>/index.html`, which links to every report."""
    page = environment().get_template("index.html.j2").render(runs=finished_runs(out))
    write_atomically(out / INDEX, page.encode())
    return out / INDEX
