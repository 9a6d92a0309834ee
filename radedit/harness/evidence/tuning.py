"""Which setting of an editor edits best, by the checks of its edits on training images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from radedit.harness.evidence.checks import Check
from radedit.harness.statistics.estimate import Estimate

SHOWN = {
    "kept": "kept, %",
    "residual": "finding left, %",
    "shortcut": "shortcut kept, %",
    "strength": "added / true change",
    "keep": "change in m_keep",
    "outside": "changed outside, %",
}


@dataclass(frozen=True)
class Trial:
    """One setting and what the checks found of its edits."""

    w: float
    steps: int
    start: int | None
    checks: list[Check]
    spacing: float = 1

    def dict(self) -> dict[str, Any]:
        """As JSON has it."""
        about = {"w": self.w, "steps": self.steps, "spacing": self.spacing, "start": self.start}
        return about | {"checks": [check.dict() for check in self.checks]}

    @property
    def failures(self) -> int:
        """Checks that do not hold."""
        return sum(check.holds is False for check in self.checks)

    @property
    def loss(self) -> float:
        """How far the edits are from doing what was asked and nothing else; smaller is better.

        Of removals the share of edits with the finding left, plus that without the shortcut, as far as either is known,
        plus the share that the score rejects; of additions by how much their change is off the true one.
        """
        value = {check.name: check.value.value for check in self.checks if check.value is not None}
        beside = {check.name: check.beside.value for check in self.checks if check.beside is not None}
        loss = 1 - value.get("kept", 0.0)
        if "strength" in value and beside.get("strength"):
            loss += abs(value["strength"] / beside["strength"] - 1)
        return loss + value.get("residual", 0.0) + 1 - value.get("shortcut", 1.0)


def best_of(trials: Sequence[Trial]) -> Trial:
    """The setting with the fewest failed checks, then the smallest loss, then the smallest weight."""
    return min(trials, key=lambda trial: (trial.failures, round(trial.loss, 3), trial.w, trial.steps))


def tuning_table(trials: Sequence[Trial]) -> str:
    """A line for each setting in Markdown; the best one is bold, and checks that do not hold are marked."""
    best = best_of(trials)
    shown = [name for name in SHOWN if any(c.name == name and c.value for trial in trials for c in trial.checks)]
    head = ["w", "T", "spacing", "start", *(SHOWN[name] for name in shown), "checks that do not hold"]
    lines = [head, ["---"] * len(head)]
    for trial in trials:
        found = {check.name: check for check in trial.checks}
        broken = [check.name for check in trial.checks if check.holds is False]
        w = f"**{trial.w:g}**" if trial is best else f"{trial.w:g}"
        cells = [_cell(found[name]) if name in found else "" for name in shown]
        start = "" if trial.start is None else str(trial.start)
        lines.append([w, str(trial.steps), f"{trial.spacing:g}", start, *cells, ", ".join(broken)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cell(check: Check) -> str:
    if check.value is None:
        return ""
    if check.name == "strength":
        return f"{check.value.value / check.beside.value:.2f}" if check.beside and check.beside.value else ""
    unit, digits = (100.0, 0) if check.unit == "share" else (1.0, 1)
    return f"{unit * check.value.value:.{digits}f}{_between(check.value, unit, digits)}"


def _between(estimate: Estimate, unit: float, digits: int) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f" ({unit * estimate.low:.{digits}f}–{unit * estimate.high:.{digits}f})"
