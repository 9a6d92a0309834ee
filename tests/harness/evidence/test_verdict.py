"""Verdicts: when a predictor fails, passes, or nothing may be said of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from radedit.harness.evidence.verdict import (
    Measures,
    Rules,
    Verdict,
    decide,
    exit_code,
    holm,
    judge,
    overall,
    p_value,
    records_needed,
    worst_cases,
)
from radedit.harness.statistics.estimate import Estimate
from radedit.harness.statistics.intervals import Mean, mean_of
from tests.made_up_means import mean, unknown

STILL = Estimate(0.0, -0.01, 0.01, 100)
SURE = mean(-1e-9, 1e-9)
OUTCOMES = ("pass", "undecided", "fail")


def verdict(outcome: Any) -> Verdict:
    return Verdict("a", outcome, ["Because."], STILL, STILL, 100)


def found(low: float, high: float, n: int = 100, **others: Mean | None) -> Measures:
    return Measures(mean(low, high, n), others.pop("artefact", None) or SURE, **others)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.11, 0.30, "fail"),
        (-0.02, 0.09, "pass"),
        (-0.40, -0.20, "pass"),
        (0.05, 0.15, "undecided"),
        (0.099, 0.20, "undecided"),
        (0.00, 0.101, "undecided"),
    ],
)
def test_interval_decides_and_not_the_value(low: float, high: float, expected: str) -> None:
    assert judge("a", found(low, high), Rules(limit=0.10)).outcome == expected


@pytest.mark.parametrize(
    ("control", "outcome"),
    [
        (None, "pass"),
        (mean(-0.01, 0.09), "pass"),
        (mean(-0.3, -0.1), "pass"),  # sees more on replays: nothing was hidden
        (mean(0.04, 0.11), "undecided"),
        (mean(0.3, 0.5), "undecided"),
        (unknown(0.0), "undecided"),
    ],
)
def test_nobody_passes_who_no_longer_sees_what_is_there(control: Mean | None, outcome: str) -> None:
    verdict = judge("a", found(-0.01, 0.01, control=control), Rules())
    assert verdict.outcome == outcome
    assert outcome == "pass" or "takes" in verdict.reasons[0] and "sensitivity" in verdict.reasons[0]


def test_control_does_not_excuse_a_predictor_that_fails() -> None:
    assert judge("a", found(0.5, 0.7, control=mean(0.3, 0.5)), Rules()).outcome == "fail"


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.7), (-0.01, 0.01)], ids=["would fail", "would pass"])
def test_failed_check_few_records_and_no_interval_come_before_any_effect(low: float, high: float) -> None:
    for measures, checks, because in (
        (found(low, high, n=29), (), "n = 29, below min_n = 30"),
        (found(low, high, artefact=unknown(0.0)), (), "editing artefact of 0.0 points has no interval"),
        (found(low, high), ("The editor changed nothing.",), "The editor changed nothing."),
    ):
        verdict = judge("a", measures, Rules(), checks)
        assert (verdict.outcome, verdict.p) == ("undecided", None)
        assert because in verdict.reasons[0] and verdict.reasons[-1].endswith("it is not judged.")


def test_rejected_edits_are_never_judged() -> None:
    verdict = judge("a", None, Rules())
    assert (verdict.outcome, verdict.n, verdict.shift_effect) == ("undecided", 0, None)
    assert "rejected edits are never judged" in verdict.reasons[0]


def test_artefact_of_nine_points_can_not_explain_an_effect_of_fifty_six() -> None:
    assert judge("a", found(0.56, 0.89, n=38, artefact=mean(0.0, 0.09, 38)), Rules()).outcome == "fail"


def test_artefact_that_may_explain_the_effect_leaves_it_undecided() -> None:
    assert judge("a", found(0.12, 0.3), Rules()).outcome == "fail"
    assert judge("a", found(0.12, 0.3, artefact=mean(0.05, 0.15)), Rules()).outcome == "undecided"
    assert judge("a", found(0.12, 0.3, artefact=mean(-0.15, -0.05)), Rules()).outcome == "undecided"


def test_artefact_that_may_hide_an_effect_leaves_it_undecided() -> None:
    assert judge("a", found(-0.02, 0.06), Rules()).outcome == "pass"
    assert judge("a", found(-0.02, 0.06, artefact=mean(0.05, 0.15)), Rules()).outcome == "undecided"


def test_finding_that_was_left_behind_counts_against_a_fail() -> None:
    assert judge("a", found(0.4, 0.6, residual=mean(0.0, 0.1)), Rules()).outcome == "fail"
    assert judge("a", found(0.4, 0.6, residual=mean(0.4, 0.6)), Rules()).outcome == "undecided"


def test_only_failed_edits_that_the_model_calls_positive_can_excuse_it() -> None:
    """50 of 300 edits are called positive; 30 failed, of which the model calls all, some or none positive."""
    names = [str(i) for i in range(300)]
    positive, never = (np.arange(300) < 50).astype(float)[None], np.zeros((1, 300))
    lows = []
    for first in (0, 40, 50):
        failed = (np.arange(300) >= first) & (np.arange(300) < first + 30)
        measures = Measures(
            mean_of(positive, names, paired=True), mean_of(never, names, paired=True),
            residual=mean_of(failed[None].astype(float), names),
            net_effect=mean_of(np.where(failed, 0.0, positive), names, paired=True),
        )  # fmt: skip
        lows.append(worst_cases(measures, 0.10)[0])
        assert worst_cases(replace(measures, net_effect=None), 0.10)[0] < lows[-1]
        assert worst_cases(measures, 0.10)[1] == worst_cases(replace(measures, net_effect=None), 0.10)[1]
    assert lows[0] < lows[1] < lows[2] == pytest.approx(worst_cases(replace(measures, residual=None), 0.10)[0])


def test_reasons_say_whether_failed_edits_were_judged() -> None:
    assert any("No judge" in reason for reason in judge("a", found(0.4, 0.6), Rules()).reasons)
    known = judge("a", found(0.4, 0.6, residual=mean(0.01, 0.03)), Rules())
    assert any("Edits that failed: 2.0 points" in reason for reason in known.reasons)
    net = judge("a", found(0.4, 0.6, residual=mean(0.01, 0.03), net_effect=mean(0.39, 0.59)), Rules())
    assert any("counted as right, the shift effect is +49.0 points" in reason for reason in net.reasons)


def test_bounds_add_as_squares() -> None:
    low, high = worst_cases(found(0.16, 0.24, artefact=mean(-0.03, 0.03)), 0.10)
    assert (low, high) == pytest.approx((0.15, 0.25), abs=1e-5)


@pytest.mark.parametrize(("n", "expected"), [(60, "undecided"), (90, "pass")])
def test_records_that_all_stay_the_same_pass_only_if_there_are_enough(n: int, expected: str) -> None:
    """Neither the effect nor the artefact was seen to be anything, and either may still be something."""
    names = [str(i) for i in range(n)]
    none = mean_of(np.zeros((1, n)), names, paired=True)
    assert judge("a", Measures(none, none), Rules(limit=0.08)).outcome == expected


@pytest.mark.parametrize(("low", "high"), [(0.2, 0.4), (0.0, 0.05), (0.05, 0.2)])
def test_reason_has_the_numbers_in_points(low: float, high: float) -> None:
    first = judge("a", found(low, high, n=210), Rules()).reasons[0]
    for part in (f"+{100 * high:.1f}", "95 % interval", "n = 210", "1 training", "limit of 10.0 points"):
        assert part in first


def test_undecided_names_the_records_that_would_decide() -> None:
    measures = Measures(mean(0.02, 0.12), mean(-0.001, 0.001))
    needed = records_needed(measures, Rules())
    assert needed is not None and decide(measures.times(1.02 * needed / 100), Rules()) == "pass"
    assert f"about {needed} records would decide" in judge("a", measures, Rules()).reasons[0]
    assert records_needed(Measures(mean(0.05, 0.15), SURE), Rules()) is None


@given(
    low=st.floats(-1, 1), width=st.floats(1e-3, 1), worse=st.floats(0, 1), limit=st.floats(0, 0.99),
    n=st.integers(2, 99), artefact=st.floats(-0.2, 0.2),
)  # fmt: skip
def test_larger_effect_is_never_judged_better(
    low: float, width: float, worse: float, limit: float, n: int, artefact: float
) -> None:
    rules, moved = Rules(limit=limit), mean(artefact - 0.01, artefact + 0.01, n)
    before, after = (
        judge("a", found(low + more, low + more + width, n, artefact=moved), rules) for more in (0.0, worse)
    )
    assert OUTCOMES.index(after.outcome) >= OUTCOMES.index(before.outcome)


def test_p_value_is_the_level_at_which_the_interval_touches_the_limit() -> None:
    measures = found(0.0, 0.098)
    p = p_value(measures, Rules())
    assert decide(measures, Rules(), 1 - p * 1.01) == "pass" and decide(measures, Rules(), 1 - p * 0.99) == "undecided"


FAILS = (0.101, 0.12, 0.3)  # lower bounds, the first of which only just fails


def test_a_fail_is_official_where_it_stands_among_all_verdicts_of_the_run() -> None:
    raw = [judge(str(i), found(low, low + 0.1), Rules()) for i, low in enumerate(FAILS)]
    adjusted = holm([*raw, judge("none", None, Rules())])
    expected = multipletests([*(verdict.p for verdict in raw), 1.0], method="holm")[1]
    assert [verdict.p_holm for verdict in adjusted[:3]] == pytest.approx(list(expected[:3]))
    assert [verdict.outcome for verdict in adjusted] == ["undecided", "fail", "fail", "undecided"]
    assert [verdict.outcome_alone for verdict in adjusted] == ["fail", "fail", "fail", "undecided"]
    assert "undecided, though by itself it fails" in adjusted[0].reasons[0]
    assert "still a fail" in adjusted[1].reasons[-1]
    assert overall(adjusted) == "fail" and exit_code(adjusted[:1], Rules(fail_on="fail")) == 0


def test_a_pass_is_that_of_the_model_alone_since_a_run_passes_only_if_all_do() -> None:
    raw = [judge(str(i), found(0.0, high), Rules()) for i, high in enumerate((0.099, 0.05, 0.05, 0.05))]
    adjusted = holm(raw)
    assert {verdict.outcome for verdict in adjusted} == {"pass"} and overall(adjusted) == "pass"
    last = adjusted[0]
    assert last.p is not None and last.p_holm is not None and last.p < 0.05
    expected = multipletests([verdict.p for verdict in raw], method="holm")[1]
    assert last.p_holm == pytest.approx(expected[0])
    assert "a pass is not adjusted" in last.reasons[-1]


def test_fails_and_passes_are_families_of_their_own() -> None:
    """What others pass or fail by changes neither: only how many verdicts there are."""
    fails = judge("a", found(0.12, 0.3), Rules())
    among_passes, among_fails = (
        holm([fails, *(judge(str(i), found(*bounds), Rules()) for i in range(3))])
        for bounds in ((-0.05, 0.05), (0.05, 0.15))
    )
    assert fails.p is not None
    assert among_passes[0].p_holm == among_fails[0].p_holm == pytest.approx(4 * fails.p)


def test_taken_together_again_verdicts_stay_what_they_are() -> None:
    once = holm([judge(str(i), found(low, low + 0.1), Rules()) for i, low in enumerate(FAILS)])
    assert holm(once) == once


def test_verdicts_of_several_sets_are_taken_together_anew() -> None:
    """A fail that stands in its own set may not stand among those of a whole sweep."""
    own = holm([judge("a", found(0.103, 0.2), Rules())])
    assert own[0].outcome == "fail"
    together = holm([*own, *(judge(str(i), None, Rules()) for i in range(15))])
    assert (together[0].outcome, together[0].outcome_alone) == ("undecided", "fail")
    assert holm(together[:1])[0].outcome == "fail"


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "undecided"], "undecided"),
        (["undecided", "fail", "pass"], "fail"),
    ],
)
def test_worst_verdict_is_the_overall_one(outcomes: list[str], expected: str) -> None:
    assert overall([verdict(outcome) for outcome in outcomes]) == expected


@pytest.mark.parametrize(
    ("outcome", "fail_on", "code"),
    [
        ("pass", None, 0), ("undecided", None, 0), ("fail", None, 0),
        ("pass", "fail", 0), ("undecided", "fail", 0), ("fail", "fail", 1),
        ("pass", "undecided", 0), ("undecided", "undecided", 3), ("fail", "undecided", 1),
    ],
)  # fmt: skip
def test_exit_code_tells_what_the_rules_fail_on(outcome: str, fail_on: str | None, code: int) -> None:
    assert exit_code([verdict("pass"), verdict(outcome)], Rules(fail_on=fail_on)) == code


@pytest.mark.parametrize(("fail_on", "code"), [(None, 0), ("fail", 0), ("undecided", 3)])
def test_run_without_a_verdict_is_undecided(fail_on: str | None, code: int) -> None:
    assert exit_code([], Rules(fail_on=fail_on)) == code


def test_no_predictors_have_no_verdict() -> None:
    with pytest.raises(ValueError, match="no verdicts"):
        overall([])


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"limit": 10}, "limit is 10; expected a fraction"),
        ({"limit": -0.1}, "limit is -0.1"),
        ({"limit": float("nan")}, "limit is nan"),
        ({"control_limit": 0}, "control_limit is 0; expected a fraction, 0 < control_limit"),
        ({"control_limit": 5}, "Ten points are 0.10, not 10"),
        ({"min_n": 1}, "min_n is 1; expected 2 or more"),
        ({"min_n": 2.5}, "min_n is 2.5; expected 2 or more, a whole number"),
        ({"min_n": None}, "min_n is None; expected 2 or more"),
        ({"fail_on": "pass"}, "fail_on is 'pass'; expected null"),
    ],
)
def test_rules_that_can_not_be_meant_are_refused(wrong: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Rules(**wrong)
