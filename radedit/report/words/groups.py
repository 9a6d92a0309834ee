"""For whom a model fails, in sentences and as lines of a table."""

from __future__ import annotations

from radedit.harness.evidence.results import Results
from radedit.harness.statistics.estimate import LEVEL, Estimate
from radedit.harness.subgroups.shift_effects import Subgroup, Subgroups
from radedit.report.words.numbers import NONE, points

HEAD = ("model", "group", "n", "patients", "shift effect, points", "more than the others, points", "p (Holm)", "found")


def worst_group(found: Subgroups, name: str) -> str:
    """The group that a model fails significantly more often than the others, or that there is none.

    Args:
        found: Its groups.
        name: Of the model.
    """
    if found.reasons:
        return f"{name}: groups are not compared. {found.reasons[0]}"
    tested = [group for group in found.groups if group.p is not None]
    worst = found.worst
    if worst is None:
        if not tested:
            return f"{name}: no group is large enough to be compared (min_n = {found.min_n})."
        return f"{name}: none of {len(tested)} groups is significantly worse off than the others."
    assert worst.effect is not None and worst.excess is not None and worst.p_holm is not None
    others = [group.name for group in found.groups if group.worse][1:]
    also = f" Also worse off: {'; '.join(others)}." if others else ""
    return (
        f"{name} fails most for {worst.name}: the shift effect is {_points(worst.effect)} points there "
        f"(n = {worst.n}), {_points(worst.excess)} points more than for the others (p {_p(worst.p_holm)} after Holm "
        f"over {len(tested)} groups).{also}"
    )


def group_lines(results: Results) -> list[list[str]]:
    """A line for each model and group, as `HEAD` names the columns."""
    return [
        [results.predictor(found.predictor).name, *_line(group)]
        for found in results.subgroups
        for group in found.groups
    ]


def outcome(group: Subgroup) -> str:
    """What was found of a group, in a word or two."""
    if group.abstains:
        return f"not compared: {group.abstains}"
    if group.p_holm is None or group.excess is None:
        return "not compared"
    if group.p_holm >= 1 - LEVEL:
        return "no difference found"
    return "worse off" if group.worse else "better off"


def _line(group: Subgroup) -> list[str]:
    return [
        group.name,
        str(group.n),
        str(group.patients),
        _points(group.effect),
        _points(group.excess),
        NONE if group.p_holm is None else _p(group.p_holm),
        outcome(group),
    ]


def _points(estimate: Estimate | None) -> str:
    if estimate is None:
        return NONE
    if estimate.low is None or estimate.high is None:
        return points(estimate.value)
    return f"{points(estimate.value)} ({points(estimate.low)} to {points(estimate.high)})"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def rule(found: Subgroups) -> str:
    """How groups are compared, as sentences."""
    return (
        f"Groups of fewer than {found.min_n} records, or with fewer to compare them with, abstain. A group is worse "
        "off where its shift effect significantly exceeds that of the others (an error of "
        f"{100 * (1 - LEVEL):.0f} % for all groups of a model together, Holm); a pair of groups only where it exceeds "
        "the rest of each of the two. An edit that a judge calls failed is not held against the model."
    )
