"""The paper's signature in a sentence, from numbers alone: does the shift cost one predictor more than the other?"""

from __future__ import annotations

from radedit.data.io.names import capitalized
from radedit.harness.evidence.results import Contrast, Results
from radedit.harness.statistics.estimate import Estimate
from radedit.harness.sweep.put_together import name_of_editor
from radedit.harness.sweep.results import Sweep
from radedit.report.words.headline import calls, excludes_zero, pair
from radedit.report.words.numbers import SPACE, in_points, plural
from radedit.report.words.wording import wording

MAY_BE_CHANCE = ", which may be chance: the interval includes 0"


def signature(results: Results) -> Contrast | None:
    """The contrast of the paper's pair, else the first that there is."""
    lead, other = pair(results)
    of_pair = [c for c in results.contrasts if other and (c.worse, c.better) == (lead.key, other.key)]
    return next(iter([*of_pair, *results.contrasts]), None)


def finding(results: Results, contrast: Contrast | None = None) -> str:
    """By how much more the shift costs one predictor than the other, with its interval; empty where not known."""
    contrast = contrast or signature(results)
    if contrast is None:
        return ""
    worse, better = (results.predictor(key) for key in (contrast.worse, contrast.better))
    value = contrast.difference.value
    shift = capitalized(results.added) if results.added else "The shift"
    more = "more" if value >= 0 else "less"
    end = MAY_BE_CHANCE if excludes_zero(contrast.difference) is False else ""
    return (
        f"{shift} costs {calls(worse)} {in_points(value)} of {wording(results).lost} {more} than {calls(better)}"
        f"{_between(contrast.difference)}{end}."
    )


def findings(several: list[Results]) -> str:
    """The finding of a sweep: of its one shift, or of all additions or editors in a sentence, each by its name."""
    if len(several) == 1:
        return finding(several[0])
    editors, additions = ({getattr(one, name) for one in several} for name in ("editor", "added"))
    told: list[str] = []
    first: Results | None = None
    contrast: Contrast | None = None
    for results in several:
        if (found := signature(results)) is None:
            continue
        where = [f"to {results.added}"] if len(additions) > 1 else []
        where += [f"on edits by {name_of_editor(results.editor)}"] if len(editors) > 1 else []
        more = "more" if found.difference.value >= 0 else "less"
        lost = f" {wording(results).lost}" if not told else ""  # the second time it goes without saying
        doubt = ", which may be chance" if excludes_zero(found.difference) is False else ""
        told.append(
            f"{in_points(found.difference.value)} {more}{lost} "
            f"{' '.join(where) or f'on stress set {results.hashes.stress_set[:6]}'}"
            f"{_between(found.difference, brief=True)}{doubt}"
        )
        first, contrast = first or results, contrast or found
    if first is None or contrast is None:
        return ""
    worse, better = (calls(first.predictor(key)) for key in (contrast.worse, contrast.better))
    return f"Compared with {better}, {worse} loses {'; '.join(told)}."


def editor_findings(sweep: Sweep) -> list[str]:
    """For each predictor, its measure on the edits of one editor less that on another's, of the same records."""
    first = sweep.first
    told = []
    for contrast in sweep.editors:
        more = "higher" if contrast.difference.value >= 0 else "lower"
        end = (
            "" if excludes_zero(contrast.difference) is not False else ", which may be chance: the interval includes 0"
        )
        asked = f"{contrast.group.replace('_', ' ')}, " if len({one.group for one in sweep.editors}) > 1 else ""
        whose = f"{asked}{calls(first.predictor(contrast.predictor))}’s {wording(first).measure}"
        told.append(
            f"{capitalized(whose)} is {in_points(contrast.difference.value)} {more} on the edits of "
            f"{name_of_editor(contrast.one)} than on those of {name_of_editor(contrast.other)}, "
            f"same {contrast.n} {plural(contrast.n, 'record')}{_between(contrast.difference)}{end}."
        )
    return told


def _between(difference: Estimate, *, brief: bool = False) -> str:
    low, high = difference.low, difference.high
    if low is None or high is None:
        return ""
    bounds = f"{_whole(low)} to {_whole(high)}"
    return f" ({bounds})" if brief else f" (95{SPACE}% interval {bounds})"


def _whole(fraction: float) -> str:
    """A bound in whole points, with a digit where rounding would make it 0."""
    points = 100 * fraction
    text = f"{points:.0f}" if abs(points) >= 0.5 else f"{points:.1f}"
    return "0" if float(text) == 0 else text.replace("-", "−")
