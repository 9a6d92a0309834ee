"""What a stress test found, as `results.json` holds it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from radedit.report.decode import decode

FILE = "results.json"
OWN = "ordinary test set"
KEPT = "synthetic (kept)"
OUTLINES = "outlines:"  # begins the name of a picture with a predictor's masks: outlines:<kind>:<predictor>
MEASURES = ("accuracy", "dice")


@dataclass(frozen=True)
class Estimate:
    """A number with its interval, a fraction 0…1 unless said otherwise; None where it is not known."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Cell:
    """Accuracy on true films with or without the finding, with or without the shortcut (each 0 or 1)."""

    finding: int
    shortcut: int
    n: int
    accuracy: Estimate
    picture: str | None = None


@dataclass(frozen=True)
class Predictor:
    """A model under test.

    Attributes:
        key: Names it in the rest of the results.
        name: As in tables.
        role: Of the pair, e.g. `confounded` and `unconfounded`.
        kind: `classifier`, `segmenter`, …
        trained_on: In words.
        parameters: How many it has.
        qualified: Whether it is what its role says, judged on the cells; None if that was not asked.
        why: Reason for `qualified`, in words.
        cells: Four, or none.
        folder: Of its weights, where they were when it was tested.
        seed: Of its training; None where it is not known, or there are several.
        seeds: Of its trainings, where several are put together.
    """

    key: str
    name: str
    role: str = ""
    kind: str = ""
    trained_on: str = ""
    parameters: int | None = None
    qualified: bool | None = None
    why: str = ""
    cells: list[Cell] = field(default_factory=list)
    folder: str = ""
    seed: int | None = None
    seeds: list[int | None] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """One predictor's accuracy, or another measure, on one set of films.

    Attributes:
        predictor: Its key.
        data: Which films; `OWN` and `KEPT` are the paper's two.
        label: What the right answer is, in words.
        n: How many films.
        accuracy: Fraction of right answers.
        paper, paper_std: The paper's number for this row and its standard deviation over runs, in per cent.
        seeds: How many trainings of the predictor the number is a mean of.
        std: Standard deviation over them, a fraction; None of one.
        per_seed: Measure → its mean for each training.
        scores: Of a segmenter: `dice` and further measures, each by its name.
        missed: On how many films it drew nothing where there is something.
    """

    predictor: str
    data: str
    label: str
    n: int
    accuracy: Estimate = Estimate()
    paper: float | None = None
    paper_std: float | None = None
    seeds: int = 1
    std: float | None = None
    per_seed: dict[str, list[float]] = field(default_factory=dict)
    scores: dict[str, Estimate] = field(default_factory=dict)
    missed: int = 0

    @property
    def main(self) -> Estimate:
        """The number that the report turns on, a fraction."""
        return self.scores.get("dice", self.accuracy)

    @property
    def main_per_seed(self) -> list[float]:
        """The same for each training; empty where it is not known."""
        return self.per_seed.get("dice" if self.scores else "correct", [])


@dataclass(frozen=True)
class Term:
    """One step of an attribution; `meaning` is a sentence for the reader."""

    name: str
    value: Estimate
    meaning: str = ""


@dataclass(frozen=True)
class KeepSham:
    """Sensitivity on the sources, and after the same path with a prompt that keeps the finding."""

    source: Estimate
    keep_sham: Estimate


@dataclass(frozen=True)
class Attribution:
    """From one film to its edit, in false-positive rates or in Dice; `reference` and `terms` add up to `edit`.

    A removal begins at its reference film, an addition at its source.

    `split` divides the same difference, edit less reference, by means of the true twin (phantoms only). `path` and
    `excess` are what the path does and what the shift adds to it, larger being worse. `control` is the sensitivity that
    the path takes on the originals, where a finding is removed.
    """

    predictor: str
    n: int
    reference: Estimate
    terms: list[Term]
    edit: Estimate
    split: list[Term] = field(default_factory=list)
    keep_sham: KeepSham | None = None
    path: Estimate = Estimate()
    excess: Estimate = Estimate()
    control: Estimate | None = None


@dataclass(frozen=True)
class Verdict:
    """Whether a predictor passes by the rules that were fixed beforehand: `pass`, `fail` or `undecided`, and why."""

    predictor: str
    outcome: str
    n: int
    excess: Estimate
    path: Estimate
    reasons: list[str] = field(default_factory=list)
    control: Estimate | None = None


@dataclass(frozen=True)
class Contrast:
    """By how much more the shift costs one predictor than another, on the same films: the paper's signature."""

    worse: str
    better: str
    n: int
    difference: Estimate


@dataclass(frozen=True)
class Test:
    """McNemar's: how often the edit was right and its sham wrong (n10), and the other way round (n01)."""

    n01: int
    n10: int
    p: float


@dataclass(frozen=True)
class Ranking:
    """What a classifier's probabilities say beside its answers at 0.5.

    Attributes:
        predictor: Its key.
        n: How many edits.
        auroc_ordinary: On the ordinary test set.
        auroc_edits: With keep-shams as positives and edits as negatives.
        precedence: How often a source scores above its own edit.
        mcnemar: The edit against its own sham.
        threshold: Chosen on validation films.
        at_threshold: Accuracy on edits there.
    """

    predictor: str
    n: int
    auroc_ordinary: Estimate | None = None
    auroc_edits: Estimate | None = None
    precedence: Estimate | None = None
    mcnemar: Test | None = None
    threshold: float = 0.5
    at_threshold: Estimate | None = None


@dataclass(frozen=True)
class Agreement:
    """Accuracy, or Dice, on the synthetic set beside that on the truly shifted films of the same patients.

    `edits` says whether the kept ones are compared or all of them.
    """

    predictor: str
    n: int
    synthetic: Estimate
    truth: Estimate
    difference: Estimate
    edits: str = "kept"


@dataclass(frozen=True)
class Score:
    """Of every edit: its editing score, None where it is undefined, whether it was kept, and its record."""

    cosine: list[float | None] = field(default_factory=list)
    kept: list[bool] = field(default_factory=list)
    record: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Change:
    """Of accuracy, or of Dice, a fraction; below 0 is worse. See `radedit.harness.changes` for the kinds."""

    predictor: str
    kind: str
    n: int
    value: Estimate


@dataclass(frozen=True)
class Point:
    """Accuracy, or Dice, over the n edits that a threshold of the editing score keeps."""

    threshold: float
    n: int
    value: Estimate


@dataclass(frozen=True)
class KeptCurve:
    """What other thresholds would have kept, and what a predictor makes of it."""

    predictor: str
    points: list[Point]


@dataclass(frozen=True)
class Example:
    """One record of the gallery.

    Attributes:
        record: Its id.
        kept: Whether its edit entered the synthetic set.
        cosine: Editing score.
        images: Kind of picture (`source`, `masks`, an editor's name, `twin`, …) → path in the run folder.
        predictions: Predictor → kind of picture → probability of the finding, or Dice.
        licence, licence_url, attribution, url: Of the film that was edited, where it is somebody's.
    """

    record: str
    kept: bool
    cosine: float | None = None
    images: dict[str, str] = field(default_factory=dict)
    predictions: dict[str, dict[str, float | None]] = field(default_factory=dict)
    licence: str = ""
    licence_url: str = ""
    attribution: str = ""
    url: str = ""


@dataclass(frozen=True)
class Figure:
    """A measurement of the generator, in its own unit, and the same of the one that its training began with."""

    name: str
    value: Estimate
    rival: Estimate | None = None
    unit: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class Skipped:
    """A record that could not be edited."""

    record: str
    reason: str


@dataclass(frozen=True)
class Results:
    """A finished stress test.

    Attributes:
        name: Scenario.
        setting: Where images and weights come from: `phantom`, `open`, `manifest` or `paper`.
        title: The question.
        section: Of the paper.
        measure: What predictors are judged by, `accuracy` or `dice`.
        finding, shortcut: What the predictor is to detect, and what went with it in training.
        added, structure: What was added to the films, and what the predictor is to draw in spite of it.
        created, command, commit, seed, machine, versions, minutes, hashes, config: Provenance.
        counts: sources, edited, skipped, kept, rejected, undefined.
        threshold: Editing scores at or above it are kept.
        interval: How intervals were made, in words.
        predictors, table, attribution, agreement, verdicts, contrasts, ranking, changes, kept_curve, score, gallery,
            skipped: See each.
        predictor_seed: Of the predictors' training, where there is one.
        edit_quality: Measure of the edits → its value, in its own unit.
        generator: How good the generator is on these films.
        weaknesses: Why nothing should be concluded from its edits, as clauses.
        remarks: What else a reader must know of the generator, as sentences.
        notes: Sentences for the reader.
    """

    name: str
    setting: str
    title: str
    predictors: list[Predictor]
    table: list[Row]
    section: str = ""
    measure: str = "accuracy"
    finding: str = ""
    shortcut: str = ""
    added: str = ""
    structure: str = ""
    created: str = ""
    command: str = ""
    commit: str = ""
    seed: int | None = None
    machine: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    minutes: dict[str, float | None] = field(default_factory=dict)
    hashes: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    threshold: float | None = None
    interval: str = "95 % interval"
    attribution: list[Attribution] = field(default_factory=list)
    agreement: list[Agreement] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    contrasts: list[Contrast] = field(default_factory=list)
    ranking: list[Ranking] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    kept_curve: list[KeptCurve] = field(default_factory=list)
    predictor_seed: int | None = None
    score: Score = Score()
    gallery: list[Example] = field(default_factory=list)
    edit_quality: dict[str, Estimate | float | None] | None = None
    generator: list[Figure] = field(default_factory=list)
    weaknesses: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def predictor(self, key: str) -> Predictor:
        """By its key."""
        return next(predictor for predictor in self.predictors if predictor.key == key)

    def agreements(self) -> list[Agreement]:
        """One for each predictor: over the kept edits, or over all of them where none was kept."""
        return list({entry.predictor: entry for entry in reversed(self.agreement)}.values())[::-1]

    def verdict(self, key: str) -> Verdict | None:
        """A predictor's verdict, if it was judged."""
        return next((verdict for verdict in self.verdicts if verdict.predictor == key), None)

    def rows(self, key: str) -> list[Row]:
        """A predictor's rows of the table."""
        return [row for row in self.table if row.predictor == key]

    def row(self, key: str, data: str) -> Row | None:
        """A predictor's row for one set of films, if there is one."""
        return next((row for row in self.rows(key) if row.data == data), None)


def load(folder: Path) -> Results:
    """Read the results of a finished run.

    Raises:
        FileNotFoundError: If the folder has none.
        ValueError: If they are not what `Results` says; the message names the place.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; a stress test writes it when it has finished.")
    try:
        results: Results = decode(Results, json.loads(path.read_text(encoding="utf-8")), "")
        for problem in _problems(results):
            raise ValueError(problem)
    except ValueError as error:  # also what json raises
        raise ValueError(f"{path}: {error}") from None
    return results


def _problems(results: Results) -> Iterator[str]:
    keys = [predictor.key for predictor in results.predictors]
    if not keys:
        yield "predictors is empty; a stress test has at least one."
    if results.measure not in MEASURES:
        yield f"measure is {results.measure!r}; expected {' or '.join(MEASURES)}."
    if len(set(keys)) < len(keys):
        yield f"predictors have the keys {', '.join(keys)}; each must be unique."
    used = [(f"table[{i}]", row.predictor) for i, row in enumerate(results.table)]
    used += [(f"attribution[{i}]", entry.predictor) for i, entry in enumerate(results.attribution)]
    used += [(f"agreement[{i}]", pair.predictor) for i, pair in enumerate(results.agreement)]
    used += [(f"verdicts[{i}]", verdict.predictor) for i, verdict in enumerate(results.verdicts)]
    used += [(f"contrasts[{i}]", key) for i, c in enumerate(results.contrasts) for key in (c.worse, c.better)]
    used += [(f"ranking[{i}]", entry.predictor) for i, entry in enumerate(results.ranking)]
    used += [(f"changes[{i}]", change.predictor) for i, change in enumerate(results.changes)]
    used += [(f"kept_curve[{i}]", curve.predictor) for i, curve in enumerate(results.kept_curve)]
    for where, key in used:
        if key not in keys:
            yield f"{where}.predictor is {key!r}; predictors are {', '.join(keys)}."
    for i, row in enumerate(results.table):
        if row.main.value is not None and not 0 <= row.main.value <= 1:
            yield f"table[{i}].{results.measure} is {row.main.value}; expected a fraction 0…1."
    if len(results.score.cosine) != len(results.score.kept):
        yield f"score has {len(results.score.cosine)} cosines and {len(results.score.kept)} kept; expected one an edit."
    for i, attribution in enumerate(results.attribution):
        gap = remainder(attribution)
        if gap is not None and abs(gap) > 1e-6:
            yield f"attribution[{i}]: reference and terms miss the edit by {gap:.6f}; they must add up to it."


def remainder(attribution: Attribution) -> float | None:
    """What the terms leave of the difference between edit and reference; None where a number is missing."""
    values = [estimate.value for estimate in (attribution.reference, *(term.value for term in attribution.terms))]
    known = [value for value in values if value is not None]
    if len(known) < len(values) or attribution.edit.value is None:
        return None
    return attribution.edit.value - math.fsum(known)
