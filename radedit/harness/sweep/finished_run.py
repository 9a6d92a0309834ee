"""A finished run as its folder has it: its results, and every prediction on every image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from radedit.data.io.checksums import require_whole
from radedit.data.io.names import checked_digest, checked_name
from radedit.harness.evidence.results import FILE, REMEDY, Results, load
from radedit.harness.predictors.predictions import FILE as IMAGES
from radedit.harness.predictors.predictions import Measured, read_predictions
from radedit.harness.stress.scenario import TRUTH
from radedit.harness.sweep.pooled import RunPredictions, only, reading
from radedit.harness.sweep.results import FILE as SWEEP
from radedit.harness.sweep.results import load_sweep


@dataclass(frozen=True)
class FinishedRun:
    """One job of a sweep.

    Attributes:
        folder: Of the run.
        results: Its `results.json`.
        predictions: Every prediction of its predictors.
    """

    folder: Path
    results: Results
    predictions: RunPredictions

    @property
    def hash(self) -> str:
        """Of everything that determines the run."""
        return only(self.results.hashes.runs)

    @property
    def stress_set(self) -> str:
        """Hash of everything that determines the edits."""
        return self.results.hashes.stress_set

    @property
    def order(self) -> tuple[bool, int, str]:
        """Runs by the seed of their predictors, whatever the order that they are given in."""
        seed = self.results.predictor_seed
        return seed is None, seed or 0, self.hash

    @property
    def counterfactual_is(self) -> str:
        """What its table calls the counterfactuals: the only line that has no fixed name."""
        lines, _ = reading(self.results.scenario, "")
        known = {line.data for line in lines}
        return next((row.data for row in self.results.table if row.data not in known), TRUTH)


def read_runs(folders: Sequence[Path]) -> list[FinishedRun]:
    """Read folders of finished stress tests; that of a sweep stands for all of its runs.

    Raises:
        ValueError: As `read_run`, also for a run of a sweep that is not beside it, as `<out>/stress/…`.
    """
    found = []
    for folder in (folder.expanduser() for folder in folders):
        if (folder / SWEEP).is_file():
            runs = folder.resolve().parent.parent / "stress"
            found += [read_run(runs / checked_name(member.folder, f"{folder / SWEEP}: runs")) for member in
                      load_sweep(folder).runs]  # fmt: skip
        else:
            found.append(read_run(folder))
    return found


def read_run(folder: Path) -> FinishedRun:
    """Read the folder of a finished stress test.

    Raises:
        ValueError: If it is none, or its files are damaged or lack something; the message says what to do.
    """
    if not (folder / FILE).is_file():
        what = "does not exist" if not folder.exists() else f"has no {FILE}"
        raise ValueError(
            f"{folder} {what}, so it is no folder of a finished stress test; expected one such as "
            "outputs/stress/manifestation-0123456789ab, which python -m radedit.stress +scenario=… names at its end."
        )
    require_whole(folder, "The run", REMEDY)
    results = load(folder)
    if not (folder / IMAGES).is_file():
        raise ValueError(
            f"{folder} has no {IMAGES}. Run its command again ({results.command or 'python -m radedit.stress …'}): "
            "edits and predictions that are there already are not made twice."
        )
    where = folder / FILE
    checked_name(results.name, f"{where}: scenario.name")
    checked_name(results.editor, f"{where}: the editor in config.editor")
    checked_digest(results.hashes.stress_set, f"{where}: hashes.stress_set")
    checked_digest(only(results.hashes.runs), f"{where}: hashes.runs")
    measured, kept, groups = read_predictions(folder / IMAGES)
    _check_they_agree(folder, results, measured, kept)
    thresholds = {entry.predictor: entry.threshold for entry in results.ranking}
    who = {key: only(hashes) for key, hashes in results.hashes.predictors.items()}
    return FinishedRun(folder, results, RunPredictions(measured, kept, who, thresholds, groups))


def _check_they_agree(folder: Path, results: Results, measured: Sequence[Measured], kept: Sequence[str]) -> None:
    """See that predictions are those that the results tell of.

    Raises:
        ValueError: If they are another scenario's, other models', or lack images; the message names what.
    """
    where, known = folder / IMAGES, {entry.key: entry.role for entry in results.predictors}
    remedy = f"They do not belong to {folder / FILE}; run the command again that made the run."
    if (found := {one.key: one.role for one in measured}) != known:
        raise ValueError(f"{where} has predictions of {_pairs(found)}; expected {_pairs(known)}. {remedy}")
    _, yardstick = reading(results.scenario, "")
    for one in measured:
        if one.key not in results.hashes.predictors:
            raise ValueError(f"{folder / FILE}: hashes.predictors lacks {one.key!r}. {remedy}")
        for data in ("edit", "source"):
            if data not in one.sets:
                raise ValueError(f"{where} has no predictions of {one.key} on {data!r}. {remedy}")
            if missing := {*kept} - {*one.sets[data].ids}:
                raise ValueError(f"{where} lacks {one.key}'s prediction on {data!r} of {min(missing)!r}. {remedy}")
        for data, found_in in one.sets.items():
            if lacking := [name for name in yardstick.measures if name not in found_in.values]:
                raise ValueError(f"{where} lacks {lacking[0]!r} of {one.key} on some of {data!r}. {remedy}")


def _pairs(roles: Mapping[str, str]) -> str:
    return ", ".join(f"{key} ({role})" for key, role in sorted(roles.items())) or "no model"
