"""How often does a verdict pass, fail or abstain, and how often do its intervals hold the truth? By simulation.

    python experiments/verdict/simulate.py [repeats]

Every cell draws records of patients with one to three images, trainings whose false-positive rates differ, and, where
references are reused, 25 references for all sources, which flip together in part. Where edits fail, a share of them
leaves the finding, which the model then mostly sees, and a judge says which. The true shift effect is known, and effect
and artefact are measured as in a stress test.
"""

from __future__ import annotations

import itertools
import sys

import numpy as np
from numpy.typing import NDArray

from radedit.data.io.provenance import made_by
from radedit.harness.evidence.verdict import Measures, Rules, decide
from radedit.harness.predictors.predictions import Predictions, paired_difference
from radedit.harness.statistics.intervals import mean_of
from radedit.report.words.markdown import markdown

SEED = 0
SIZES, TRAININGS, EFFECTS = (38, 100, 300), (1, 3, 5), (0.0, 0.03, 0.1, 0.4, 0.5)
COVERED_ONLY = (0.03, 0.5)  # effects of which only the interval is looked at
BASE, FLIPS, LIKE, SPREAD = 0.01, 0.005, 0.3, 0.02  # false positives, flips by editing, patients alike, trainings' sd
FEW = 25
FAILED, SEEN = 0.03, 0.9  # third part: edits that leave the finding, and how many of these the model calls positive
RULES = Rules()


def correlated(rng: np.random.Generator, rates: NDArray[np.float64], patient: NDArray[np.int64]) -> NDArray[np.float64]:
    """0 or 1 with these rates, shape (S, N); images of a patient share a draw with probability `LIKE`."""
    own, shared = rng.random(rates.shape[1]), rng.random(int(patient.max()) + 1)[patient]
    u = np.where(rng.random(rates.shape[1]) < LIKE, shared, own)
    return (u[None] < rates).astype(np.float64)


def trial(
    rng: np.random.Generator, n: int, trainings: int, effect: float, reused: bool, failing: bool
) -> tuple[str, bool]:
    """Outcome of one simulated run, and whether the interval of the effect holds the truth."""
    patient = np.repeat(np.arange(n), rng.choice(3, n, p=(0.8, 0.15, 0.05)) + 1)[:n]
    spread = rng.normal(0, SPREAD, (trainings, 1)) if trainings > 1 else np.zeros((1, 1))
    reference_of = rng.integers(0, FEW, n) if reused else patient
    reference = correlated(rng, np.full((trainings, n), BASE), reference_of)
    flips = np.full((trainings, n), FLIPS)
    flipped = correlated(rng, flips, reference_of) if reused else rng.random((trainings, n)) < FLIPS
    if reused:  # one image, one prediction
        first = {r: i for i, r in reversed(list(enumerate(reference_of.tolist())))}
        reference = reference[:, [first[r] for r in reference_of.tolist()]]
    sham = np.where(flipped, 1 - reference, reference)
    rates = np.clip(effect / (1 - BASE) + spread, 0, 1) * np.ones((trainings, n))
    edit = np.maximum(sham, correlated(rng, rates, patient))
    failed = rng.random(n) < FAILED * failing
    edit = np.where(failed, rng.random((trainings, n)) < SEEN, edit)
    ids = [f"p{p}" for p in patient]
    partners = [f"r{r}" for r in reference_of] if reused else ids
    edits, shams, references = (
        Predictions(ids, whose, {"positive": values})
        for whose, values in ((ids, edit), (partners, sham), (partners, reference))
    )
    shift_effect = paired_difference(edits, shams, "positive", ids)
    interval = shift_effect.at()
    assert interval.low is not None and interval.high is not None
    holds = interval.low <= effect <= interval.high
    if effect in COVERED_ONLY:
        return "", holds
    artefact = paired_difference(shams, references, "positive", ids)
    if not failing:
        return decide(Measures(shift_effect, artefact), RULES), holds
    as_right = Predictions(ids, ids, {"positive": np.where(failed, 0.0, edit)})
    residual, net_effect = mean_of(failed[None].astype(float), ids), paired_difference(as_right, shams, "positive", ids)
    return decide(Measures(shift_effect, artefact, None, residual, net_effect), RULES), holds


def main(repeats: int) -> None:
    """A line for each cell."""
    about = made_by()
    lines = [
        ["references", "n", "trainings", "true effect, points", "pass, %", "fail, %", "undecided, %", "coverage, %"]
    ]
    kinds = {"one a source": (False, False), f"{FEW}, reused": (True, False), "one a source, edits fail": (False, True)}
    for (kind, (reused, failing)), n, trainings, effect in itertools.product(kinds.items(), SIZES, TRAININGS, EFFECTS):
        if (reused and n < 100) or (failing and effect in COVERED_ONLY):
            continue
        rng = np.random.default_rng([SEED, n, trainings, round(100 * effect), reused + 2 * failing])
        found = [trial(rng, n, trainings, effect, reused, failing) for _ in range(repeats)]
        outcomes = [outcome for outcome, _ in found]
        shares = [
            "–" if effect in COVERED_ONLY else f"{100 * outcomes.count(name) / repeats:.1f}"
            for name in ("pass", "fail", "undecided")
        ]
        coverage = "–" if failing else f"{100 * np.mean([holds for _, holds in found]):.1f}"
        lines.append([kind, str(n), str(trainings), f"{100 * effect:g}", *shares, coverage])
        print(" ".join(lines[-1]), file=sys.stderr, flush=True)
    about = made_by()
    print(
        f"{repeats} repeats a line, seed {SEED}, commit {about['commit'][:9]}, {about['machine']}\n\n{markdown(lines)}"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
