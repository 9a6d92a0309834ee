"""Verdicts for machines: read back as a CI server would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from radedit.harness.evidence.verdict import Rules, Verdict
from radedit.harness.statistics.estimate import Estimate
from radedit.report.verdict.gate import write_gate

ABOUT = {
    "command": 'python -m radedit.stress "name=a<b & c"',
    "commit": "0123456789ab",
    "hashes": {"generator": "aa11", "predictors": {"bad": "bb22"}},
    "seed": None,
}


def verdict(predictor: str, outcome: Any, reason: str = "Because.") -> Verdict:
    found = Estimate(0.2, 0.1, 0.3, 60)
    return Verdict(predictor, outcome, [reason, "And so."], found, Estimate(0.0, -0.01, 0.01, 60), 60)


EACH = [verdict("bad", "fail"), verdict("good", "pass"), verdict("vague", "undecided"), verdict("worse", "fail")]


def suite(folder: Path) -> Element:
    (found,) = ElementTree.parse(folder / "junit.xml").getroot().findall("testsuite")
    return found


@pytest.mark.parametrize(("fail_on", "errors", "skipped"), [(None, 0, 1), ("fail", 0, 1), ("undecided", 1, 0)], ids=str)
def test_counts_are_those_of_the_cases(fail_on: str | None, errors: int, skipped: int, tmp_path: Path) -> None:
    write_gate(tmp_path, "manifestation", EACH, Rules(fail_on=fail_on), ABOUT)
    found = suite(tmp_path)
    assert found.get("name") == "manifestation"
    counts = {key: int(found.attrib[key]) for key in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": 4, "failures": 2, "errors": errors, "skipped": skipped}
    elements = {"tests": "testcase", "failures": ".//failure", "errors": ".//error", "skipped": ".//skipped"}
    assert counts == {key: len(found.findall(path)) for key, path in elements.items()}


def test_each_predictor_is_a_case_with_its_reasons(tmp_path: Path) -> None:
    write_gate(tmp_path, "manifestation", EACH, Rules(fail_on="undecided"), ABOUT)
    cases = {case.attrib["name"]: case for case in suite(tmp_path).findall("testcase")}
    assert list(cases) == ["bad", "good", "vague", "worse"]
    told = {name: case[0] for name, case in cases.items()}
    assert [told[name].tag for name in ("bad", "good", "vague")] == ["failure", "system-out", "error"]
    assert told["vague"].get("type") == "undecided"
    assert told["bad"].get("message") == "Because."
    assert told["bad"].text == told["good"].text == "Because.\nAnd so."


def test_properties_name_rules_and_hashes(tmp_path: Path) -> None:
    write_gate(tmp_path, "manifestation", EACH, Rules(limit=0.07), ABOUT)
    properties = {p.attrib["name"]: p.attrib["value"] for p in suite(tmp_path).iter("property")}
    assert properties["rules.limit"] == "0.07"
    assert properties["hashes.predictors.bad"] == "bb22"
    assert properties["command"] == ABOUT["command"]
    assert properties["seed"] == properties["rules.fail_on"] == ""


@pytest.mark.parametrize("text", ["</failure> & \"'<x>", "]]>", "−2 ± ‘é’ 肺", "a\x00b\x1b[0m", "lost \udcff byte"])
def test_any_text_can_be_read_back(text: str, tmp_path: Path) -> None:
    write_gate(tmp_path, text, [verdict(text, "fail", text)], Rules(), {text: text})
    found, (case,) = suite(tmp_path), suite(tmp_path).findall("testcase")
    names = {found.get("name"), case.get("name"), case[0].get("message")}
    assert len(names) == 1
    json.loads((tmp_path / "verdict.json").read_text(encoding="utf-8"))
    if text.isprintable():
        assert names == {text}


def test_json_holds_rules_verdicts_and_exit_code(tmp_path: Path) -> None:
    files = write_gate(tmp_path / "new", "manifestation", EACH, Rules(fail_on="fail"), ABOUT)
    found = json.loads(files["verdict"].read_text())
    assert (found["name"], found["outcome"], found["exit_code"]) == ("manifestation", "fail", 1)
    assert Rules(**found["rules"]) == Rules(fail_on="fail")
    assert [Estimate(**entry["shift_effect"]) for entry in found["verdicts"]] == [one.shift_effect for one in EACH]
    assert found["about"] == ABOUT


def test_same_verdict_is_the_same_bytes_and_nothing_else_is_left(tmp_path: Path) -> None:
    first = {key: path.read_bytes() for key, path in write_gate(tmp_path, "a", EACH, Rules(), ABOUT).items()}
    again = {key: path.read_bytes() for key, path in write_gate(tmp_path, "a", EACH, Rules(), ABOUT).items()}
    assert first == again
    assert sorted(path.name for path in tmp_path.iterdir()) == ["junit.xml", "verdict.json"]


def test_run_without_predictors_has_no_gate(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no verdicts"):
        write_gate(tmp_path, "manifestation", [], Rules(), ABOUT)
    assert not list(tmp_path.iterdir())
