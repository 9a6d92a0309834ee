"""What a stress test found: the one schema, built by the harness, written as `results.json`, read by everything else.

A run is a sweep of one seed, so the results of a run and of several predictor seeds have one form.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Tag, model_validator

from radedit.data.io.atomic import write_atomically
from radedit.data.io.checksums import require_whole
from radedit.data.io.typed_json import read_typed
from radedit.harness.evidence.checks import Check
from radedit.harness.evidence.verdict import Rules, Verdict
from radedit.harness.performance.at_operating_point import AtOperatingPoint
from radedit.harness.statistics.estimate import Estimate
from radedit.harness.statistics.proportions import McNemar
from radedit.harness.stress.scenario import Addition, Removal
from radedit.harness.subgroups.shift_effects import Subgroups

FILE = "results.json"
REMEDY = "Run the command that made it again: edits and predictions that are there are not made twice."
SCHEMA_VERSION: Literal[1] = 1
OWN = "in-distribution test set"
KEPT = "synthetic (kept)"
NAMES_A_PREDICTOR = (
    "table", "attribution", "agreement", "verdicts", "ranking", "changes", "kept_curve", "performance", "subgroups",
)  # fmt: skip
OUTLINES = "outlines:"  # begins the name of a picture with a predictor's masks: outlines:<kind>:<predictor>
# Role of a predictor that should degrade → role of its counterpart that should not.
ROLE_PAIRS = {"confounded": "unconfounded", "biased": "unbiased", "weak": "strong"}


class Part(BaseModel):
    """A part of the results: frozen, of known keys and exact types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Cell(Part):
    """Accuracy on true images with or without the finding, with or without the shortcut (each 0 or 1)."""

    finding: int
    shortcut: int
    n: int
    accuracy: Estimate
    picture: str | None = None


class Qualification(Part):
    """Whether a predictor is what its role says, judged on four cells.

    Attributes:
        qualified: None if that was not asked.
        why: Reason for `qualified`, in words.
        cells: Four, or none.
    """

    qualified: bool | None = None
    why: str = ""
    cells: list[Cell] = []


class PredictorEntry(Qualification):
    """A model under test.

    Attributes:
        key: Names it in the rest of the results.
        name: As in tables.
        role: Of the pair, e.g. `confounded` and `unconfounded`.
        kind: `classifier`, `segmenter`, …
        trained_on: In words.
        parameters: How many it has.
        folder: Of its weights, where they were when it was tested.
        seeds: Of its trainings, in order; None where one is not known.
        threshold: Probability from which on it was taken to call the finding present.
        operating_point: What the threshold was chosen to reach on its in-distribution test set, as `sensitivity 0.95`;
            empty where it was not.
        qualified, why, cells: See `Qualification`.
    """

    key: str
    name: str
    role: str = ""
    kind: str = ""
    trained_on: str = ""
    parameters: int | None = None
    folder: str = ""
    seeds: list[int | None] = [None]
    threshold: float = 0.5
    operating_point: str = ""

    @property
    def should_degrade(self) -> bool | None:
        """Whether its role says that it does, or does not; None of a role that says neither."""
        return True if self.role in ROLE_PAIRS else False if self.role in ROLE_PAIRS.values() else None


class Row(Part):
    """One predictor's accuracy, or another measure, on one set of images.

    Attributes:
        predictor: Its key.
        data: Which images; `OWN` and `KEPT` are the paper's two.
        label: What the right prediction is, in words.
        n: How many images.
        accuracy: Fraction of right predictions, of a classifier.
        scores: Of a segmenter: `dice` and further measures, each by its name.
        paper, paper_std: The paper's number for this row and its standard deviation over runs, in per cent.
        seeds: How many trainings of the predictor the number is a mean of.
        std: Standard deviation over them, a fraction; None of one.
        per_seed: Measure → its mean for each training.
        missed: On how many images it drew nothing where there is something.
    """

    predictor: str
    data: str
    label: str
    n: int
    accuracy: Estimate | None = None
    scores: dict[str, Estimate] = {}
    paper: float | None = None
    paper_std: float | None = None
    seeds: int = 1
    std: float | None = None
    per_seed: dict[str, list[float]] = {}
    missed: int = 0

    @property
    def main(self) -> Estimate:
        """The number that the report turns on, a fraction."""
        found = self.scores.get("dice", self.accuracy)
        assert found is not None  # `_one_measure` saw to it
        return found

    @property
    def main_per_seed(self) -> list[float]:
        """The same for each training; empty where it is not known."""
        return self.per_seed.get("dice" if self.scores else "correct", [])

    @model_validator(mode="after")
    def _one_measure(self) -> Row:
        if self.accuracy is None and "dice" not in self.scores:
            raise ValueError("accuracy and scores.dice are missing; expected one of them.")
        if not 0 <= self.main.value <= 1:
            raise ValueError(f"{'dice' if self.scores else 'accuracy'} is {self.main.value}; expected a fraction 0…1.")
        return self


class Term(Part):
    """One step of an attribution; `meaning` is a sentence for the reader."""

    name: str
    value: Estimate
    meaning: str = ""


class KeepSham(Part):
    """Sensitivity on the sources, and after the same path with a prompt that keeps the finding."""

    source: Estimate
    keep_sham: Estimate


class Attribution(Part):
    """From one image to its edit, in false-positive rates or in Dice; `reference` and `terms` add up to `edit`.

    A removal begins at its reference image, an addition at its source.

    `split` divides the same difference, edit less reference, by means of the true counterfactual (phantoms only).
    `path` and `shift_effect` are the editing artefact and what the shift adds to it, larger being worse. `control` is
    the sensitivity that editing alone takes on the originals, where a finding is removed.
    """

    predictor: str
    n: int
    reference: Estimate
    terms: list[Term]
    edit: Estimate
    artefact: Estimate
    shift_effect: Estimate
    control: Estimate | None = None
    split: list[Term] = []
    keep_sham: KeepSham | None = None

    @model_validator(mode="after")
    def _add_up(self) -> Attribution:
        gap = self.edit.value - math.fsum([self.reference.value, *(term.value.value for term in self.terms)])
        if abs(gap) > 1e-6:
            raise ValueError(f"reference and terms miss the edit by {gap:.6f}; they must add up to it.")
        return self


class Contrast(Part):
    """By how much more the shift costs one predictor than another, on the same images: the paper's signature."""

    worse: str
    better: str
    n: int
    difference: Estimate


class Ranking(Part):
    """What a classifier's probabilities say beside its predictions at its threshold.

    Attributes:
        predictor: Its key.
        n: How many edits.
        auroc_in_distribution: On the in-distribution test set.
        auroc_edits: With keep-shams as positives and edits as negatives.
        precedence: How often a source scores above its own edit.
        mcnemar: The edit against its own sham.
        threshold: Chosen on validation images.
        at_threshold: Accuracy on edits there.
    """

    predictor: str
    n: int
    auroc_in_distribution: Estimate | None = None
    auroc_edits: Estimate | None = None
    precedence: Estimate | None = None
    mcnemar: McNemar | None = None
    threshold: float = 0.5
    at_threshold: Estimate | None = None


class Agreement(Part):
    """Accuracy, or Dice, on the synthetic set beside that on the truly shifted images of the same patients.

    `edits` says whether the kept ones are compared or all of them.
    """

    predictor: str
    n: int
    synthetic: Estimate
    truth: Estimate
    difference: Estimate
    edits: Literal["kept", "all"] = "kept"


class Score(Part):
    """Of every edit: its record, its editing score, None where it is undefined, and whether it was kept."""

    record: list[str] = []
    cosine: list[float | None] = []
    kept: list[bool] = []

    @property
    def cosines(self) -> dict[str, float | None]:
        """Record → editing score."""
        return dict(zip(self.record, self.cosine, strict=True))

    @model_validator(mode="after")
    def _one_cosine_an_edit(self) -> Score:
        if len({len(self.record), len(self.cosine), len(self.kept)}) > 1:
            raise ValueError(
                f"{len(self.record)} records, {len(self.cosine)} cosines and {len(self.kept)} kept; expected one an "
                "edit of each."
            )
        known = [cosine for cosine in self.cosine if cosine is not None]
        if wrong := [cosine for cosine in known if not abs(cosine) < 1.001]:  # which is 1, and what rounding adds
            raise ValueError(f"cosine has {wrong[0]:g}; allowed is −1…1.")
        return self


class Change(Part):
    """Of accuracy, or of Dice, a fraction; below 0 is worse. See `radedit.harness.evidence.changes` for the kinds."""

    predictor: str
    kind: Literal["synthetic", "truth", "path", "shift"]
    n: int
    value: Estimate


class Point(Part):
    """Accuracy, or Dice, over the n edits that a threshold of the editing score keeps."""

    threshold: float
    n: int
    value: Estimate


class KeptCurve(Part):
    """What other thresholds would have kept, and what a predictor makes of it."""

    predictor: str
    points: list[Point]


class Example(Part):
    """One record of the gallery.

    Attributes:
        record: Its id.
        kept: Whether its edit entered the synthetic set.
        cosine: Editing score.
        images: Kind of picture (`source`, `masks`, an editor's name, `counterfactual`, …) → path in the run folder.
        predictions: Predictor → kind of picture → probability of the finding, or Dice.
        structures: Kind of picture → whether the structure that is to be kept is still there, where it is known.
        licence, licence_url, attribution, url: Of the image that was edited, where others hold rights in it.
    """

    record: str
    kept: bool
    cosine: float | None = None
    images: dict[str, str] = {}
    predictions: dict[str, dict[str, float | None]] = {}
    structures: dict[str, bool] = {}
    licence: str = ""
    licence_url: str = ""
    attribution: str = ""
    url: str = ""


class Figure(Part):
    """A measurement of the generator, in its own unit, and the same of the one that its training began with."""

    name: str
    value: Estimate
    rival: Estimate | None = None
    unit: str = ""
    meaning: str = ""


class Skipped(Part):
    """A record that could not be edited."""

    record: str
    reason: str


class Hashes(Part):
    """Of what went in.

    Attributes:
        generator: Of the bundle.
        stress_set: Of everything that determines the edits.
        predictors: Predictor → training, e.g. `Seed 0` → hash of its weights.
        runs: Training → hash of everything that determines its run.
    """

    generator: str = ""
    stress_set: str = ""
    predictors: dict[str, dict[str, str]] = {}
    runs: dict[str, str] = {}


class Software(Part):
    """Commit and versions of what made something; empty where they are not known."""

    commit: str = ""
    versions: dict[str, str] = {}


class Provenance(Part):
    """Where results come from.

    Attributes:
        created: When, ISO 8601.
        command: That was typed.
        commit: That radedit ran from; empty where it is not known.
        machine: Processor or GPU.
        versions: Package → version.
        edited_by: What made the edits, which may be an earlier version.
        seed: Of the edits.
        predictor_seed: Of the predictors' training; None where it is not known, or there are several.
        minutes: Step → how long it took.
        hashes: Of what went in.
        config: Editor, masks and edit, as the run had them, and its logger.
    """

    created: str = ""
    command: str = ""
    commit: str = ""
    machine: str = ""
    versions: dict[str, str] = {}
    edited_by: Software = Software()
    seed: int | None = None
    predictor_seed: int | None = None
    minutes: dict[str, float] = {}
    hashes: Hashes = Hashes()
    config: dict[str, Any] = {}


class Figures(Part):
    """What follows from predictions alone, of one training of the predictors or of several; see each."""

    table: list[Row]
    attribution: list[Attribution] = []
    agreement: list[Agreement] = []
    verdicts: list[Verdict] = []
    contrasts: list[Contrast] = []
    ranking: list[Ranking] = []
    changes: list[Change] = []
    kept_curve: list[KeptCurve] = []
    performance: list[AtOperatingPoint] = []
    subgroups: list[Subgroups] = []


def _kind(scenario: Any) -> str:
    added = "added" in scenario if isinstance(scenario, dict) else isinstance(scenario, Addition)
    return "addition" if added else "removal"


Scenario = Annotated[Annotated[Removal, Tag("removal")] | Annotated[Addition, Tag("addition")], Discriminator(_kind)]


class Results(Figures, Provenance):
    """A finished stress test.

    Attributes:
        schema_version: Of this form.
        scenario: What was asked.
        rules: That were fixed beforehand.
        setting: Where images and weights come from: `phantom`, `open`, `manifest` or `paper`.
        counts: sources, edited, skipped, kept, rejected, undefined.
        skipped: Records that could not be edited.
        threshold: Editing scores at or above it are kept.
        interval: How intervals were made, in words.
        predictors: Models under test.
        score: Of every edit.
        gallery: Records that are shown.
        edit_quality: Measure of the edits → its value, in its own unit.
        generator: How good the generator is on these images.
        weaknesses: Why nothing should be concluded from its edits, as clauses.
        remarks: What else a reader must know of the generator, as sentences.
        notes: Sentences for the reader of the report.
        checks: Whether the edits happened; with one that does not hold, nothing is judged.
        failed: Kept records whose edit left the finding behind, by a judge; None without one.
        table, attribution, …: See `Figures`.
        created, command, …: See `Provenance`.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    scenario: Scenario
    rules: Rules
    setting: str
    predictors: list[PredictorEntry]
    counts: dict[str, int] = {}
    skipped: list[Skipped] = []
    threshold: float | None = None
    interval: str = "95 % interval"
    score: Score = Score()
    gallery: list[Example] = []
    edit_quality: dict[str, Estimate | float] = {}
    generator: list[Figure] = []
    weaknesses: list[str] = []
    remarks: list[str] = []
    notes: list[str] = []
    checks: list[Check] = []
    failed: list[str] | None = None

    @property
    def name(self) -> str:
        """Of the scenario."""
        return self.scenario.name

    @property
    def title(self) -> str:
        """The question."""
        return self.scenario.title

    @property
    def section(self) -> str:
        """Of the paper."""
        return self.scenario.section

    @property
    def measure(self) -> str:
        """What predictors are judged by, `accuracy` or `dice`."""
        return self.scenario.words.get("measure", "accuracy")

    @property
    def finding(self) -> str:
        """What the predictor is to detect, in words; empty of an addition."""
        return self.scenario.words.get("finding", "")

    @property
    def shortcut(self) -> str:
        """What went with the finding in training, in words."""
        return self.scenario.words.get("shortcut", "")

    @property
    def added(self) -> str:
        """What was added to the images, in words; empty of a removal."""
        return self.scenario.words.get("added", "")

    @property
    def structure(self) -> str:
        """What the predictor is to draw in spite of it."""
        return self.scenario.words.get("structure", "")

    @property
    def editor(self) -> str:
        """Name of the tested editor, as in `conf/editor`; empty where it is not known."""
        editor = self.config.get("editor")
        target = str(editor.get("_target_", "")) if isinstance(editor, dict) else ""
        return target.split(".")[-2] if "." in target else ""

    @property
    def pictures(self) -> list[str]:
        """Paths of all pictures that these results name, each once."""
        named = [path for example in self.gallery for path in example.images.values()]
        named += [cell.picture for predictor in self.predictors for cell in predictor.cells if cell.picture]
        return list(dict.fromkeys(named))

    @property
    def trainings(self) -> int:
        """Of each predictor, at most."""
        return max((row.seeds for row in self.table), default=1)

    def predictor(self, key: str) -> PredictorEntry:
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
        """A predictor's row for one set of images, if there is one."""
        return next((row for row in self.rows(key) if row.data == data), None)

    @model_validator(mode="after")
    def _predictors_are_known(self) -> Results:
        keys = [predictor.key for predictor in self.predictors]
        if not keys:
            raise ValueError("predictors is empty; a stress test has at least one.")
        if len(set(keys)) < len(keys):
            raise ValueError(f"predictors have the keys {', '.join(keys)}; each must be unique.")
        for where, key in self._named():
            if key not in keys:
                raise ValueError(f"{where}.predictor is {key!r}; predictors are {', '.join(keys)}.")
        return self

    def _named(self) -> Iterator[tuple[str, str]]:
        """Every place that names a predictor, and the key there."""
        for part in NAMES_A_PREDICTOR:
            yield from ((f"{part}[{i}]", entry.predictor) for i, entry in enumerate(getattr(self, part)))
        for i, contrast in enumerate(self.contrasts):
            yield from ((f"contrasts[{i}]", key) for key in (contrast.worse, contrast.better))


def load(folder: Path) -> Results:
    """Read the results of a finished run.

    Raises:
        FileNotFoundError: If the folder has none.
        ValueError: If they are of another version, not what `Results` says, or were changed since they were written;
            the message names the place.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; a stress test writes it when it has finished.")
    require_whole(path.parent, "The run", REMEDY, names={FILE})
    check_version(path)
    return read_typed(Results, path)


def save(results: BaseModel, path: Path) -> None:
    """Write results, or a sweep, as JSON."""
    text = results.model_dump_json(indent=1)
    write_atomically(path, f"{text}\n".encode("utf-8", errors="backslashreplace"))


def check_version(path: Path) -> None:
    """See that a file is of this schema.

    Raises:
        ValueError: If it is of an earlier or a later one; the message says what to do.
    """
    try:
        found: Any = json.loads(path.read_bytes())
    except ValueError:
        return  # reading it as results says what is wrong with it
    version = found.get("schema_version") if isinstance(found, dict) else SCHEMA_VERSION
    if version != SCHEMA_VERSION:
        command = found.get("command") or "python -m radedit.stress +scenario=…"
        whose = "an earlier" if not isinstance(version, int) or version < SCHEMA_VERSION else "a later"
        raise ValueError(
            f"{path} was written by {whose} version of radedit: its schema_version is {version or 'missing'}, and "
            f"this one reads {SCHEMA_VERSION}. Run its command again ({command}): edits and predictions that are there "
            "already are not made twice."
        )


def schema() -> dict[str, Any]:
    """JSON schema of `results.json`, as `docs/reference/results.schema.json` has it."""
    found = Results.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}
