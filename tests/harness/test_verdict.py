"""Verdicts: when a predictor fails, passes, or nothing may be said of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from radedit.harness.statistics import Estimate
from radedit.harness.verdict import Rules, Verdict, exit_code, judge, overall, widened

STILL = Estimate(0.0, -0.01, 0.01, 100)
OUTCOMES = ("pass", "undecided", "fail")


def excess(low: float | None, high: float | None) -> Estimate:
    return Estimate(0.0 if low is None or high is None else (low + high) / 2, low, high, 100)


def verdict(outcome: Any) -> Verdict:
    return Verdict("a", outcome, ["Because."], STILL, STILL, 100)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.11, 0.30, "fail"),
        (-0.02, 0.09, "pass"),
        (-0.40, -0.20, "pass"),
        (0.05, 0.15, "undecided"),
        (0.10, 0.20, "undecided"),
        (0.00, 0.10, "undecided"),
    ],
)
def test_interval_decides_and_not_the_value(low: float, high: float, expected: str) -> None:
    assert judge("a", excess(low, high), STILL, 100, Rules(limit=0.10)).outcome == expected


@pytest.mark.parametrize(
    ("control", "outcome"),
    [
        (None, "pass"),
        (Estimate(0.0, -0.01, 0.01, 100), "pass"),
        (Estimate(-0.2, -0.3, -0.1, 100), "pass"),  # sees more on replays: nothing was hidden
        (Estimate(0.04, 0.02, 0.06, 100), "undecided"),
        (Estimate(0.4, 0.3, 0.5, 100), "undecided"),
        (Estimate(0.0, None, None, 100), "undecided"),
    ],
)
def test_nobody_passes_who_no_longer_sees_what_is_there(control: Estimate | None, outcome: str) -> None:
    found = judge("a", excess(-0.01, 0.01), STILL, 100, Rules(), control)
    assert found.outcome == outcome and found.control == control
    assert outcome == "pass" or "takes" in found.reasons[0] and "sensitivity" in found.reasons[0]


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.7), (-0.01, 0.01)], ids=["would fail", "would pass"])
@pytest.mark.parametrize(
    ("path", "n", "because"),
    [
        (STILL, 29, "Only 29 of the 30 records"),
        (Estimate(0.02, -0.01, 0.051, 100), 100, "+2.0 points (95% interval −1.0 to +5.1), not within ± 5.0 points"),
        (Estimate(-0.02, -0.06, 0.01, 100), 100, "not within ± 5.0 points"),
        (Estimate(0.3, 0.2, 0.4, 100), 100, "not within ± 5.0 points"),
        (Estimate(0.0, None, None, 100), 100, "path of 0.0 points has no interval"),
    ],
    ids=["few", "path may add", "path may take", "path adds", "path unknown"],
)
def test_doubt_comes_before_any_excess(low: float, high: float, path: Estimate, n: int, because: str) -> None:
    found = judge("a", excess(low, high), path, n, Rules())
    assert found.outcome == "undecided"
    assert because in found.reasons[0]
    assert found.reasons[-1].endswith("it is not judged.")


@pytest.mark.parametrize(
    ("n", "limit", "expected"),
    [(35, 0.10, "undecided"), (36, 0.10, "pass"), (71, 0.05, "undecided"), (72, 0.05, "pass")],
)
def test_records_that_all_stay_the_same_pass_only_if_there_are_enough(n: int, limit: float, expected: str) -> None:
    """A bootstrap's interval is a point there; the exact one is not."""
    assert judge("a", Estimate(0.0, 0.0, 0.0, n), STILL, n, Rules(limit=limit)).outcome == expected


@given(st.integers(2, 500))
def test_bound_where_nothing_changed_is_clopper_pearsons(n: int) -> None:
    bound = widened(Estimate(0.0, 0.0, 0.0, n)).high
    assert bound == pytest.approx(binomtest(0, n).proportion_ci().high)


@pytest.mark.parametrize("estimate", [STILL, Estimate(0.0, None, None, 1)])
def test_other_intervals_are_left_as_they_are(estimate: Estimate) -> None:
    assert widened(estimate) is estimate


def test_excess_without_an_interval_is_undecided() -> None:
    found = judge("a", Estimate(0.6, None, None, 100), STILL, 100, Rules())
    assert found.outcome == "undecided" and "excess of +60.0 points has no interval" in found.reasons[0]


def test_every_doubt_is_told() -> None:
    found = judge("a", excess(None, None), Estimate(0.3, 0.2, 0.4, 9), 9, Rules())
    assert len(found.reasons) == 4


def test_thirty_records_and_a_path_just_within_its_limit_are_enough() -> None:
    assert judge("a", excess(0.0, 0.05), Estimate(0.0, -0.05, 0.05, 30), 30, Rules()).outcome == "pass"


@pytest.mark.parametrize(("low", "high"), [(0.2, 0.4), (0.0, 0.05), (0.05, 0.2)])
def test_reason_has_the_numbers_in_points(low: float, high: float) -> None:
    first, second = judge("a", excess(low, high), STILL, 210, Rules()).reasons
    for part in (f"+{100 * high:.1f}", "95% interval", "n = 210", "limit of 10.0 points"):
        assert part in first
    assert "0.0 points (95% interval −1.0 to +1.0), within ± 5.0 points" in second


@given(
    low=st.floats(-1, 1),
    width=st.floats(1e-3, 1),
    worse=st.floats(0, 1),
    limit=st.floats(0, 0.99),
    n=st.integers(0, 99),
)
def test_larger_excess_is_never_judged_better(low: float, width: float, worse: float, limit: float, n: int) -> None:
    rules = Rules(limit=limit)
    before = judge("a", excess(low, low + width), STILL, n, rules)
    after = judge("a", excess(low + worse, low + width + worse), STILL, n, rules)
    assert OUTCOMES.index(after.outcome) >= OUTCOMES.index(before.outcome)


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
        ({"path_limit": 0}, "path_limit is 0; expected a fraction, 0 < path_limit"),
        ({"path_limit": 5}, "Ten points are 0.10, not 10"),
        ({"min_n": 1}, "min_n is 1; expected 2 or more"),
        ({"fail_on": "pass"}, "fail_on is 'pass'; expected null"),
    ],
)
def test_rules_that_can_not_be_meant_are_refused(wrong: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Rules(**wrong)
