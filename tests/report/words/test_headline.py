"""The result in a sentence: it says what the numbers say, and no more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from radedit.harness.evidence.results import load
from radedit.report.words.headline import Headline, headline
from tests.report.conftest import attribution, between, estimate, row

Run = dict[str, Any]
Said = Callable[[Run], Headline]


@pytest.fixture
def said(write: Callable[[Run], Path]) -> Said:
    return lambda run: headline(load(write(run)))


def plain(sentences: list[str]) -> str:
    return " ".join(sentences).replace("\N{NARROW NO-BREAK SPACE}", " ")


def test_fall_of_one_and_hold_of_the_other_are_told(run: Run, said: Said) -> None:
    lede = plain([said(run).lede])
    assert lede == (
        "The confounded classifier’s accuracy falls from 95 % to 18 % when the drain stays and the pneumothorax goes; "
        "the unconfounded classifier’s holds at 92 % (94 % on the in-distribution test set)."
    )


def test_sound_run_needs_no_caution(run: Run, said: Said) -> None:
    assert said(run).cautions == []


def test_nothing_is_said_when_no_edit_was_kept(run: Run, said: Said) -> None:
    run["table"] = [r for r in run["table"] if r["data"] != "synthetic (kept)"]
    run["counts"] |= {"kept": 0}
    found = said(run)
    assert found.lede == "No edit was kept by the editing score, so there is nothing to conclude."
    assert not found.support and "falls" not in found.lede


@pytest.mark.parametrize(("n", "cautious"), [(29, True), (30, False)])
def test_fewer_than_thirty_kept_edits_are_cautioned(n: int, cautious: bool, run: Run, said: Said) -> None:
    run["table"][1]["n"] = n
    assert (f"Only {n} kept edits" in plain(said(run).cautions)) is cautious


def test_unqualified_predictor_is_cautioned_with_its_reason(run: Run, said: Said) -> None:
    run["predictors"][0] |= {"qualified": False, "why": "50% right where pneumothorax +, drain −"}
    (caution,) = said(run).cautions
    assert caution.startswith("Confounded classifier did not qualify") and "50% right" in caution


@pytest.mark.parametrize(("high", "chance"), [(0.02, True), (-0.02, False)])
def test_change_may_be_chance_only_where_its_interval_holds_zero(
    high: float, chance: bool, run: Run, said: Said
) -> None:
    """Intervals of the two accuracies may meet where that of their paired difference excludes 0."""
    run["table"][1]["accuracy"] = estimate(0.85, 0.70, 0.96)
    run["changes"][0]["value"] = estimate(-0.1, -0.2, high)
    lede = said(run).lede
    assert ("which may be chance" in lede) is chance and ("falls" in lede) is not chance


def test_limits_are_those_of_the_run(run: Run, said: Said) -> None:
    run["rules"] |= {"limit": 0.3, "min_n": 61}
    run["attribution"][0] = attribution("bad", 0.02, {"VAE": 0.0, "inversion": 0.0, "artefact": 0.2, "shift": 0.6})
    cautions = plain(said(run).cautions)
    assert "editing by itself" not in cautions and "below 61 nothing should be concluded" in cautions


def test_editing_that_moves_false_positives_by_itself_is_cautioned(run: Run, said: Said) -> None:
    run["attribution"][0] = attribution("bad", 0.02, {"VAE": 0.0, "inversion": 0.0, "artefact": 0.2, "shift": 0.6})
    assert "editing by itself moves false positives by 20 points" in plain(said(run).cautions)


@pytest.mark.parametrize(("low", "cautious"), [(0.02, True), (-0.02, False)])
def test_edits_that_miss_the_real_shift_are_cautioned(low: float, cautious: bool, run: Run, said: Said) -> None:
    """Only where the interval leaves no doubt that they do."""
    run["agreement"][0] |= {"difference": estimate(0.12, low, 0.2)}
    assert ("off accuracy after the real shift" in plain(said(run).cautions)) is cautious


def test_accuracy_that_is_nearly_all_is_not_rounded_to_all(run: Run, said: Said) -> None:
    run["table"][3] = row("good", "in-distribution test set", 0.997)
    run["table"][4] = row("good", "synthetic (kept)", 1.0)
    lede = plain([said(run).lede])
    assert "99.7 %" in lede and "100 %" in lede


def test_support_adds_up_what_the_path_does(run: Run, said: Said) -> None:
    support = plain(said(run).support)
    assert "scores 16 %" in support and "the edits miss the real shift by 2 points" in support
    assert "less than a point of false positives; the shift adds 80 points" in support.replace("79", "80")


def test_rise_is_called_a_rise(run: Run, said: Said) -> None:
    run["table"][0]["accuracy"], run["table"][1]["accuracy"] = between(0.5), between(0.8)
    run["changes"][0]["value"] = between(0.3)
    assert "rises from 50 % to 80 %" in plain([said(run).lede])
