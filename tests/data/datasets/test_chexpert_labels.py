"""How the labels that CheXpert and MIMIC-CXR share are read."""

from __future__ import annotations

import pytest

from radedit.data.datasets.chexpert.labels import FINDINGS, read_labels

BLANK = dict.fromkeys(FINDINGS, "")


@pytest.mark.parametrize(
    "uncertain, expected",
    [
        ("unread", {"oedema": 1, "fracture": 0}),
        ("positive", {"oedema": 1, "fracture": 0, "effusion": 1}),
        ("negative", {"oedema": 1, "fracture": 0, "effusion": 0}),
    ],
)
def test_an_uncertain_label_is_read_as_asked_and_an_unmentioned_one_is_absent(
    uncertain: str, expected: dict[str, int]
) -> None:
    cells = BLANK | {"Edema": "1.0", "Fracture": "0.0", "Pleural Effusion": "-1.0"}
    assert read_labels(cells, uncertain, "row") == expected


@pytest.mark.parametrize("value", ["2.0", "yes", "nan", "-1.5"])
def test_an_unknown_value_is_refused_with_its_place(value: str) -> None:
    with pytest.raises(ValueError, match=rf"train\.csv, line 3.*'Edema'.*'{value}'.*Allowed"):
        read_labels(BLANK | {"Edema": value}, "unread", "train.csv, line 3")


def test_an_unknown_way_to_read_uncertain_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="'ones'.*unread, positive, negative"):
        read_labels(BLANK, "ones", "row")


def test_findings_are_those_of_the_paper() -> None:
    assert len(FINDINGS) == 14 and sorted(FINDINGS) == list(FINDINGS)  # Appendix A lists them by the alphabet
