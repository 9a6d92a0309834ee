"""Tables in Markdown: whatever a cell holds, it stays a cell."""

from __future__ import annotations

from radedit.report.words.markdown import markdown


def test_cell_ends_neither_itself_nor_its_line() -> None:
    lines = markdown([["model", "n"], ["a | b", "1\n2\u20283"], ["=SUM(A1)", "@everyone"]]).split("\n")
    assert lines == ["| model | n |", "| --- | --- |", "| a \\| b | 1 2 3 |", "| \\=SUM(A1) | \\@everyone |"]


def test_only_what_is_no_number_is_kept_from_being_a_formula() -> None:
    lines = markdown([["a", "b", "c", "d"], ["+cmd()", "-x", "+2.1 (0.4 to 3.8)", "-.5"]]).split("\n")
    assert lines[2] == "| \\+cmd() | \\-x | +2.1 (0.4 to 3.8) | -.5 |"
