"""How the measure changes from one set of images to another, with intervals: the rows of a forest plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from radedit.harness.evidence.results import Change
from radedit.harness.evidence.yardstick import Yardstick
from radedit.harness.predictors.predictions import Measured, Predictions, paired_difference
from radedit.harness.statistics.means import crossed_change


def changes(measured: Sequence[Measured], yardstick: Yardstick, records: Sequence[str]) -> list[Change]:
    """Changes of accuracy, or of Dice, a fraction; below 0 is worse.

    The paper's drop (edits less the in-distribution test set), the same after the true shift, and its two parts that
    the sham tells apart: the editing artefact, and what the shift adds.

    Args:
        measured: Predictions.
        yardstick: How the scenario measures.
        records: Whose edits, shams and counterfactuals are taken.

    Returns:
        For each predictor, what its images allow; `n` counts the images after the change.
    """
    last = yardstick.terms[-1].before
    result = []
    for one in measured:
        found = {kind: one.of(kind, records) for kind in ("edit", "counterfactual", last, yardstick.first)}
        asked: dict[Literal["synthetic", "truth", "path", "shift"], tuple[Predictions | None, Predictions | None]] = {
            "synthetic": (one.sets.get("in_distribution"), found["edit"]),
            "truth": (one.sets.get("in_distribution"), found["counterfactual"]),
            "path": (found[yardstick.first], found[last]),
            "shift": (found[last], found["edit"]),
        }
        for kind, (before, after) in asked.items():
            if not records or before is None or after is None:
                continue
            if kind in ("path", "shift"):  # image by image
                edited = one.sets["edit"].only(records).patients
                change = paired_difference(after, before, yardstick.measure, edited).at()
            else:
                values = [images.values[yardstick.measure] for images in (before, after)]
                change = crossed_change(values[0], before.patients, values[1], after.patients)
            result.append(Change(predictor=one.key, kind=kind, n=len(records), value=change))
    return result
