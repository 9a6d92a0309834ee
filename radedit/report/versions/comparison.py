"""A comparison of two versions: on the console, in Markdown, and as JUnit to stop a release by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from radedit.data.io.atomic import write_atomically
from radedit.data.io.names import capitalized
from radedit.harness.evidence.results import save
from radedit.harness.evidence.verdict import Verdict
from radedit.harness.statistics.estimate import LEVEL
from radedit.harness.versions.comparison import FILE, Compared, Comparison, Margin, Pair
from radedit.report.verdict.gate import JUNIT, junit
from radedit.report.words.markdown import markdown
from radedit.report.words.numbers import interval, percent, points

TABLES = "comparison.md"
MEANS = {
    "pass": "not worse by more than the margin",
    "fail": "significantly worse",
    "undecided": "not shown to be no worse",
}


def write_comparison(folder: Path, comparison: Comparison) -> None:
    """Write `comparison.json`, `comparison.md` and `junit.xml`; in JUnit every measure that decides is a test case."""
    folder.mkdir(parents=True, exist_ok=True)
    save(comparison, folder / FILE)
    write_atomically(folder / TABLES, (in_markdown(comparison) + "\n").encode())
    margin = comparison.margin
    cases = [
        Verdict(f"{_who(pair)}: {one.measure}", one.outcome, [sentence(one, margin), *pair.doubts], None, None, one.n)
        for pair in comparison.pairs
        for one in pair.measures
        if one.outcome is not None
    ]
    about = {
        "margin": margin.margin,
        "min_n": margin.min_n,
        "command": comparison.command,
        "stress_sets": [pair.stress_set for pair in comparison.pairs],
    }
    name = f"{comparison.name}-versions"
    write_atomically(folder / JUNIT, junit(name, cases, about, stops=margin.fail_on == "undecided"))


def in_markdown(comparison: Comparison) -> str:
    """A table for each pair of versions, what it means, and the rule."""
    return "\n".join(_lines(comparison))


def summary(comparison: Comparison) -> str:
    """A line for each pair and each of its measures, for the console."""
    lines = []
    for pair in comparison.pairs:
        lines.append(f"{pair.outcome.upper():9}  {_who(pair)}: {MEANS[pair.outcome]}")
        lines += [f"           {doubt}" for doubt in pair.doubts]
        lines += [f"           {sentence(one, comparison.margin)}" for one in pair.measures]
        lines += ["           Both versions have the same weights."] if pair.same else []
    return "\n".join(lines)


def sentence(one: Compared, margin: Margin) -> str:
    """A measure of both versions, their difference, and what follows from it."""
    low, high = (points(bound) for bound in (one.difference.low, one.difference.high))
    between = "" if one.difference.low is None else f" ({100 * LEVEL:.0f} % interval {low} to {high})"
    values = f"{percent(one.baseline.value)} → {percent(one.candidate.value)} %"
    head = f"{capitalized(one.measure)}: {values}, {points(one.difference.value)} points{between}"
    allowed = f"{100 * margin.margin:g} points"
    match one.outcome:
        case None:
            return f"{head}; decides nothing."
        case "pass":
            return f"{head}: a loss of {allowed} is excluded."
        case "fail":
            return f"{head}: significantly worse, and a loss of {allowed} is not excluded."
    if one.n < margin.min_n:
        return f"{head}: undecided, n = {one.n}, below min_n = {margin.min_n}."
    return f"{head}: undecided, a loss of {allowed} is not excluded."


def _lines(comparison: Comparison) -> Iterator[str]:
    margin = comparison.margin
    yield f"# {comparison.name}: is the new version worse?"
    yield ""
    yield (
        f"**{comparison.outcome}**: {MEANS[comparison.outcome]}. Margin, fixed beforehand: "
        f"{100 * margin.margin:g} points; at least {margin.min_n} images."
    )
    for pair in comparison.pairs:
        yield f"\n## {_who(pair)}\n"
        yield f"{pair.question} Stress set {pair.stress_set[:12]}.\n"
        rows = [
            [
                one.measure, str(one.n), _per_cent(one.baseline.value, interval(one.baseline)),
                _per_cent(one.candidate.value, interval(one.candidate)), _difference(one), one.outcome or "–",
            ]
            for one in pair.measures
        ]  # fmt: skip
        head = [
            "measure",
            "n",
            "baseline, %",
            "new version, %",
            f"difference, points ({100 * LEVEL:.0f} % interval)",
            "outcome",
        ]
        yield markdown([head, *rows])
        yield from (f"\n{doubt}" for doubt in pair.doubts)
        if pair.same:
            yield "\nBoth versions have the same weights."
    yield ""
    yield (
        "Differences are paired by image and clustered by patient. *pass*: the lower bound is above minus the margin, "
        "for every measure. *fail*: the new version is significantly worse, at an error that all measures share, and "
        "a loss of the margin is not excluded. The last line of each table decides nothing."
    )
    yield f"\nMade by `{comparison.command}`." if comparison.command else ""


def _who(pair: Pair) -> str:
    one, two = pair.baseline, pair.candidate
    if one.name == two.name:
        return f"{one.name} ({one.runs[0]}) → {two.name} ({two.runs[0]})"
    return f"{one.name} → {two.name}"


def _per_cent(value: float, between: str) -> str:
    return f"{percent(value)}{f' ({between})' if between else ''}"


def _difference(one: Compared) -> str:
    if one.difference.low is None:
        return points(one.difference.value)
    return f"{points(one.difference.value)} ({points(one.difference.low)} to {points(one.difference.high)})"
