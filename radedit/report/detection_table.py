"""Tables of a detection study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from radedit.report.validity_table import markdown, number

CONTROL = "whole"
CALLED = {CONTROL: "the whole one, as few films"}


def detection_table(results: Mapping[str, Any]) -> str:
    """Markdown: verdicts by strength, sums, broken generators, and a line for each predictor."""
    curve = [["shortcut", "truly biased", "mean gap, points", "mean excess, points", "fail", "pass", "undecided"]]
    for entry in results["curve"]:
        shares = [_share(entry[outcome]) for outcome in ("fail", "pass", "undecided")]
        n = entry["fail"]["n"]
        gap, excess = (number(100 * entry[key], 1) for key in ("gap", "excess"))
        curve.append([f"{entry['strength']:g}", f"{entry['biased']}/{n}", gap, excess, *shares])
    broken = [["generator", "records", "who", "fail", "pass", "undecided"]]
    missing = []
    for entry in results["broken"]:
        if "missing" in entry:
            missing.append(f"No verdicts under {entry['name']}: its stress set is made by `{entry['missing']}`.")
            continue
        name = CALLED.get(entry["name"], entry["name"])
        for who in ("biased", "others"):
            rows = [row for row in entry["rows"] if row["biased"] is (who == "biased")]
            counts = [sum(row["outcome"] == outcome for row in rows) for outcome in ("fail", "pass", "undecided")]
            n = rows[0]["n"] if rows else 0
            broken.append([name, str(n), who, *(f"{count}/{len(rows)}" for count in counts)])
    rules, area = results["rules"], results["auroc"]
    said = rules["rules"]
    lines = [
        f"Rules {rules['hash'][:12]}, frozen on other worlds: limit {100 * said['limit']:g} points, path within "
        f"± {100 * said['path_limit']:g}, at least {said['min_n']} records. n = {results['n']} "
        f"{'kept ' if results['kept'] else ''}edits, {results['worlds']} worlds.",
        markdown(curve),
        f"Biased is a gap of more than {100 * results['truth']:g} points on true films. Detected: "
        f"{_share(results['detected'])} of the biased; undecided {_share(results['undecided_biased'])}. False alarms: "
        f"{_share(results['false_alarms'])} of the others; undecided {_share(results['undecided_others'])}. AUROC of "
        f"the excess: {_area(area)}.",
    ]
    if len(broken) > 1:
        lines.append(markdown(broken))
    lines += missing
    lines += [f"{entry['predictor']} could not be trained: {entry['reason']}" for entry in results["failed"]]
    each = [
        [
            "predictor",
            "gap, points",
            "biased",
            "excess, points (95 %)",
            "path, points (95 %)",
            "sensitivity lost",
            "verdict",
        ]
    ]
    for row in results["rows"]:
        excess, path = (_interval(row[key]) for key in ("excess", "path"))
        each.append(
            [
                row["predictor"],
                number(100 * row["gap"], 1),
                "yes" if row["biased"] else "no",
                excess,
                path,
                _interval(row["control"]),
                row["outcome"],
            ]
        )
    return "\n\n".join([*lines, markdown(each)]) + "\n"


def _share(share: Mapping[str, Any]) -> str:
    estimate = share["share"]
    text = f"{share['k']}/{share['n']}"
    return text if estimate is None else f"{text} ({100 * estimate['low']:.0f}–{100 * estimate['high']:.0f} %)"


def _area(area: Mapping[str, Any] | None) -> str:
    if area is None:
        return "– (all are alike)"
    return f"{area['value']:.3f}" + ("" if area["low"] is None else f" ({area['low']:.3f}–{area['high']:.3f})")


def _interval(estimate: Mapping[str, Any]) -> str:
    text = number(100 * estimate["value"], 1)
    if estimate["low"] is None:
        return text
    low, high = (number(100 * estimate[key], 1) for key in ("low", "high"))
    return f"{text} ({low} to {high})"
