"""Detection: trials whose excess and truth are known; rules that are frozen stay so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from radedit.harness.answers import Answers, Measured
from radedit.harness.detection import Trial, choose_limit, freeze, read_rules, summary, write_rules
from radedit.harness.statistics import Estimate
from radedit.harness.verdict import Rules

RULES = Rules(limit=0.10, path_limit=0.05, min_n=30)
TRUTH = 0.10
BASIS = {"stress_set": "abc"}
STILL = Estimate(0.0, -0.01, 0.01, 300)


def trial(key: str, strength: float, gap: float, excess: float, *, width: float = 0.02, path: float = 0.0) -> Trial:
    bounds = Estimate(excess, excess - width, excess + width, 300)
    moved = Estimate(path, path - 0.01, path + 0.01, 300)
    return Trial(key, strength, {"0-0": 0.95, "0-1": 0.95 - gap}, bounds, moved, 300, STILL)


TEN = [trial(f"u{i}", 0.0, 0.02, 0.03 + 0.01 * i) for i in range(5)] + [
    trial(f"b{i}", 1.0, 0.6, 0.30 + 0.05 * i) for i in range(5)
]


def test_gap_is_what_the_shortcut_costs_on_true_films() -> None:
    assert trial("a", 0, 0.3, 0).gap == pytest.approx(0.3)
    assert trial("a", 0, 0.11, 0).biased(TRUTH) and not trial("a", 0, 0.09, 0).biased(TRUTH)


def test_shortcut_that_helps_is_a_bias_as_well() -> None:
    assert trial("a", 0, -0.3, 0).biased(TRUTH)


def test_limit_separates_the_biased_from_the_others() -> None:
    limit = choose_limit(TEN, RULES, TRUTH)
    outcomes = {t.key[0]: {o.judge(Rules(limit=limit)).outcome for o in TEN if o.key[0] == t.key[0]} for t in TEN}
    assert outcomes["b"] == {"fail"} and "fail" not in outcomes["u"]


def test_of_equal_limits_the_one_nearest_to_the_scenarios_is_taken() -> None:
    assert choose_limit(TEN, RULES, TRUTH) == 0.10
    assert choose_limit(TEN, Rules(limit=0.2), TRUTH) == 0.20


def test_limit_rises_above_an_excess_that_the_unbiased_have() -> None:
    noisy = [trial(f"u{i}", 0.0, 0.02, 0.15) for i in range(5)] + TEN[5:]
    assert choose_limit(noisy, RULES, TRUTH) == pytest.approx(0.13)  # lower bound of 0.15 ± 0.02


def test_false_alarms_are_of_the_unbiased_and_detections_of_the_biased() -> None:
    trials = [*TEN, trial("alarm", 0.0, 0.05, 0.4), trial("missed", 1.0, 0.2, 0.02), trial("vague", 1.0, 0.2, 0.1)]
    found = summary(trials, RULES, TRUTH)
    assert (found["false_alarms"]["k"], found["false_alarms"]["n"]) == (1, 6)
    assert (found["detected"]["k"], found["detected"]["n"]) == (5, 7)
    assert (found["undecided_biased"]["k"], found["undecided_biased"]["n"]) == (1, 7)
    for share in (found["false_alarms"], found["detected"]):
        assert share["share"]["low"] < share["k"] / share["n"] < share["share"]["high"]


def test_path_that_moves_ends_undecided_whatever_the_excess() -> None:
    broken = [trial("b", 1.0, 0.6, 0.5, path=0.2), trial("u", 0.0, 0.0, 0.0, path=-0.2)]
    found = summary(broken, RULES, TRUTH)
    assert [row["outcome"] for row in found["rows"]] == ["undecided"] * 2
    assert found["detected"]["k"] == found["false_alarms"]["k"] == 0


def test_excess_of_all_biased_above_all_others_has_an_area_of_one() -> None:
    found = summary(TEN, RULES, TRUTH)
    assert found["auroc"]["value"] == 1 and found["auroc"]["n"] == 10


def test_worlds_that_are_all_alike_have_no_area_and_no_false_alarms() -> None:
    found = summary(TEN[5:], RULES, TRUTH)
    assert found["auroc"] is None and found["false_alarms"] == {"k": 0, "n": 0, "share": None}


def test_curve_has_every_strength_and_every_predictor() -> None:
    curve = summary(TEN, RULES, TRUTH)["curve"]
    assert [(e["strength"], e["biased"], e["fail"]["k"], e["fail"]["n"]) for e in curve] == [(0, 0, 0, 5), (1, 5, 5, 5)]
    assert all(e["fail"]["k"] + e["pass"]["k"] + e["undecided"]["k"] == 5 for e in curve)


def test_excess_is_edits_less_shams_and_path_is_shams_less_references() -> None:
    n = 8
    ids = [f"r{i}" for i in range(n)]

    def says_yes(k: int) -> Answers:
        yes = (np.arange(n) < k).astype(np.float64)[None]
        return Answers(ids, ids, {"positive": yes, "correct": 1 - yes})

    chain = {"reference": 1, "reference_vae": 1, "reference_replay": 2, "sham": 2, "edit": 6, "source": 8, "replay": 7}
    sets = {name: says_yes(k) for name, k in (chain | {"cell-0-0": 0, "cell-0-1": 4}).items()}
    found = Trial.of(Measured("one", "cheap", sets), 1.0, ids)
    assert found.excess.value == pytest.approx(4 / n) and found.path.value == pytest.approx(1 / n)
    assert found.gap == pytest.approx(4 / n) and found.n == n
    assert found.control is not None and found.control.value == pytest.approx(1 / n)
    for name in ("sham", "source"):
        with pytest.raises(ValueError, match="no answers to all of"):
            Trial.of(Measured("one", "cheap", {key: sets[key] for key in sets if key != name}), 1.0, ids)


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    file = tmp_path / "rules.json"
    write_rules(file, freeze(TEN, RULES, TRUTH, BASIS))
    return file


def test_frozen_rules_come_back_as_they_were(frozen: Path) -> None:
    found = read_rules(frozen, BASIS)
    assert found["rules"] == {"limit": 0.10, "path_limit": 0.05, "min_n": 30} and len(found["worlds"]) == 10


def test_rules_that_were_changed_by_hand_are_refused(frozen: Path) -> None:
    rules = json.loads(frozen.read_text())
    rules["rules"]["limit"] = 0.3
    frozen.write_text(json.dumps(rules))
    with pytest.raises(ValueError, match="changed after it was frozen"):
        read_rules(frozen, BASIS)


def test_rules_of_other_worlds_are_refused(frozen: Path) -> None:
    with pytest.raises(ValueError, match="never chosen again"):
        read_rules(frozen, {"stress_set": "other"})


def test_file_that_holds_no_rules_is_refused(frozen: Path) -> None:
    frozen.write_text("{")
    with pytest.raises(ValueError, match="no file of frozen rules"):
        read_rules(frozen, BASIS)
