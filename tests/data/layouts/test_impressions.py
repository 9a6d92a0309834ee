"""Sections of reports, by the rules of MIMIC-CXR's own parser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radedit.data.layouts.impressions import SECTIONS, sections, tidy

NORMAL = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)
 
 INDICATION:  ___F with cough.
 
 FINDINGS: 
 
 The lungs are clear.  There is no pleural
 effusion.
 
 IMPRESSION: 
 
 No acute cardiopulmonary
 process.
"""  # a blank line of a report holds one blank


def test_a_report_has_its_sections_without_blanks_around_them() -> None:
    assert sections(NORMAL) == {
        "impression": "No acute cardiopulmonary\n process.",
        "findings": "The lungs are clear.  There is no pleural\n effusion.",
    }
    assert tidy(sections(NORMAL)["impression"]) == "No acute cardiopulmonary process."


@pytest.mark.parametrize(
    "report, impression",
    [
        ("\n FINDINGS:\n IMPRESSION: Normal.", None),  # the first header swallows the line break of the second
        ("\n FINDINGS: \n IMPRESSION: Normal.", "Normal."),  # a blank behind it saves the second
        ("\n    IMPRESSION: Normal.", "Normal."),
        ("IMPRESSION: Normal.", None),  # on the first line
        ("\n Impression: Normal.", None),
        ("\nIMPRESSION: Normal.", None),  # no blank before it
        ("\n IMPRESSION:Normal.", None),  # none behind it
        ("\n IMPRESSION: Old.\n ADDENDUM: x\n IMPRESSION: New.", "New."),
        ("\n IMPRESSION: Only.\n IMPRESSION: \n \n", "Only."),  # a blank one does not count
        ("\n IMPRESSION: Normal.\n NOTE: Call back.", "Normal."),
        ("\r\n FINDINGS: Clear.\r\n IMPRESSION: Normal.\r\n NOTE: x", "Normal."),
        ("\r\n FINDINGS:\r\n IMPRESSION: Normal.\r\n", "Normal."),
        ("\n CONCLUSION: Normal.", "Normal."),
        ("\n FINDINGS AND IMPRESSION: Normal.", "Normal."),
        ("\n FINDINGS/IMPRESSION: Normal.", "Normal."),
        ("\n IMPRESSOIN: Normal.", "Normal."),
        ("\n NDICATION: Cough.", "Cough."),
        ("\n FINAL IMPRESSION: Normal.", "Normal."),
        ("\n CHEST, PA AND LATERAL: Normal.", None),
    ],
)
def test_the_impression_is_what_the_rules_say(report: str, impression: str | None) -> None:
    assert sections(report).get("impression") == impression


@pytest.mark.parametrize("header", ["PORTABLE CHEST", "PA AND LATERAL VIEWS", "RIBS", "CHEST, TWO VIEWS", "FINDINS"])
def test_what_stands_under_the_name_of_a_view_are_findings(header: str) -> None:
    assert sections(f"\n {header}: Clear.") == {"findings": "Clear."}


def test_a_report_without_impression_and_findings_has_a_last_paragraph() -> None:
    report = "\n INDICATION: Cough.\n \n Lungs are clear.\n \n Heart is normal."
    assert sections(report) == {"last_paragraph": "Lungs are clear.\n \n Heart is normal."}
    assert sections(report + "\n FINDINGS: Clear.") == {"findings": "Clear."}
    assert sections("Lungs are clear.") == {}


def test_the_last_paragraph_is_no_longer_part_of_the_comparison() -> None:
    assert sections("\n COMPARISON: None.\n \n Clear.") == {"last_paragraph": "Clear.", "comparison": "None."}


def test_what_was_removed_about_the_patient_stays_and_rules_go() -> None:
    assert tidy("Compared to ___,\r\n clear.\n ______________\n Seen by ___.") == "Compared to ___, clear. Seen by ___."


PIECES = st.sampled_from(
    ["\n IMPRESSION: ", "\n FINDINGS:\n", "\n NOTE: ", "\n COMPARISON: ", "\n \n ", "Clear.", " ", "\r\n", "\n", "A:"]
)


@given(st.lists(PIECES, max_size=10).map("".join))
def test_every_section_is_part_of_its_report_and_not_blank(report: str) -> None:
    for name, text in sections(report).items():
        assert name in SECTIONS and text and text in report
