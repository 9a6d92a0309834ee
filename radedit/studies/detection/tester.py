"""Who is judged on what: predictors, one in each world, on stress sets of whole and broken generators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from radedit.data.stress_set import read_rows
from radedit.data.views.cached import CachedDataset
from radedit.harness.evidence.checks import CheckLimits, check_edits, failed_edits, reasons
from radedit.harness.evidence.evidence import verdicts
from radedit.harness.evidence.verdict import Rules
from radedit.harness.predictors.classify import kind_dataset, predict
from radedit.harness.predictors.predictions import Measured, Predictions
from radedit.harness.stress.scenario import Addition, Removal
from radedit.harness.sweep.pooled import reading
from radedit.models.predictors import Network
from radedit.studies.detection.detection import Trial
from radedit.studies.shared.cheap_predictors import Family, Member
from radedit.studies.shared.trial_images import overlaps
from radedit.types import Dataset

CELLS = ("0-0", "0-1")  # <finding>-<shortcut>


@dataclass(frozen=True)
class JudgedSet:
    """A finished stress set on which predictors are judged.

    Attributes:
        folder: Of the set.
        scenario: What was asked.
        datasets: Kind of image → its images, held in memory.
        kept, every: Records whose edit was kept, and all that were edited.
        against: What speaks against the edits themselves, as sentences.
        failed: Kept record → whether its edit left the finding behind; None without a judge.
    """

    folder: Path
    scenario: Removal | Addition
    datasets: Mapping[str, Dataset]
    kept: list[str]
    every: list[str]
    against: list[str]
    failed: Mapping[str, bool] | None

    @classmethod
    def of(
        cls, folder: Path, scenario: Removal | Addition, threshold: float, limits: CheckLimits, psnr: float | None
    ) -> JudgedSet:
        """From its folder; checks are those of a stress test."""
        is_addition = isinstance(scenario, Addition)
        _, yardstick = reading(scenario)
        kinds = {"source", "edit", yardstick.first, *(step.after for step in yardstick.terms)}
        kinds |= {"counterfactual"} if is_addition else {"replay"}
        edits = {row["attr_record"]: bool(row["kept"]) for row in read_rows(folder) if row["attr_kind"] == "edit"}
        checks = check_edits(folder, threshold, limits, addition=is_addition, psnr=psnr)
        return cls(
            folder, scenario, {kind: CachedDataset(kind_dataset(folder, kind)) for kind in sorted(kinds)},
            [record for record, kept in edits.items() if kept], list(edits), reasons(checks),
            None if is_addition else failed_edits(folder),
        )  # fmt: skip


@dataclass(frozen=True)
class Tester:
    """Asks predictors and judges them as a stress test does; predictions are kept.

    Attributes:
        rules: Of the verdicts.
        cells: Cell → true images, for classifiers.
        size: Side of the images, px.
        predictions: Where they are kept.
    """

    rules: Rules
    cells: Mapping[str, Dataset]
    size: int
    predictions: Path

    def trial(self, member: Member, network: Network, images: JudgedSet, name: str = "") -> Trial:
        """One predictor on one stress set; `name` of the addition, where there are several."""
        folder = self.predictions / images.folder.name / member.key
        sets = {
            kind: self._ask(network, dataset, images.scenario, folder / kind)
            for kind, dataset in images.datasets.items()
        }
        measured = Measured(f"{name}/{member.key}" if name else member.key, "", sets, (member.seed,))
        _, yardstick = reading(images.scenario)
        found = verdicts([measured], yardstick, images.kept, images.every, self.rules, images.against, images.failed)
        return Trial(measured.key, member.strength, self._gap(member, network, images, sets), found[0])

    def _gap(
        self, member: Member, network: Network, images: JudgedSet, sets: Mapping[str, Predictions]
    ) -> float:  # fmt: skip
        """What the shift truly costs: accuracy in the cells without the finding, or Dice of the same images."""
        if isinstance(images.scenario, Addition):
            before, after = (sets[kind].values["dice"].mean() for kind in ("source", "counterfactual"))
        else:
            before, after = (
                self._ask(network, self.cells[cell], images.scenario, self.predictions / "cells" / member.key / cell)
                .values["correct"]
                .mean()
                for cell in CELLS
            )
        return float(before - after)

    def _ask(self, network: Network, dataset: Dataset, scenario: Removal | Addition, file: Path) -> Predictions:
        if isinstance(scenario, Addition):
            found = overlaps(network, dataset, scenario, self.size, cache=file.with_suffix(".json"))
        else:
            cache = file.with_suffix(".csv")
            found = Predictions.of_scores(predict(network, dataset, scenario.finding, self.size, cache=cache))
        return Predictions([id_.rsplit("/", 1)[0] for id_ in found.ids], found.patients, found.values)


def worlds_of(family: Family, strengths: Sequence[float], worlds: int, first: int) -> list[Member]:
    """One predictor for each world; worlds differ in their patients, too."""
    found: list[Member] = []
    for strength in strengths:
        for _ in range(worlds):
            seed = first + len(found)
            found.append(family.member(strength, seed, replace(family.world_of(strength), seed=seed)))
    return found
