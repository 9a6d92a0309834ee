"""Is version 2 worse than version 1? Paired differences on one stress set, by a margin that was fixed beforehand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from radedit.data.io.typed_json import read_typed
from radedit.harness.evidence.checks import reasons
from radedit.harness.evidence.results import SCHEMA_VERSION, Part
from radedit.harness.evidence.verdict import FAIL_ON, Outcome, code_of, worst_of
from radedit.harness.predictors.predictions import Measured, Predictions
from radedit.harness.statistics.estimate import LEVEL, Estimate
from radedit.harness.statistics.intervals import Mean, mean_of
from radedit.harness.stress.scenario import Removal
from radedit.harness.sweep.finished_run import FinishedRun
from radedit.harness.sweep.pooled import Pooled, pool

FILE = "comparison.json"
VALUE = "value"


@dataclass(frozen=True)
class Margin:
    """What a new version must show; fixed before the runs. All numbers are our choice.

    Attributes:
        margin: Most that a new version may lose of accuracy, or of Dice, a fraction, 0 < margin < 1.
        min_n: Fewest images that are compared.
        fail_on: Outcome from which on the exit code is not 0: `undecided` (the new version has to show that it is no
            worse), `fail` (only where it significantly is), or None.

    Raises:
        ValueError: If one of them is not as said here.
    """

    margin: float = 0.05
    min_n: int = 30
    fail_on: str | None = "undecided"

    def __post_init__(self) -> None:
        if not 0 < self.margin < 1:
            raise ValueError(f"margin is {self.margin}; expected a fraction, 0 < margin < 1. Five points are 0.05.")
        if self.min_n < 2:
            raise ValueError(f"min_n is {self.min_n}; expected 2 or more, as one image has no interval.")
        if self.fail_on not in FAIL_ON:
            raise ValueError(f"fail_on is {self.fail_on!r}; expected undecided, fail or null.")


class Compared(Part):
    """One measure of both versions on the same images, larger being better.

    Attributes:
        measure: In words.
        n: Images.
        baseline, candidate: Of each version, a fraction.
        difference: Of the new version less that of the one before, paired by image; below 0 is worse.
        outcome: `pass` where the new version is no worse than the margin allows, `fail` where it is significantly worse
            and perhaps by more than that, else `undecided`; None for a measure that decides nothing.
    """

    measure: str
    n: int
    baseline: Estimate
    candidate: Estimate
    difference: Estimate
    outcome: Outcome | None = None


class Version(Part):
    """A tested version.

    Attributes:
        key, name: Of the predictor in its runs.
        runs: Folders' names.
        hashes: Of its weights, one for each training.
    """

    key: str
    name: str
    runs: list[str]
    hashes: list[str]


class Pair(Part):
    """Two versions on one stress set.

    Attributes:
        baseline, candidate: The versions.
        stress_set: Hash of the edits.
        question: Of the scenario.
        measures: Those that decide first.
        outcome: Of all measures that decide.
        doubts: Why nothing can be concluded, as sentences.
    """

    baseline: Version
    candidate: Version
    stress_set: str
    question: str
    measures: list[Compared]
    outcome: Outcome
    doubts: list[str] = []

    @property
    def same(self) -> bool:
        """Whether both have the same weights."""
        return bool(self.baseline.hashes) and sorted(self.baseline.hashes) == sorted(self.candidate.hashes)


class Comparison(Part):
    """What was found of all pairs.

    Attributes:
        schema_version: Of this form.
        name: Of the scenario.
        command: That made it.
        margin: That was fixed beforehand.
        pairs: Of versions.
        outcome: Of all pairs.
        exit_code: By `margin.fail_on`.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str
    command: str
    margin: Margin
    pairs: list[Pair]
    outcome: Outcome
    exit_code: int


def compare(
    baseline: Sequence[FinishedRun],
    candidate: Sequence[FinishedRun],
    margin: Margin,
    *,
    baseline_model: str | None = None,
    candidate_model: str | None = None,
    command: str = "",
) -> Comparison:
    """Compare the versions that two groups of runs tested.

    Args:
        baseline: Runs of the version that is in use; several of several trainings, or stress sets.
        candidate: Runs of the one that is to replace it.
        margin: Fixed beforehand.
        baseline_model: Key of the predictor, where it is not the same in both, or where one pair of several is asked
            for.
        candidate_model: Likewise.
        command: That was typed.

    Raises:
        ValueError: If the runs are not of the same stress sets, or have no predictors to compare.
    """
    old, new = by_stress_set(baseline), by_stress_set(candidate)
    if old.keys() != new.keys():
        alone = sorted(old.keys() ^ new.keys())[0]
        with_it, without = (old, new) if alone in old else (new, old)
        raise ValueError(
            f"The stress sets differ: {with_it[alone][0].folder} was tested on {alone[:12]}, which "
            f"{next(iter(without.values()))[0].folder} was not. Versions are compared on the same edited images; test "
            "both with the same scenario, setting, generator, editor and images."
        )
    pairs: list[Pair] = []
    for stress_set, runs in old.items():
        pooled = [pool([run.predictions for run in of_one]) for of_one in (runs, new[stress_set])]
        for a, b in _models(pooled[0], pooled[1], baseline_model, candidate_model):
            pairs.append(_pair(runs, new[stress_set], pooled, a, b, margin))
    outcome = worst_of([pair.outcome for pair in pairs])
    code = code_of(outcome, margin.fail_on)
    name = baseline[0].results.name
    return Comparison(name=name, command=command, margin=margin, pairs=pairs, outcome=outcome, exit_code=code)


def by_stress_set(runs: Sequence[FinishedRun]) -> dict[str, list[FinishedRun]]:
    """Hash of the edits → runs on them, by the seed of their predictors; a run that is given twice counts once.

    Raises:
        ValueError: If there are no runs.
    """
    if not runs:
        raise ValueError("There are no runs to compare; give the folder of one of each version.")
    found: dict[str, list[FinishedRun]] = {}
    for run in sorted({run.hash: run for run in runs}.values(), key=lambda run: run.order):
        found.setdefault(run.stress_set, []).append(run)
    return found


def load_comparison(folder: Path) -> Comparison:
    """Read what `radedit.compare_models` wrote.

    Raises:
        ValueError: If it is not what `Comparison` says.
    """
    return read_typed(Comparison, folder / FILE)


def paired(baseline: Predictions, candidate: Predictions, measure: str) -> Mean:
    """Mean over images of what the new version has more than the one before, both on the same images.

    Of several trainings each version counts with their mean on an image; trainings of the two are not paired, so that
    the errors between them add as squares.
    """
    a, b = baseline.values[measure], candidate.values[measure]
    found = mean_of((b.mean(axis=0) - a.mean(axis=0))[None], baseline.patients, paired=True)
    several = [values for values in (a, b) if len(values) > 1]
    if not several:
        return found
    error = math.hypot(*(float(x.mean(axis=1).std(ddof=1)) / math.sqrt(len(x)) for x in several))
    return replace(found, seeds=min(len(values) for values in several), seed_error=error)


def _models(
    old: Pooled, new: Pooled, baseline_model: str | None, candidate_model: str | None
) -> Iterator[tuple[Measured, Measured]]:
    """Predictors that are compared: those that are named, those of one key, or the only ones."""
    a, b = ({one.key: one for one in pooled.measured} for pooled in (old, new))
    for name, asked, there in (("baseline_model", baseline_model, a), ("candidate_model", candidate_model, b)):
        if asked is not None and asked not in there:
            raise ValueError(f"{name} is {asked!r}; the runs have {', '.join(there)}.")
    if baseline_model or candidate_model:
        first = baseline_model or (candidate_model if candidate_model in a else next(iter(a)))
        second = candidate_model or (baseline_model if baseline_model in b else next(iter(b)))
        assert first is not None and second is not None
        yield a[first], b[second]
    elif common := [key for key in a if key in b]:
        yield from ((a[key], b[key]) for key in common)
    elif len(a) == len(b) == 1:
        yield next(iter(a.values())), next(iter(b.values()))
    else:
        raise ValueError(
            f"The runs have no predictor in common: {', '.join(a)} and {', '.join(b)}. Name one of each: "
            "baseline_model=… candidate_model=…"
        )


def _pair(
    old: Sequence[FinishedRun],
    new: Sequence[FinishedRun],
    pooled: Sequence[Pooled],
    a: Measured,
    b: Measured,
    margin: Margin,
) -> Pair:
    first = old[0].results
    shared = {*pooled[1].every}
    every = [record for record in pooled[0].every if record in shared]
    kept = [record for record in pooled[0].kept if record in shared]
    doubts = reasons(first.checks)
    if not kept:
        doubts = [*doubts, "No edit was kept; rejected edits are never compared."]
    measures = measure_by_measure(a, b, kept, every, margin, removal=isinstance(first.scenario, Removal))
    if doubts:
        measures = [one if one.outcome is None else one.model_copy(update={"outcome": "undecided"}) for one in measures]
    return Pair(
        baseline=_version(old, a.key),
        candidate=_version(new, b.key),
        stress_set=old[0].stress_set,
        question=first.title,
        measures=measures,
        outcome=worst_of([measure.outcome for measure in measures if measure.outcome is not None]),
        doubts=doubts,
    )


def measure_by_measure(
    a: Measured, b: Measured, kept: Sequence[str], every: Sequence[str], margin: Margin, *, removal: bool
) -> list[Compared]:
    """Every measure of two versions on the images that both have.

    Args:
        a: Predictions of the version in use.
        b: Of the one that is to replace it.
        kept: Records whose edit counts.
        every: All that were edited.
        margin: Fixed beforehand.
        removal: Whether the shift removes a finding, so that they classify; else they draw.
    """
    of_a, of_b = (_sets(one, kept, every, removal=removal) for one in (a, b))
    common = [name for name, found in of_a.items() if name in of_b and found.images.ids == of_b[name].images.ids]
    deciding = sum(of_a[name].decides for name in common)
    measures = []
    for name in common:
        one, two = of_a[name].images, of_b[name].images
        difference = paired(one, two, VALUE)
        outcome = _outcome(difference, margin, deciding) if of_a[name].decides else None
        measures.append(
            Compared(
                measure=name, n=difference.n, baseline=one.mean(VALUE), candidate=two.mean(VALUE),
                difference=difference.at(), outcome=outcome,
            )
        )  # fmt: skip
    return measures


@dataclass(frozen=True)
class _Set:
    """Values of one version on some images, larger being better, and whether they decide."""

    images: Predictions
    decides: bool = True


def _sets(one: Measured, kept: Sequence[str], every: Sequence[str], *, removal: bool) -> dict[str, _Set]:
    """Measure in words → what it is made of; those without images are left out."""
    measure = "correct" if removal else "dice"
    edits = "specificity on edits" if removal else "Dice on edits"
    sets = {
        edits: one.of("edit", kept),
        "specificity on references" if removal else "": one.of("reference", every),
        "sensitivity on originals" if removal else "Dice on originals": one.of("source", every),
        f"{'accuracy' if removal else 'Dice'} on the in-distribution test set": one.sets.get("in_distribution"),
    }
    found = {
        name: _Set(Predictions(images.ids, images.patients, {VALUE: images.values[measure]}))
        for name, images in sets.items()
        if name and images is not None and images.ids
    }
    edit, sham = one.of("edit", kept), one.of("sham", kept)
    if edit is not None and sham is not None and edit.ids:
        gain = edit.values[measure] - sham.values[measure]
        name = f"{'accuracy' if removal else 'Dice'} on edits less that on shams"
        found[name] = _Set(Predictions(edit.ids, edit.patients, {VALUE: gain}), decides=False)
    return found


def _outcome(difference: Mean, margin: Margin, deciding: int) -> Outcome:
    """No worse by more than the margin, worse, or neither for sure; several measures share the error of "worse"."""
    found, strict = difference.at(), difference.at(1 - (1 - LEVEL) / deciding)
    if difference.n < margin.min_n or found.low is None or strict.high is None:
        return "undecided"
    if found.low > -margin.margin:
        return "pass"
    return "fail" if strict.high < 0 else "undecided"


def _version(runs: Sequence[FinishedRun], key: str) -> Version:
    entry = runs[0].results.predictor(key)
    hashes = [hash_ for run in runs for hash_ in run.results.hashes.predictors.get(key, {}).values()]
    return Version(key=key, name=entry.name, runs=[run.folder.name for run in runs], hashes=list(dict.fromkeys(hashes)))
