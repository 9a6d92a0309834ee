"""Is the group that fails named, is a worse version refused, and are others left alone? On worlds of known truth.

    python experiments/subgroups/simulate.py [worlds [records …]]

Records are those of phantoms, whose sex, age and view are causes of their pictures; nothing is drawn or trained.
Predictions are a script's: how often it calls an image positive is known for every group, and images of a patient are
alike. Groups and versions are compared by the functions that a stress test calls.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from radedit.data.datasets.phantom import PhantomDataset
from radedit.data.io.provenance import made_by
from radedit.harness.evidence.evidence import by_group
from radedit.harness.evidence.removal import YARDSTICK
from radedit.harness.evidence.verdict import Outcome, Rules
from radedit.harness.predictors.predictions import Measured, Predictions
from radedit.harness.subgroups.groups import groups_of
from radedit.harness.subgroups.shift_effects import Subgroups
from radedit.harness.versions.comparison import Margin, measure_by_measure, worst_of
from radedit.phantom.world import World
from radedit.report.words.markdown import markdown

FIRST_WORLD = 9000  # seeds of worlds: 9000, 9001, …
ATTRIBUTES, BANDS = ("sex", "age", "view"), {"age": [40, 60, 80]}
PLANTED = ({"sex": "F"}, {"age": "60–79"}, {"view": "AP"}, {"sex": "M"}, {"age": "under 40"}, {"view": "PA"})
RATES = {  # how often an image is called positive
    "source": 0.93, "replay": 0.92, "keep_sham": 0.92, "reference": 0.03, "reference_vae": 0.03,
    "reference_replay": 0.03, "sham": 0.04, "edit": 0.07, "own positives": 0.93, "own negatives": 0.04,
}  # fmt: skip
ALIKE = 0.3  # chance that an image shares its draw with the other images of its patient
WORLDS, SIZES, EFFECTS = 20, (300,), (0.2, 0.4)
AGREES = 0.8  # chance that an image shares its draw with the version before
LOSSES = {
    "none": {}, "specificity on edits": {"edit": 0.12}, "sensitivity": {"source": -0.12, "own positives": -0.12}
}  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """One world: its records and their groups."""

    seed: int
    n: int

    @cached_property
    def records(self) -> PhantomDataset:
        """Sources of edits."""
        world = World(seed=self.seed, prevalence={"pneumothorax": 1.0}, drain_given=(0.0, 1.0), ap=0.35)
        return PhantomDataset(world, "sources", self.n)

    @cached_property
    def ids(self) -> list[str]:
        """Of the records."""
        return [record.id for record in self.records.records]

    @cached_property
    def patients(self) -> list[str]:
        """Of the records."""
        return [record.patient_id for record in self.records.records]

    @cached_property
    def groups(self) -> dict[str, dict[str, str]]:
        """Record → attribute → group."""
        return groups_of(self.records.records, ATTRIBUTES, BANDS)

    def draws(self, stream: str, version: int = 0) -> NDArray[np.float64]:
        """Uniform draws, one a record: alike within a patient, and between versions."""

        def independent(*key: int) -> NDArray[np.float64]:
            rng = np.random.default_rng([self.seed, self.n, *stream.encode(), *key])
            own, patient = rng.uniform(size=self.n), np.unique(self.patients, return_inverse=True)[1]
            shared = rng.uniform(size=int(patient.max()) + 1)[patient]
            return np.where(rng.uniform(size=self.n) < ALIKE, shared, own)

        before = independent(0)
        if not version:
            return before
        same = np.random.default_rng([self.seed, self.n, *stream.encode(), 7, version]).uniform(size=self.n) < AGREES
        return np.where(same, before, independent(version))

    def model(
        self, extra: Mapping[str, float] | None = None, failing: Mapping[str, str] | None = None, effect: float = 0.0,
        version: int = 0,
    ) -> Measured:  # fmt: skip
        """A scripted classifier.

        Args:
            extra: Kind of image → what is added to how often it is called positive.
            failing: Attribute → group for which the shift costs more.
            effect: By how much.
            version: Another one agrees with version 0 on most images.
        """
        rates = {kind: rate + (extra or {}).get(kind, 0.0) for kind, rate in RATES.items()}
        sets = {}
        hit = np.array(
            [all(self.groups[id_].get(k) == v for k, v in (failing or {"": ""}).items()) for id_ in self.ids]
        )
        for kind, rate in rates.items():
            label = float(kind in ("source", "replay", "keep_sham", "own positives"))
            of_each = np.full(self.n, rate) + (effect * hit if kind == "edit" else 0.0)
            # the image before the edit and the edit itself share what is hard about them
            positive = (self.draws("own" if kind.startswith("own") else "edit", version) < of_each).astype(float)
            values = {
                "label": np.full(self.n, label),
                "positive": positive,
                "correct": (positive == label).astype(float),
            }
            values["probability"] = np.where(positive == 1, 0.8, 0.2)
            sets[kind] = Predictions(self.ids, self.patients, {k: v[None] for k, v in values.items()})
        own = [sets.pop(f"own {which}") for which in ("positives", "negatives")]
        sets["in_distribution"] = Predictions(
            [f"{id_}-{i}" for i, half in enumerate(own) for id_ in half.ids],
            [patient for half in own for patient in half.patients],
            {name: np.concatenate([half.values[name] for half in own], axis=1) for name in own[0].values},
        )
        return Measured("scripted", "", sets)


def groups_found(trial: Trial, failing: Mapping[str, str] | None = None, effect: float = 0.0) -> Subgroups:
    """What a stress test says of a scripted model's groups."""
    model = trial.model(failing=failing, effect=effect)
    (found,) = by_group([model], YARDSTICK, trial.ids, trial.ids, Rules(), trial.groups)
    return found


def new_version(trial: Trial, loss: Mapping[str, float]) -> Outcome:
    """What a comparison says of a version that loses something, or nothing."""
    measures = measure_by_measure(
        trial.model(), trial.model(loss, version=1), trial.ids, trial.ids, Margin(), removal=True
    )
    return worst_of([one.outcome for one in measures if one.outcome is not None])


def share(hits: Sequence[bool]) -> str:
    """`19 of 20`."""
    return f"{sum(hits)} of {len(hits)}"


def main(worlds: int, sizes: Sequence[int]) -> None:
    """Both tables, for so many worlds and these numbers of records."""
    lines = [["n", "planted effect, points", "named first", "it, or a pair with it, first", "with a false finding"]]
    for n in sizes:
        trials = [Trial(FIRST_WORLD + i, n) for i in range(worlds)]
        for effect in (0.0, *EFFECTS):
            first, near, false = [], [], []
            for i, trial in enumerate(trials):
                planted = PLANTED[i % len(PLANTED)]
                found = groups_found(trial, planted if effect else None, effect)
                named = [group.where for group in found.groups if group.worse]
                first.append(named[:1] == [planted])
                near.append(bool(named) and planted.items() <= named[0].items())
                false.append(any(not (effect and planted.items() <= where.items()) for where in named))
            said = ["–", "–"] if not effect else [share(first), share(near)]
            lines.append([str(n), f"{100 * effect:g}", *said, share(false)])
    print(markdown(lines), "\n", flush=True)
    lines = [["n", "new version loses", "not worse", "undecided", "worse", "refused"]]
    for n in sizes:
        trials = [Trial(FIRST_WORLD + i, n) for i in range(worlds)]
        for name, loss in LOSSES.items():
            found = [new_version(trial, loss) for trial in trials]
            counts = [str(found.count(outcome)) for outcome in ("pass", "undecided", "fail")]
            what = name if not loss else f"12 points of {name}"
            lines.append([str(n), what, *counts, share([one != "pass" for one in found])])
    print(markdown(lines))
    about = made_by()
    print(f"\n{worlds} worlds a line, seeds from {FIRST_WORLD}, commit {about['commit'][:9]}, {about['machine']}")


if __name__ == "__main__":
    asked = [int(word) for word in sys.argv[1:]]
    main(asked[0] if asked else WORLDS, asked[1:] or SIZES)
