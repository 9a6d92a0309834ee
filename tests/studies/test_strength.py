"""Worlds of graded shortcuts: nothing at 0, the scenario's own world at 1, in order between."""

from __future__ import annotations

import pytest

from radedit.phantom.world import World
from radedit.studies.shared.shortcut_strength import abnormal_world, drain_world, hospital_world

WORLD = World(seed=1, prevalence={"pneumothorax": 0.5, "covid": 0.5}, hospitals={"A": 0.4, "C": 0.3, "D": 0.3})
ENDS = {"at_0": (0.5, 0.5), "at_1": (0.01, 0.8)}
STRENGTHS = (0.0, 0.25, 0.5, 1.0)


def test_drains_say_nothing_at_0_and_most_at_1() -> None:
    assert drain_world(0, world=WORLD, **ENDS).drain_given == (0.5, 0.5)
    assert drain_world(1, world=WORLD, **ENDS).drain_given == (0.01, 0.8)
    odds = [b - a for a, b in (drain_world(s, world=WORLD, **ENDS).drain_given for s in STRENGTHS)]
    assert odds == sorted(odds)


def test_hospital_says_nothing_at_0_and_all_at_1() -> None:
    def of_b(strength: float) -> tuple[float, float]:
        world = hospital_world(strength, world=WORLD, finding="covid", hospital="B")
        return world.hospitals_given["covid"]["B"], world.hospitals["B"]

    assert of_b(0) == (0.5, 0.5) and of_b(1) == (1, 0)
    assert [round(a - b, 9) for a, b in map(of_b, STRENGTHS)] == list(STRENGTHS)


def test_the_other_hospitals_share_the_rest_as_they_did() -> None:
    world = hospital_world(0.5, world=WORLD, finding="covid", hospital="B")
    assert world.hospitals["A"] / world.hospitals["C"] == pytest.approx(4 / 3)


def test_hospitals_follow_the_label_in_drawn_cases() -> None:
    world = hospital_world(1, world=WORLD, finding="covid", hospital="B")
    cases = world.cases("test", 100)
    assert {("covid" in case.present, case.hospital == "B") for case in cases} == {(True, True), (False, False)}


def test_abnormalities_are_a_share_of_their_prevalence() -> None:
    world = abnormal_world(0.1, world=WORLD, prevalence={"oedema": 0.5})
    assert world.prevalence["oedema"] == pytest.approx(0.05) and world.prevalence["covid"] == 0.5


def test_worlds_of_every_strength_have_the_same_patients() -> None:
    weak, strong = (drain_world(s, world=WORLD, **ENDS).case("test", 3) for s in (0, 1))
    assert weak.patient_id == strong.patient_id and weak.anatomy == strong.anatomy


def test_other_strengths_are_refused() -> None:
    with pytest.raises(ValueError, match="1.2 is outside 0…1"):
        drain_world(1.2, world=WORLD, **ENDS)


def test_there_must_be_another_hospital() -> None:
    with pytest.raises(ValueError, match="hospital B only"):
        hospital_world(0, world=World(hospitals={"B": 1}), finding="covid", hospital="B")
