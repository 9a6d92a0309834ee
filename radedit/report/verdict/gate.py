"""A verdict for machines: JSON to keep, JUnit to stop a release by."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from radedit.data.io.atomic import write_atomically
from radedit.harness.evidence.verdict import Rules, Verdict, exit_code, overall

VERDICT, JUNIT = "verdict.json", "junit.xml"
# XML 1.0 has no way to write these, not even escaped; lone surrogates come from file names that are no UTF-8.
UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write_gate(
    folder: Path, name: str, verdicts: Sequence[Verdict], rules: Rules, about: Mapping[str, Any]
) -> dict[str, Path]:
    """Write the verdict as `verdict.json` and `junit.xml`.

    In JUnit's terms the scenario is a test suite and each predictor a test case. Fail is a failure, whatever the exit
    code; undecided is an error of type `undecided` if the rules fail on it, else skipped.

    Args:
        folder: Of the run; made if it does not exist.
        name: Of the scenario.
        verdicts: One a predictor, at least one.
        rules: That were fixed beforehand.
        about: What the verdict is of: command, commit, hashes and the like, as JSON has it.

    Returns:
        `verdict` and `junit` → the files.

    Raises:
        ValueError: If there are no verdicts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {"verdict": folder / VERDICT, "junit": folder / JUNIT}
    write_atomically(files["verdict"], _json(name, verdicts, rules, about))
    stops = rules.fail_on == "undecided"
    write_atomically(files["junit"], junit(name, verdicts, {"rules": asdict(rules), **about}, stops=stops))
    return files


def _json(name: str, verdicts: Sequence[Verdict], rules: Rules, about: Mapping[str, Any]) -> bytes:
    content = {
        "name": name,
        "outcome": overall(verdicts),
        "exit_code": exit_code(verdicts, rules),
        "rules": asdict(rules),
        "verdicts": [verdict.dict() for verdict in verdicts],
        "about": about,
    }
    # A lone surrogate is written as its escape, so that the file is UTF-8 whatever a path held.
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", errors="backslashreplace")


def junit(name: str, verdicts: Sequence[Verdict], about: Mapping[str, Any], *, stops: bool) -> bytes:
    """A test suite with a case for each verdict.

    Args:
        name: Of the suite.
        verdicts: Whose `predictor` names the case.
        about: Properties of the suite, as JSON has them.
        stops: Whether undecided is an error.
    """
    outcomes = [verdict.outcome for verdict in verdicts]
    undecided = outcomes.count("undecided")
    counts = {
        "tests": len(verdicts),
        "failures": outcomes.count("fail"),
        "errors": undecided if stops else 0,
        "skipped": 0 if stops else undecided,
    }
    numbers = {key: str(count) for key, count in counts.items()} | {"time": "0"}
    suites = Element("testsuites", {"name": "radedit", **numbers})
    suite = SubElement(suites, "testsuite", {"name": _writable(name), **numbers})
    properties = SubElement(suite, "properties")
    for key, value in _flat("", about):
        SubElement(properties, "property", {"name": _writable(key), "value": _writable(value)})
    for verdict in verdicts:
        identity = {"classname": _writable(f"radedit.{name}"), "name": _writable(verdict.predictor), "time": "0"}
        _tell(SubElement(suite, "testcase", identity), verdict, stops)
    ElementTree.indent(suites, " ")
    return bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def _tell(case: Element, verdict: Verdict, stops: bool) -> None:
    """What became of a predictor, with the reasons, the first of them where CI shows a line only."""
    why = [_writable(reason) for reason in verdict.reasons]
    attributes = {"message": why[0] if why else verdict.outcome, "type": verdict.outcome}
    match verdict.outcome:
        case "pass":
            element = SubElement(case, "system-out")
        case "fail":
            element = SubElement(case, "failure", attributes)
        case "undecided":
            element = SubElement(case, "error" if stops else "skipped", attributes)
    element.text = "\n".join(why)


def _flat(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """A nested value as pairs, `hashes.predictors.a` → its text; what is None has no value."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(f"{key}.{name}" if key else str(name), inner)
    else:
        yield key, "" if value is None else str(value)


def _writable(text: str) -> str:
    return UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)
