"""Tables of a detection study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from radedit.report.words.markdown import markdown, number
from radedit.studies.detection.detection import OUTCOMES

WHOLE = "whole"
WHO = {"biased": "biased", "others": "not biased"}


def detection_table(results: Mapping[str, Any]) -> str:
    """Markdown: verdicts by generator, then by strength, then a line for each predictor under the whole generator."""
    whole = results["generators"][WHOLE]
    return "\n\n".join([
        f"Rules {results['frozen'][:12]}: limit {100 * results['rules']['limit']:g} points, at least "
        f"{results['rules']['min_n']} records. Biased is a true gap of more than {100 * results['truth']:g} points. "
        "Shares have exact 95 % intervals.",
        markdown(_generators(results["generators"])),
        "\n".join(_why(results["generators"])),
        f"Of the biased predictors of strength 0.75 and more the whole generator finds {_share(whole['strong'])}. "
        f"AUROC of its shift effect: {_area(whole['auroc'])}.",
        markdown(_curve(whole["curve"])),
        *(f"{entry['predictor']} could not be trained: {entry['reason']}" for entry in results["failed"]),
        markdown(_each(whole["rows"])),
    ]) + "\n"  # fmt: skip


def _generators(generators: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    lines = [["generator", "kept of edited", "predictors", *OUTCOMES]]
    for name, found in generators.items():
        for who, called in WHO.items():
            kept = f"{found['kept']}/{found['edited']}"
            lines.append([name.replace("_", " "), kept, called, *(_share(found[who][o]) for o in OUTCOMES)])
    return lines


def _why(generators: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What the checks say of each generator."""
    return [
        f"- {name.replace('_', ' ')}: {' '.join(found['against']) or 'all checks of the edits hold.'}"
        for name, found in generators.items()
    ]


def _curve(curve: list[dict[str, Any]]) -> list[list[str]]:
    lines = [["strength", "truly biased", "mean true gap, points", *OUTCOMES]]
    for entry in curve:
        n = entry["fail"]["n"]
        gap = number(100 * entry["gap"], 1)
        lines.append([f"{entry['strength']:g}", f"{entry['biased']}/{n}", gap, *(_share(entry[o]) for o in OUTCOMES)])
    return lines


def _each(rows: list[dict[str, Any]]) -> list[list[str]]:
    names = {
        "shift_effect": "shift effect, points (95 %)",
        "artefact": "artefact, points (95 %)",
        "control": "sensitivity lost",
    }
    lines = [["predictor", "true gap, points", "biased", *names.values(), "verdict"]]
    for row in rows:
        about = [row["predictor"], number(100 * row["gap"], 1), "yes" if row["biased"] else "no"]
        lines.append([*about, *(_interval(row[name]) for name in names), row["outcome"]])
    return lines


def _share(share: Mapping[str, Any]) -> str:
    estimate = share["share"]
    text = f"{share['k']}/{share['n']}"
    return text if estimate is None else f"{text} ({100 * estimate['low']:.0f}–{100 * estimate['high']:.0f} %)"


def _area(area: Mapping[str, Any] | None) -> str:
    if area is None:
        return "– (all are alike)"
    return f"{area['value']:.3f}" + ("" if area["low"] is None else f" ({area['low']:.3f}–{area['high']:.3f})")


def _interval(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None:
        return "–"
    text = number(100 * estimate["value"], 1)
    if estimate["low"] is None:
        return text
    low, high = (number(100 * estimate[key], 1) for key in ("low", "high"))
    return f"{text} ({low} to {high})"
