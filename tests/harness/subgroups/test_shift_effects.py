"""For whom a model fails: the group that fails is named, pairs only where they fail beyond their parts."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from pydantic import TypeAdapter

from radedit.harness.predictors.predictions import Predictions
from radedit.harness.subgroups.groups import Groups
from radedit.harness.subgroups.shift_effects import Subgroups, subgroups

N = 240
IDS = [f"r{i:03d}" for i in range(N)]
SEX = ["F" if i % 2 else "M" for i in range(N)]
VIEW = ["AP" if i % 3 == 0 else "PA" for i in range(N)]
GROUPS = {id_: {"sex": sex, "view": view} for id_, sex, view in zip(IDS, SEX, VIEW, strict=True)}
ROWS = Predictions(IDS, [f"p{id_}" for id_ in IDS], {})


def found(rates: np.ndarray, seed: int = 0, groups: Groups = GROUPS, min_n: int = 30, **others: object) -> Subgroups:
    """Of a model that the shift makes call an image positive with a rate of its own each."""
    x = (np.random.default_rng(seed).uniform(size=N) < rates).astype(float)[None]
    return subgroups("own", ROWS, ROWS, x, groups, min_n, **others)  # type: ignore[arg-type]


def where(**wanted: str) -> np.ndarray:
    return np.array([all(GROUPS[id_][name] == value for name, value in wanted.items()) for id_ in IDS])


def test_the_group_that_fails_is_the_worst_and_the_only_one() -> None:
    one = found(np.where(where(sex="F"), 0.45, 0.05))
    assert one.worst and one.worst.where == {"sex": "F"} and one.groups[0] is one.worst
    assert [group.name for group in one.groups if group.worse] == ["sex F"]
    assert one.worst.excess and one.worst.excess.low and one.worst.excess.low > 0.2


def test_a_pair_that_fails_comes_before_its_parts() -> None:
    one = found(np.where(where(sex="F", view="AP"), 0.7, 0.03))
    assert one.worst and one.worst.where == {"sex": "F", "view": "AP"}


def test_a_model_that_fails_for_all_alike_fails_for_none_in_particular() -> None:
    one = found(np.full(N, 0.6))
    assert one.worst is None and not any(group.worse for group in one.groups)
    assert all(group.effect and group.effect.value > 0.4 for group in one.groups)


def test_small_groups_abstain_and_say_how_small_they_are() -> None:
    few = {id_: {"sex": "other" if i < 5 else SEX[i]} for i, id_ in enumerate(IDS)}
    one = found(np.full(N, 0.1), groups=few)
    other = next(group for group in one.groups if group.where == {"sex": "other"})
    assert other.abstains == "n = 5, below min_n = 30" and other.p is None and other.effect is not None
    assert one.groups[-1] is other


def test_a_group_without_others_abstains() -> None:
    one = found(np.full(N, 0.1), groups={id_: {"sex": "F"} for id_ in IDS})
    assert one.groups[0].abstains.startswith("0 records to compare it with")


def test_p_of_holm_is_never_below_p_and_one_question_is_asked_once() -> None:
    one = found(np.where(where(sex="F"), 0.3, 0.1))
    tested = [group for group in one.groups if group.p is not None]
    assert all(group.p_holm is not None and group.p is not None and group.p_holm >= group.p for group in tested)
    female, male = ({g.name: g for g in tested}[f"sex {sex}"] for sex in "FM")
    assert (female.p, female.p_holm) == pytest.approx((male.p, male.p_holm))
    assert female.p_holm == pytest.approx(6 * (female.p or 0))  # the smallest of six: sex, view, and four pairs


def test_edits_that_failed_are_not_held_against_the_model() -> None:
    rates = np.where(where(sex="F"), 0.45, 0.05)
    x = np.random.default_rng(0).uniform(size=N) < rates
    failed = {id_: bool(wrong and sex == "F") for id_, wrong, sex in zip(IDS, x, SEX, strict=True)}
    assert found(rates).worst and found(rates, failed=failed).worst is None


def test_nothing_is_concluded_where_nothing_may_be() -> None:
    one = found(np.where(where(sex="F"), 0.45, 0.05), reasons=["Too few edits were kept."])
    assert one.worst is None and one.reasons and all(group.p is None for group in one.groups)


def test_records_of_which_nothing_is_known_are_counted_and_compared_with_nobody() -> None:
    known = {id_: groups for i, (id_, groups) in enumerate(GROUPS.items()) if i >= 40}
    one = found(np.full(N, 0.1), groups=known)
    assert one.unknown == {"sex": 40, "view": 40}
    assert sum(group.n for group in one.groups if list(group.where) == ["sex"]) == N - 40


def test_it_is_read_back_as_it_was_written() -> None:
    one, adapter = found(np.where(where(sex="F"), 0.45, 0.05)), TypeAdapter(Subgroups)
    assert adapter.validate_python(json.loads(adapter.dump_json(one))) == one
    assert replace(one, groups=[]).worst is None


@pytest.mark.parametrize("seed", range(8))
def test_in_a_world_without_a_failure_nothing_is_named(seed: int) -> None:
    assert found(np.full(N, 0.08), seed=seed).worst is None
