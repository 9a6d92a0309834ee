"""The best setting does what was asked, and nothing else."""

from __future__ import annotations

from radedit.harness.evidence.checks import Check
from radedit.harness.evidence.tuning import Trial, best_of, tuning_table
from radedit.harness.statistics.estimate import Estimate


def trial(w: float, *, kept: float = 0.9, residual: float = 0.0, shortcut: float = 1.0, holds: bool = True) -> Trial:
    def check(name: str, value: float) -> Check:
        return Check(name, "?", holds, Estimate(value, value - 0.1, value + 0.1, 40), None, "share", "", "")  # type: ignore[arg-type]

    return Trial(w, 25, None, [check("kept", kept), check("residual", residual), check("shortcut", shortcut)])


def test_the_finding_must_be_gone_and_the_shortcut_kept() -> None:
    faint, good, coarse = trial(1, residual=0.5), trial(5), trial(15, shortcut=0.6)
    assert best_of([faint, good, coarse]) is good


def test_a_check_that_does_not_hold_weighs_more_than_any_share() -> None:
    assert best_of([trial(5, holds=False), trial(8, residual=0.2)]).w == 8


def test_of_equals_the_smallest_weight_is_taken() -> None:
    assert best_of([trial(8), trial(3), trial(5)]).w == 3


def test_the_table_marks_the_best_and_what_does_not_hold() -> None:
    table = tuning_table([trial(3), trial(15, shortcut=0.5, holds=False)])
    assert "| **3** | 25 |" in table
    assert "50 (40–60) | kept, residual, shortcut |" in table
