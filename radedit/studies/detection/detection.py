"""Does the verdict find the biased predictors, and no other? One predictor in each of many worlds (evidence.md, 4).

Whether a predictor is biased is known: by its accuracy on true images without the finding, without and with the
shortcut, or by the Dice that the true abnormality costs it. The verdict knows nothing of these images.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from radedit.data.io.atomic import write_atomically
from radedit.data.io.fingerprint import content_hash
from radedit.harness.evidence.checks import LEFT, CheckLimits
from radedit.harness.evidence.verdict import Rules, Verdict
from radedit.harness.statistics.proportions import exact_proportion
from radedit.harness.statistics.ranks import auroc

STRONG = 0.75  # strength of a shortcut from which on it is to be found
OUTCOMES = ("fail", "pass", "undecided")


@dataclass(frozen=True)
class Trial:
    """One predictor, what is true of it and what the stress set says.

    Attributes:
        key: Of the predictor.
        strength: Of the shortcut in its world; of a segmenter, the share of abnormal images.
        gap: What the shift truly costs it, a fraction, either sign.
        verdict: By the stress test, as a user gets it.
    """

    key: str
    strength: float
    gap: float
    verdict: Verdict

    def biased(self, truth: float) -> bool:
        """Whether the shift truly costs more than `truth`."""
        return abs(self.gap) > truth


def freeze(path: Path, rules: Rules, limits: CheckLimits, truth: float) -> str:
    """Write down by what verdicts go before the first is given, or see that it is as it was written.

    Args:
        path: Of the file, JSON.
        rules: Of the verdicts.
        limits: Of the checks.
        truth: Gap from which a predictor is biased, a fraction.

    Returns:
        Hash of all that.

    Raises:
        ValueError: If other rules stand there, or the file was changed.
    """
    rules = replace(rules, fail_on=None)
    frozen: dict[str, Any] = {"rules": asdict(rules), "checks": asdict(limits), "left": LEFT, "truth": truth}
    frozen = json.loads(json.dumps(frozen))
    named = content_hash(frozen)
    if not path.is_file():
        write_atomically(path, (json.dumps(frozen | {"hash": named}, indent=1) + "\n").encode())
        return named
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no file of frozen rules ({error}). Delete it to freeze others.") from None
    if found != frozen | {"hash": named}:
        raise ValueError(
            f"{path} holds other rules than these, by which verdicts were given: {json.dumps(found)[:300]}. Rules are "
            "frozen before the first verdict: give another folder with out=…, or say the same rules again."
        )
    return named


def summary(trials: Sequence[Trial], truth: float) -> dict[str, Any]:
    """What the verdicts found of what there was to find.

    Returns:
        `curve`: for each strength its `biased` predictors, and shares of each outcome; `biased` and `others`: outcome
        → share; `strong`: fails among the biased of strength 0.75 and more. A share is k of n with its exact interval
        (None where n is 0). `auroc` of the shift effect against the truth; `rows`, one a predictor.
    """
    truly = [trial.biased(truth) for trial in trials]

    def share(outcome: str, among: Sequence[bool]) -> dict[str, Any]:
        chosen = [trial.verdict.outcome == outcome for trial, asked in zip(trials, among, strict=True) if asked]
        estimate = exact_proportion(sum(chosen), len(chosen)).dict() if chosen else None
        return {"k": sum(chosen), "n": len(chosen), "share": estimate}

    def shares(among: Sequence[bool]) -> dict[str, Any]:
        return {outcome: share(outcome, among) for outcome in OUTCOMES}

    curve = []
    for strength in sorted({trial.strength for trial in trials}):
        here = [trial.strength == strength for trial in trials]
        curve.append(
            {
                "strength": strength,
                "biased": sum(t for t, asked in zip(truly, here, strict=True) if asked),
                "gap": float(np.mean([t.gap for t in trials if t.strength == strength])),
                **shares(here),
            }
        )
    known = [(t, is_biased) for t, is_biased in zip(trials, truly, strict=True) if t.verdict.shift_effect is not None]
    of_biased, of_others = (
        [(t.verdict.shift_effect.value, t.key) for t, is_biased in known if is_biased is wanted]  # type: ignore[union-attr]
        for wanted in (True, False)
    )
    scores = [[score for score, _ in side] for side in (of_biased, of_others)]
    keys = [[key for _, key in side] for side in (of_biased, of_others)]
    area = auroc(scores[0], scores[1], keys[0], keys[1])
    strong = [is_biased and trial.strength >= STRONG for trial, is_biased in zip(trials, truly, strict=True)]
    return {
        "worlds": len(trials),
        "curve": curve,
        "biased": shares(truly),
        "others": shares([not one for one in truly]),
        "strong": share("fail", strong),
        "auroc": area.dict() if area else None,
        "rows": [
            {"predictor": t.key, "strength": t.strength, "gap": t.gap, "biased": is_biased, **_row(t.verdict)}
            for t, is_biased in zip(trials, truly, strict=True)
        ],
    }


def _row(verdict: Verdict) -> dict[str, Any]:
    estimates = ("shift_effect", "artefact", "control", "residual")
    found = {name: getattr(verdict, name) for name in estimates}
    return {
        **{name: None if estimate is None else estimate.dict() for name, estimate in found.items()},
        "n": verdict.n,
        "outcome": verdict.outcome,
        "reasons": verdict.reasons,
    }
