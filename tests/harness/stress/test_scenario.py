"""What a scenario's report must say of its images."""

from __future__ import annotations

from hydra.utils import instantiate

from radedit.app.configuration import composed
from radedit.harness.stress.scenario import StressData


def test_a_scenario_whose_verdicts_are_weak_says_so_in_its_notes() -> None:
    data: StressData = instantiate(composed("stress", ["+scenario=acquisition"]).dataset)
    assert any("weak evidence" in note for note in data.notes) and all(type(note) is str for note in data.notes)


def test_a_scenario_without_such_a_doubt_has_no_note() -> None:
    data: StressData = instantiate(composed("stress", ["+scenario=manifestation"]).dataset)
    assert not data.notes
