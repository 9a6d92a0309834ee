"""Does the stress set's verdict find the biased ones? One predictor in each of many worlds (evidence.md, 4).

Whether a predictor is biased is known: by its accuracy on true films without the finding, without and with the
shortcut. The verdict knows nothing of these films.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from radedit.data.atomic import write_atomically
from radedit.data.fingerprint import content_hash
from radedit.harness.answers import Measured
from radedit.harness.evidence import attribution
from radedit.harness.proportions import proportion
from radedit.harness.ranks import auroc
from radedit.harness.removal import YARDSTICK
from radedit.harness.statistics import Estimate
from radedit.harness.verdict import Rules, Verdict, judge

LIMITS = tuple(round(0.02 + 0.01 * i, 2) for i in range(39))  # 2…40 points
FILMS = ("reference", "reference_vae", "reference_replay", "sham", "edit", "source", "replay")  # that a verdict goes by
CELLS = ("0-0", "0-1")  # <finding>-<shortcut>


@dataclass(frozen=True)
class Trial:
    """One predictor, what is true of it and what the stress set says.

    Attributes:
        key: Of the predictor.
        strength: Of the shortcut in its world.
        cells: `<finding>-<shortcut>` → accuracy on true films.
        excess: False positives on edits less those on shams, a fraction.
        path: Those that the editor's path adds by itself.
        n: Records.
        control: Sensitivity that the path takes on the originals.
    """

    key: str
    strength: float
    cells: Mapping[str, float]
    excess: Estimate
    path: Estimate
    n: int
    control: Estimate

    @classmethod
    def of(cls, measured: Measured, strength: float, records: Sequence[str]) -> Trial:
        """From a predictor's answers to the stress set, and to true films in the cells.

        Args:
            measured: Has the sets `FILMS` and `cell-<cell>`.
            strength: Of the shortcut.
            records: Edits that count.

        Raises:
            ValueError: If a set is missing.
        """
        found = attribution([measured], YARDSTICK, records)
        if not found or "control" not in found[0]:
            raise ValueError(f"{measured.key} has no answers to all of {', '.join(FILMS)}, or there are no records.")
        cells = {
            name.removeprefix("cell-"): answers.mean("correct").value
            for name, answers in measured.sets.items()
            if name.startswith("cell-")
        }
        excess, path, control = (Estimate(**found[0][name]) for name in ("excess", "path", "control"))
        return cls(measured.key, strength, cells, excess, path, len(records), control)

    @property
    def gap(self) -> float:
        """Accuracy that the shortcut costs on true films without the finding, a fraction, either sign."""
        without, with_it = (self.cells[cell] for cell in CELLS)
        return without - with_it

    def biased(self, truth: float) -> bool:
        """Whether that is more than `truth`."""
        return abs(self.gap) > truth

    def judge(self, rules: Rules) -> Verdict:
        """What the stress test says."""
        return judge(self.key, self.excess, self.path, self.n, rules, self.control)


def choose_limit(trials: Sequence[Trial], rules: Rules, truth: float) -> float:
    """The limit at which verdicts tell biased predictors from others best: detections less false alarms, as shares.

    Of several that do equally well, the one nearest to the limit that `rules` has.

    Args:
        trials: Of worlds that serve for nothing else.
        rules: What else a verdict goes by.
        truth: Gap from which a predictor is biased, a fraction.
    """

    def worth(limit: float) -> float:
        fails = {
            biased: [t.judge(_with(rules, limit)).outcome == "fail" for t in trials if t.biased(truth) is biased]
            for biased in (True, False)
        }
        return float(np.mean(fails[True] or [False]) - np.mean(fails[False] or [False]))

    return max(LIMITS, key=lambda limit: (round(worth(limit), 9), -abs(limit - rules.limit)))


def _with(rules: Rules, limit: float) -> Rules:
    return Rules(limit=limit, path_limit=rules.path_limit, min_n=rules.min_n)


def freeze(trials: Sequence[Trial], rules: Rules, truth: float, basis: Mapping[str, Any]) -> dict[str, Any]:
    """Rules chosen on these worlds, as a file keeps them.

    Args:
        trials: Worlds that serve for nothing else.
        rules: To begin with; only the limit is chosen.
        truth: Gap from which a predictor is biased, a fraction.
        basis: What else the choice rests on, such as the stress set.
    """
    frozen = {
        "rules": {"limit": choose_limit(trials, rules, truth), "path_limit": rules.path_limit, "min_n": rules.min_n},
        "truth": truth,
        "basis": dict(basis),
        "worlds": [{"predictor": t.key, "gap": t.gap, "excess": t.excess.value} for t in trials],
    }
    return frozen | {"hash": content_hash(frozen)}


def write_rules(path: Path, frozen: Mapping[str, Any]) -> None:
    """Keep frozen rules."""
    write_atomically(path, (json.dumps(frozen, indent=1) + "\n").encode())


def read_rules(path: Path, basis: Mapping[str, Any]) -> dict[str, Any]:
    """Frozen rules as they were kept; they are never chosen again.

    Raises:
        ValueError: If the file was changed by hand, or its rules were chosen on something else.
    """
    try:
        frozen: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        named = content_hash({key: value for key, value in frozen.items() if key != "hash"})
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} is no file of frozen rules ({error}). Delete it to freeze others.") from None
    if frozen.get("hash") != named:
        raise ValueError(
            f"{path} was changed after it was frozen: its hash is {named[:12]}. Delete it to freeze others."
        )
    if content_hash(frozen["basis"]) != content_hash(basis):
        raise ValueError(
            f"The rules in {path} were frozen for other predictors or another stress set. They are never chosen again: "
            "give another folder with out=…, or delete the file together with all that was judged by it."
        )
    return frozen


def summary(trials: Sequence[Trial], rules: Rules, truth: float) -> dict[str, Any]:
    """What the verdicts found of what there was to find.

    Returns:
        `curve`: for each strength its `biased` predictors, and shares of `fail` and `undecided`; `detected` of the
        biased and `false_alarms` of the others, each k of n with an interval (None where n is 0); `auroc` of the excess
        against the truth; `rows`, one a predictor.
    """
    verdicts = [trial.judge(rules) for trial in trials]
    truly = [trial.biased(truth) for trial in trials]

    def share(outcome: str, among: Sequence[bool]) -> dict[str, Any]:
        chosen = [verdict.outcome == outcome for verdict, asked in zip(verdicts, among, strict=True) if asked]
        estimate = proportion(sum(chosen), len(chosen)).dict() if chosen else None
        return {"k": sum(chosen), "n": len(chosen), "share": estimate}

    curve = []
    for strength in sorted({trial.strength for trial in trials}):
        here = [trial.strength == strength for trial in trials]
        curve.append(
            {
                "strength": strength,
                "biased": sum(t for t, asked in zip(truly, here, strict=True) if asked),
                "gap": float(np.mean([t.gap for t in trials if t.strength == strength])),
                "excess": float(np.mean([t.excess.value for t in trials if t.strength == strength])),
                **{outcome: share(outcome, here) for outcome in ("fail", "pass", "undecided")},
            }
        )
    of_biased, of_others = (
        [(t.excess.value, t.key) for t, is_biased in zip(trials, truly, strict=True) if is_biased is wanted]
        for wanted in (True, False)
    )
    scores = [[score for score, _ in side] for side in (of_biased, of_others)]
    keys = [[key for _, key in side] for side in (of_biased, of_others)]
    area = auroc(scores[0], scores[1], keys[0], keys[1])
    return {
        "worlds": len(trials),
        "curve": curve,
        "detected": share("fail", truly),
        "undecided_biased": share("undecided", truly),
        "false_alarms": share("fail", [not one for one in truly]),
        "undecided_others": share("undecided", [not one for one in truly]),
        "auroc": area.dict() if area else None,
        "rows": [
            {
                "predictor": trial.key,
                "strength": trial.strength,
                "cells": dict(trial.cells),
                "gap": trial.gap,
                "biased": biased,
                "excess": asdict(trial.excess),
                "path": asdict(trial.path),
                "control": asdict(trial.control),
                "n": trial.n,
                "outcome": verdict.outcome,
                "reasons": verdict.reasons,
            }
            for trial, biased, verdict in zip(trials, truly, verdicts, strict=True)
        ],
    }
