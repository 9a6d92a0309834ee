"""How the measure changes from one set of films to another, with intervals: the rows of a forest plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from radedit.harness.answers import Measured
from radedit.harness.evidence import Yardstick
from radedit.harness.statistics import crossed_change


def changes(measured: Sequence[Measured], yardstick: Yardstick, records: Sequence[str]) -> list[dict[str, Any]]:
    """Changes of accuracy, or of Dice, a fraction; below 0 is worse.

    The paper's drop (edits less the ordinary test set), the same after the true shift, and its two parts that the sham
    tells apart: what the path does by itself, and what the shift adds.

    Args:
        measured: Answers.
        yardstick: How the scenario measures.
        records: Whose edits, shams and twins are taken.

    Returns:
        For each predictor, what its films allow: `predictor`, `kind` (`synthetic`, `truth`, `path` or `shift`), `n`
        films after the change, and `value`.
    """
    last = yardstick.terms[-1].before
    result = []
    for one in measured:
        found = {kind: one.of(kind, records) for kind in ("edit", "twin", last, yardstick.first)}
        asked = {
            "synthetic": (one.sets.get("ordinary"), found["edit"]),
            "truth": (one.sets.get("ordinary"), found["twin"]),
            "path": (found[yardstick.first], found[last]),
            "shift": (found[last], found["edit"]),
        }
        for kind, (before, after) in asked.items():
            if not records or before is None or after is None:
                continue
            values = [films.values[yardstick.measure] for films in (before, after)]
            change = crossed_change(values[0], before.subjects, values[1], after.subjects)
            result.append({"predictor": one.key, "kind": kind, "n": len(records), "value": change.dict()})
    return result
