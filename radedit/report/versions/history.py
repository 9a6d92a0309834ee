"""One model over its finished stress tests: a line for each, the earliest first, as a page and on the console."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from radedit.data.io.atomic import write_atomically
from radedit.harness.evidence.results import KEPT, OWN
from radedit.harness.evidence.verdict import Outcome
from radedit.harness.statistics.estimate import Estimate
from radedit.report.environment import environment
from radedit.report.plots.figures import LOOKS, NARROW, WIDE, Axis, mark_estimate
from radedit.report.plots.svg import MUTED, Sheet
from radedit.report.sweep.index import finished_sweeps
from radedit.report.words.numbers import interval, percent, points

STEP, NARROW_STEP = 40, 58


@dataclass(frozen=True)
class Tested:
    """A model in one finished stress test.

    Attributes:
        created: When it ended, ISO 8601.
        name: Of the model then.
        scenario: With the editor's variant where there are several.
        stress_set: First digits of the hash of the edits; only tests on the same edits can be compared.
        own, kept: Accuracy, or Dice, on in-distribution images and on kept edits.
        effect: Shift effect, where it was judged.
        outcome: Of its verdict; empty without one.
        folder: Of the test's report, seen from the output folder.
    """

    created: str
    name: str
    scenario: str
    stress_set: str
    own: Estimate
    kept: Estimate
    effect: Estimate | None
    outcome: Outcome | None
    folder: str


def history(out: Path, model: str, scenario: str | None = None) -> list[Tested]:
    """Finished stress tests of a model below `<out>/sweeps`, by stress set, the earliest first; damaged ones are named.

    Args:
        out: The output folder.
        model: Its key, or its name in tables.
        scenario: Only those of it.
    """
    found = []
    for folder, sweep in finished_sweeps(out):
        for variant in sweep.variants if scenario in (None, sweep.name) else ():
            results = variant.results
            for entry in results.predictors:
                own, kept = (results.row(entry.key, data) for data in (OWN, KEPT))
                if model not in (entry.key, entry.name) or own is None or kept is None:
                    continue
                verdict = results.verdict(entry.key)
                found.append(
                    Tested(
                        results.created, entry.name, variant.key, results.hashes.stress_set[:12], own.main, kept.main,
                        verdict.shift_effect if verdict else None, verdict.outcome if verdict else None,
                        folder.relative_to(out).as_posix(),
                    )
                )  # fmt: skip
    return sorted(found, key=lambda one: (one.scenario, one.stress_set, one.created))


def history_table(tests: Sequence[Tested]) -> str:
    """A line for each test, for the console."""
    width = max(len(one.name) for one in tests)
    return "\n".join(
        f"{one.created[:16]}  {one.name:{width}}  {one.scenario}, edits {one.stress_set}  "
        f"{(one.outcome or 'no verdict').upper():10}  {percent(one.own.value)} → {percent(one.kept.value)} %"
        f"{'' if one.effect is None else f', shift effect {points(one.effect.value)} points'}"
        for one in tests
    )


def write_history(out: Path, model: str, tests: Sequence[Tested]) -> Path:
    """Write `<out>/history-<model>.html`."""
    slug = "_".join("".join(c if c.isalnum() else " " for c in model.lower()).split()) or "model"
    sets: dict[tuple[str, str], list[Tested]] = {}
    for one in tests:
        sets.setdefault((one.scenario, one.stress_set), []).append(one)
    parts = [
        (
            scenario,
            stress_set,
            of_set,
            [history_plot(of_set, f"history-{i}", narrow=narrow) for narrow in (False, True)],
        )
        for i, ((scenario, stress_set), of_set) in enumerate(sets.items())
    ]
    page = environment().get_template("history.html.j2").render(model=model, n=len(tests), parts=parts)
    path = out / f"history-{slug}.html"
    write_atomically(path, page.encode())
    return path


def history_plot(tests: Sequence[Tested], name: str, *, narrow: bool = False) -> Markup:
    """In-distribution images and kept edits with their intervals, a line for each test.

    Args:
        tests: Of one stress set, the earliest first.
        name: Unique on the page.
        narrow: For a telephone.
    """
    step = NARROW_STEP if narrow else STEP
    bottom = 30 + step * len(tests)
    sheet = Sheet(NARROW if narrow else WIDE, bottom + 46)
    axis = Axis(14, NARROW - 22) if narrow else Axis(330, 960)
    axis.draw(sheet, 26, bottom, title="accuracy, or Dice")
    for i, one in enumerate(tests):
        top, said = 30 + step * i, f"{percent(one.own.value)} → {percent(one.kept.value)} %"
        label = f"{one.created[:10]}  {one.name[:34]}"
        middle = top + step - 16 if narrow else top + step / 2
        sheet.text(0, top + 12 if narrow else middle, label, size=12.5 if narrow else 13)
        sheet.text(NARROW if narrow else WIDE, top + 12 if narrow else middle, said, align="right", bold=True)
        if not narrow:
            sheet.text(axis.right + 20, middle, one.outcome or "no verdict", colour=MUTED)
        for estimate, data, apart in ((one.own, OWN, -5), (one.kept, KEPT, 5)):
            mark_estimate(sheet, axis, estimate, middle + apart, LOOKS[data])
    alt = "; ".join(
        f"{one.created[:10]}, {one.name}: in-distribution {percent(one.own.value)} % ({interval(one.own)}), edits "
        f"{percent(one.kept.value)} % ({interval(one.kept)})"
        for one in tests
    )
    return sheet.svg(f"{name}-{'n' if narrow else 'w'}", f"One model over its stress tests. {alt}.")
