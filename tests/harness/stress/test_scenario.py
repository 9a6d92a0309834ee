"""What a scenario's report must say of its images."""

from __future__ import annotations

import pytest
from hydra.utils import instantiate

from radedit.app.configuration import composed
from radedit.harness.stress.scenario import StressData


@pytest.mark.parametrize("notes", [[], ["A fail here is weak evidence."]])
def test_notes_of_a_scenario_are_those_of_its_data(notes: list[str]) -> None:
    overrides = [f"+dataset.notes={notes}"] if notes else []
    data: StressData = instantiate(composed("stress", ["+scenario=acquisition", *overrides]).dataset)
    assert list(data.notes) == notes and all(type(note) is str for note in data.notes)
