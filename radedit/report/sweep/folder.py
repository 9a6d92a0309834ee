"""The folder of a sweep: one page, `sweep.json`, tables, verdict; with several variants also a folder of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from radedit.data.io.atomic import write_atomically
from radedit.data.io.checksums import FILE as SUMS
from radedit.data.io.checksums import sums_of, write_sums
from radedit.data.io.names import inside
from radedit.harness.evidence.results import FILE as RESULTS
from radedit.harness.evidence.results import Results, save
from radedit.harness.sweep.finished_run import FinishedRun
from radedit.harness.sweep.put_together import put_together
from radedit.harness.sweep.results import FILE, Sweep, Variant
from radedit.report.sweep.certificate import write_certificates
from radedit.report.sweep.page import write_report
from radedit.report.sweep.table import write_tables
from radedit.report.verdict.gate import write_gate


@dataclass(frozen=True)
class Finished:
    """A sweep that was written, and its folder."""

    folder: Path
    sweep: Sweep


def write_sweep(runs: Sequence[FinishedRun], out: Path, additions: Mapping[str, tuple[str, str]]) -> Finished:
    """Put runs together and write their folder, `<out>/<scenario>-<hash>`; the same runs give the same folder.

    Args:
        runs: Of one scenario, in any order: several predictor seeds, additions, editors. A run given twice counts once.
        out: Folder of all sweeps.
        additions: Editing prompt → name of an addition, and of its group in Figure 5.

    Raises:
        ValueError: If there are no runs, or they do not belong together.
    """
    sweep = put_together(runs, additions)
    folder = out / f"{sweep.name}-{sweep.hash[:12]}"
    folders = {run.stress_set: run.folder for run in reversed(sorted(runs, key=lambda run: run.order))}
    pictures = {variant.key: folders[variant.results.hashes.stress_set] for variant in sweep.variants}
    (folder / SUMS).unlink(missing_ok=True)  # of an earlier one, until all of this one is written
    write_sweep_folder(sweep, folder, pictures)
    seal_sweep(folder, sweep)
    return Finished(folder, sweep)


def seal_sweep(folder: Path, sweep: Sweep) -> None:
    """Write checksums of all that is read back from a finished sweep: its numbers, its variants' and their pictures."""
    names = {FILE}
    for variant in sweep.variants:
        place = f"{variant.key}/" if sweep.several else ""
        names |= {f"{place}{name}" for name in (RESULTS, *variant.results.pictures)}
    write_sums(folder / SUMS, sums_of(folder, sorted(names)))


def write_sweep_folder(sweep: Sweep, folder: Path, pictures: Mapping[str, Path]) -> None:
    """Write all files of a sweep.

    Args:
        sweep: What was found.
        folder: To be made.
        pictures: Variant → folder of a run, or of a variant, that has the pictures of its gallery.
    """
    for variant in sweep.variants:
        place = folder / variant.key if sweep.several else folder
        write_pooled(place, variant.results, pictures[variant.key])
        write_certificates(place, variant.results, sweep.command)
        if sweep.several:
            write_report(place, sweep.only(variant))
    save(_without_gallery(sweep) if sweep.several else sweep, folder / FILE)
    write_tables(folder, sweep)
    if sweep.verdicts:
        about = {
            "setting": sweep.setting,
            "command": sweep.command,
            "hashes": {
                "sweep": sweep.hash,
                "runs": {member.folder: member.run for member in sweep.runs},
                "stress_sets": {variant.key: variant.results.hashes.stress_set for variant in sweep.variants},
            },
        }
        write_gate(folder, sweep.name, sweep.verdicts, sweep.rules, about)
    write_report(folder, sweep)


def write_pooled(folder: Path, results: Results, pictures_of: Path) -> None:
    """Write `results.json` and copy the pictures that it names.

    Args:
        folder: To be made.
        results: Of one run or several.
        pictures_of: Folder of the run whose gallery it shows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in results.pictures:
        what = f"A picture of {pictures_of / RESULTS}"
        source, target = inside(pictures_of, path, what), inside(folder, path, what)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, source.read_bytes())
    save(results, folder / RESULTS)


def _without_gallery(sweep: Sweep) -> Sweep:
    """Variants have it in their own folders."""

    def bare(variants: Sequence[Variant]) -> list[Variant]:
        no_gallery = [one.results.model_copy(update={"gallery": []}) for one in variants]
        return [one.model_copy(update={"results": r}) for one, r in zip(variants, no_gallery, strict=True)]

    return sweep.model_copy(update={"variants": bare(sweep.variants), "groups": bare(sweep.groups)})
