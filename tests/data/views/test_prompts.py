"""What images without a report say."""

from __future__ import annotations

import pytest
import torch

from radedit.data.views.prompts import ListedFindings
from radedit.types import Record, Sample

SENTENCES = {"pneumothorax": "Pneumothorax.", "effusion": "Effusion."}


class One:
    def __init__(self, **labels: int) -> None:
        self.records = [Record("a", "s", labels, report="Effusion; Pneumothorax")]

    def load(self, record: Record) -> Sample:
        return Sample(record, torch.zeros(1, 2, 2))


@pytest.mark.parametrize(
    "labels, said",
    [
        ({"effusion": 1, "pneumothorax": 1}, "Pneumothorax. Effusion."),
        ({"effusion": 1, "no_finding": 0}, "Effusion."),
        ({"no_finding": 1}, "No findings."),
        ({"covid": 1}, ""),  # nobody read this image for the findings
        ({}, ""),
    ],
)
def test_an_image_says_what_was_found_and_nothing_where_nobody_looked(labels: dict[str, int], said: str) -> None:
    told = ListedFindings(One(**labels), SENTENCES, none="no_finding")
    assert told.records[0].report == said
    assert told.load(told.records[0]).record.report == said


@pytest.mark.parametrize("labels, said", [({"effusion": 0, "pneumothorax": 0}, "No findings."), ({"effusion": 0}, "")])
def test_without_a_label_for_none_all_findings_must_have_been_read(labels: dict[str, int], said: str) -> None:
    assert ListedFindings(One(**labels), SENTENCES).records[0].report == said


@pytest.mark.parametrize("labels", [{}, {"effusion": 0}, {"covid": 1}, {"no_finding": 1}])
def test_where_every_image_was_read_an_empty_list_says_no_findings(labels: dict[str, int]) -> None:
    assert ListedFindings(One(**labels), SENTENCES, all_read=True).records[0].report == "No findings."
    present = labels | {"effusion": 1}
    assert ListedFindings(One(**present), SENTENCES, all_read=True).records[0].report == "Effusion."


def test_a_label_for_none_is_of_no_use_where_every_image_was_read() -> None:
    with pytest.raises(ValueError, match="'no_finding'"):
        ListedFindings(One(), SENTENCES, none="no_finding", all_read=True)
