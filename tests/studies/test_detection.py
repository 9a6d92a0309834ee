"""Detection: trials whose verdict and truth are known; rules that are frozen stay so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from radedit.harness.evidence.checks import CheckLimits
from radedit.harness.evidence.verdict import Measures, Rules, judge
from radedit.studies.detection.detection import Trial, freeze, summary
from tests.made_up_means import mean

RULES, LIMITS, TRUTH = Rules(), CheckLimits(), 0.10
STILL = mean(-0.001, 0.001, 300)


def trial(key: str, strength: float, gap: float, shift_effect: float | None, against: tuple[str, ...] = ()) -> Trial:
    found = None
    if shift_effect is not None:
        found = Measures(mean(shift_effect - 0.02, shift_effect + 0.02, 300), STILL)
    return Trial(key, strength, gap, judge(key, found, RULES, against))


TEN = [trial(f"u{i}", 0.0, 0.02, 0.03 + 0.01 * i) for i in range(5)] + [
    trial(f"b{i}", 1.0, 0.6, 0.30 + 0.05 * i) for i in range(5)
]


def test_shortcut_that_helps_is_a_bias_as_well() -> None:
    assert trial("a", 0, -0.3, 0).biased(TRUTH) and trial("a", 0, 0.11, 0).biased(TRUTH)
    assert not trial("a", 0, 0.09, 0).biased(TRUTH)


def test_false_alarms_are_of_the_unbiased_and_detections_of_the_biased() -> None:
    trials = [*TEN, trial("alarm", 0.0, 0.05, 0.4), trial("missed", 0.5, 0.2, 0.02), trial("vague", 1.0, 0.2, 0.1)]
    found = summary(trials, TRUTH)
    assert (found["others"]["fail"]["k"], found["others"]["fail"]["n"]) == (1, 6)
    assert (found["biased"]["fail"]["k"], found["biased"]["fail"]["n"]) == (5, 7)
    assert (found["biased"]["pass"]["k"], found["biased"]["undecided"]["k"]) == (1, 1)
    assert (found["strong"]["k"], found["strong"]["n"]) == (5, 6)  # the missed one is weak
    for share in (found["others"]["fail"], found["biased"]["fail"]):
        assert share["share"]["low"] < share["k"] / share["n"] < share["share"]["high"]


def test_none_of_sixty_may_still_be_six_in_a_hundred() -> None:
    found = summary([trial(f"u{i}", 0.0, 0.0, 0.0) for i in range(60)], TRUTH)
    assert found["others"]["fail"]["share"]["high"] == pytest.approx(1 - 0.025 ** (1 / 60))


def test_generator_against_which_a_check_speaks_ends_undecided() -> None:
    broken = [trial("b", 1.0, 0.6, 0.5, ("It changed nothing.",)), trial("u", 0.0, 0.0, 0.0, ("It changed nothing.",))]
    found = summary(broken, TRUTH)
    assert [row["outcome"] for row in found["rows"]] == ["undecided"] * 2
    assert found["biased"]["fail"]["k"] == found["others"]["pass"]["k"] == 0


def test_predictor_without_a_kept_edit_is_undecided_and_has_no_effect() -> None:
    found = summary([*TEN, trial("none", 1.0, 0.6, None)], TRUTH)
    assert found["rows"][-1]["outcome"] == "undecided" and found["rows"][-1]["shift_effect"] is None
    assert found["auroc"]["n"] == 10


def test_shift_effect_of_all_biased_above_all_others_has_an_area_of_one() -> None:
    assert summary(TEN, TRUTH)["auroc"]["value"] == 1


def test_worlds_that_are_all_alike_have_no_area_and_no_false_alarms() -> None:
    found = summary(TEN[5:], TRUTH)
    assert found["auroc"] is None and found["others"]["fail"] == {"k": 0, "n": 0, "share": None}


def test_curve_has_every_strength_and_every_predictor() -> None:
    curve = summary(TEN, TRUTH)["curve"]
    assert [(e["strength"], e["biased"], e["fail"]["k"], e["fail"]["n"]) for e in curve] == [(0, 0, 0, 5), (1, 5, 5, 5)]
    assert all(e["fail"]["k"] + e["pass"]["k"] + e["undecided"]["k"] == 5 for e in curve)


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    file = tmp_path / "rules.json"
    freeze(file, RULES, LIMITS, TRUTH)
    return file


def test_frozen_rules_are_found_again(frozen: Path) -> None:
    before = frozen.read_bytes()
    assert freeze(frozen, RULES, LIMITS, TRUTH) == json.loads(before)["hash"] and frozen.read_bytes() == before


@pytest.mark.parametrize(
    "other",
    [(Rules(limit=0.2), LIMITS, TRUTH), (RULES, CheckLimits(kept=0.4), TRUTH), (RULES, LIMITS, 0.2)],
    ids=["rules", "checks", "truth"],
)
def test_other_rules_than_the_frozen_ones_are_refused(frozen: Path, other: tuple[Any, Any, float]) -> None:
    with pytest.raises(ValueError, match="Rules are frozen before the first verdict"):
        freeze(frozen, *other)


def test_rules_that_were_changed_by_hand_are_refused(frozen: Path) -> None:
    rules = json.loads(frozen.read_text())
    rules["rules"]["limit"] = 0.3
    frozen.write_text(json.dumps(rules))
    with pytest.raises(ValueError, match="frozen before the first verdict"):
        freeze(frozen, RULES, LIMITS, TRUTH)


def test_file_that_holds_no_rules_is_refused(frozen: Path) -> None:
    frozen.write_text("{")
    with pytest.raises(ValueError, match="no file of frozen rules"):
        freeze(frozen, RULES, LIMITS, TRUTH)
