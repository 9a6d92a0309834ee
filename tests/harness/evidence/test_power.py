"""What n records can decide: the smallest effect that fails, and the fewest records for a pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radedit.harness.evidence.checks import CheckLimits
from radedit.harness.evidence.power import Expected, detectable, records_to_pass, requirements
from radedit.harness.evidence.verdict import Measures, Rules, decide
from radedit.harness.statistics.estimate import LEVEL
from radedit.harness.statistics.intervals import mean_of

RULES = Rules()


def seen(events: int, n: int, artefact: int = 0) -> Measures:
    names = [str(i) for i in range(n)]
    effect, moved = ((np.arange(n) < count).astype(float)[None] for count in (events, artefact))
    return Measures(mean_of(effect, names, paired=True), mean_of(moved, names, paired=True))


@pytest.mark.parametrize(("n", "artefact", "verdicts"), [(38, 0, 1), (38, 1, 4), (100, 1, 4)])
def test_detectable_effect_fails_in_four_of_five_runs(n: int, artefact: int, verdicts: int) -> None:
    least = detectable(seen(0, n, artefact), RULES, verdicts)
    assert least is not None and RULES.limit < least < 1
    level = 1 - (1 - LEVEL) / verdicts
    fails = np.array([decide(seen(k, n, artefact), RULES, level) == "fail" for k in range(n + 1)])
    events = np.random.default_rng(0).binomial(n, least, 20_000)
    assert fails[events].mean() == pytest.approx(0.8, abs=0.015)


def test_what_failed_edits_excuse_raises_the_detectable_effect() -> None:
    found = seen(10, 100)
    net = replace(found, net_effect=seen(7, 100).shift_effect)
    plain, excused = detectable(found, RULES), detectable(net, RULES)
    assert plain is not None and excused is not None and plain + 0.02 < excused < plain + 0.04


def test_more_records_detect_less_and_more_verdicts_more() -> None:
    few, many, together = (detectable(seen(0, n), RULES, verdicts) for n, verdicts in ((38, 1), (100, 1), (100, 16)))
    assert few is not None and many is not None and together is not None
    assert many < few and many < together


def test_four_records_detect_nothing() -> None:
    assert detectable(seen(0, 4), RULES) is None


def test_detectable_effect_in_dice_fails_in_four_of_five_runs() -> None:
    expected = Expected(artefact=0.01, residual=None, spread=0.15)
    least = detectable(expected.measures(0.0, 60), RULES)
    assert least is not None
    effects = np.random.default_rng(0).normal(least, 0.15 / np.sqrt(60), 1000)
    assert np.mean([decide(expected.measures(e, 60), RULES) == "fail" for e in effects]) == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize("expected", [Expected(artefact=0, residual=0), Expected(), Expected(artefact=0.02)])
def test_a_pass_is_possible_from_the_named_number_on_and_not_before(expected: Expected) -> None:
    least = records_to_pass(expected, RULES)
    assert least is not None
    assert decide(expected.measures(0.0, least), RULES) == "pass" != decide(expected.measures(0.0, least - 1), RULES)


def test_an_artefact_as_large_as_the_limit_lets_no_number_pass() -> None:
    assert records_to_pass(Expected(artefact=0.10), RULES) is None


def test_a_smaller_limit_takes_more_records() -> None:
    few, many = (records_to_pass(Expected(), replace(RULES, limit=limit)) for limit in (0.10, 0.06))
    assert few is not None and many is not None and many > few


def test_requirements_name_what_the_checks_take_however_well_all_goes() -> None:
    found = requirements(RULES, CheckLimits(), addition=False)
    assert found["records that are judged (rules.min_n)"] == 30
    residual = found["the finding left in few of the kept edits (checks.residual)"]
    high = [mean_of(np.zeros((1, n)), [str(i) for i in range(n)]).at().high for n in (residual - 1, residual)]
    assert high[0] is not None and high[1] is not None and high[1] < 0.15 <= high[0]
    assert list(requirements(RULES, CheckLimits(), addition=True)) == ["records that are judged (rules.min_n)"]


@pytest.mark.parametrize(
    ("wrong", "what"),
    [({"kept": 0}, "plan.kept is 0"), ({"artefact": 2}, "plan.artefact is 2"), ({"spread": 0}, "plan.spread is 0")],
)
def test_what_can_not_be_expected_is_refused(wrong: dict[str, float], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Expected(**wrong)  # type: ignore[arg-type]
