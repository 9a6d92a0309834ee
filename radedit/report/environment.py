"""The templates of all pages, with the filters and the style that they share."""

from __future__ import annotations

import functools
from dataclasses import replace
from importlib.resources import files

import jinja2
from markupsafe import Markup

from radedit.data.io.names import capitalized
from radedit.harness.statistics.estimate import Estimate
from radedit.report.plots import figures
from radedit.report.words import groups, numbers, performance

FRACTIONS = ("dice", "dice_all", "area")


@functools.cache
def environment() -> jinja2.Environment:
    """Templates, with the filters and the style that all pages share, compiled once in a process."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("radedit.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "about": numbers.about,
        "percent": numbers.percent,
        "points": numbers.points,
        "interval": numbers.interval,
        "amount": numbers.amount,
        "plural": numbers.plural,
        "in_unit": in_unit,
        "grade": _grade,
        "points_of": lambda fraction: f"{100 * fraction:g} points",
        "measured": _measured,
        "p_value": lambda p: "< 0.001" if p < 0.001 else f"{p:.3f}",
        "unbroken": numbers.unbroken,
        "boundless": performance.boundless,
        "capitalize_first": capitalized,
    }
    environment.globals |= {
        "addition": figures.addition,
        "worst_group": groups.worst_group,
        "group_outcome": groups.outcome,
        "group_rule": groups.rule,
        "threshold_sentences": performance.threshold_sentences,
        "style": Markup(files("radedit.report").joinpath("templates/style.css").read_text("utf-8")),
        "script": Markup(files("radedit.report").joinpath("templates/gallery.js").read_text("utf-8")),
    }
    return environment


def in_unit(value: Estimate, unit: str) -> str:
    """A share in per cent, anything else to a hundredth with its unit."""
    if unit == "share":
        between = numbers.interval(value)
        return f"{numbers.percent(value.value)} %{f' ({between})' if between else ''}"
    low, high = (None if bound is None else round(bound, 2) for bound in (value.low, value.high))
    return f"{amount_of(replace(value, value=round(value.value, 2), low=low, high=high))} {unit}"


def amount_of(value: Estimate | float | None) -> str:
    """A number with its interval, in its own unit."""
    if not isinstance(value, Estimate):
        return numbers.amount(value)
    known = value.low is not None and value.high is not None
    between = f" ({numbers.amount(value.low)} to {numbers.amount(value.high)})" if known else ""
    return f"{numbers.amount(value.value)}{between}"


def _measured(estimate: Estimate, name: str) -> str:
    """A score in its own unit with its interval."""
    if name not in FRACTIONS:
        return amount_of(estimate)
    between = numbers.interval(estimate)
    return f"{numbers.percent(estimate.value)}{f' ({between})' if between else ''}"


def _grade(accuracy: float | None) -> str:
    """A word for an accuracy, which the style sheet has a colour for."""
    if accuracy is None:
        return "unknown"
    return "high" if accuracy >= 0.9 else "middling" if accuracy >= 0.7 else "low"
