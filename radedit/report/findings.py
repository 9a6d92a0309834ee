"""The paper's signature in a sentence, from numbers alone: does the shift cost one predictor more than the other?"""

from __future__ import annotations

from radedit.report.headline import calls, pair
from radedit.report.numbers import SPACE, in_points
from radedit.report.results import Contrast, Results
from radedit.report.wording import wording


def signature(results: Results) -> Contrast | None:
    """The contrast of the paper's pair, else the first that there is."""
    lead, other = pair(results)
    of_pair = [c for c in results.contrasts if other and (c.worse, c.better) == (lead.key, other.key)]
    return next(iter([*of_pair, *results.contrasts]), None)


def excludes_zero(contrast: Contrast) -> bool | None:
    """Whether the interval lies on one side of 0; None where there is none."""
    low, high = contrast.difference.low, contrast.difference.high
    return None if low is None or high is None else low > 0 or high < 0


def finding(results: Results, contrast: Contrast | None = None) -> str:
    """By how much more the shift costs one predictor than the other, with its interval; empty where not known."""
    contrast = contrast or signature(results)
    if contrast is None or contrast.difference.value is None:
        return ""
    worse, better = (results.predictor(key) for key in (contrast.worse, contrast.better))
    value = contrast.difference.value
    shift = f"{results.added[0].upper()}{results.added[1:]}" if results.added else "The shift"
    more = "more" if value >= 0 else "less"
    certain = excludes_zero(contrast)
    end = "" if certain is not False else ", which may be chance: the interval holds 0"
    return (
        f"{shift} costs {calls(worse)} {in_points(value)} of {wording(results).lost} {more} than {calls(better)}"
        f"{_between(contrast)}{end}."
    )


def short_finding(results: Results) -> str:
    """The same as a part of a list, `oedema 9 points more (7 to 11)`."""
    contrast = signature(results)
    if contrast is None or contrast.difference.value is None:
        return ""
    more = "more" if contrast.difference.value >= 0 else "less"
    doubt = ", which may be chance" if excludes_zero(contrast) is False else ""
    return f"{results.added} {in_points(contrast.difference.value)} {more}{_between(contrast, brief=True)}{doubt}"


def findings(several: list[Results]) -> str:
    """The finding of a sweep: of its one shift, or of all of them in a sentence."""
    if len(several) == 1:
        return finding(several[0])
    told = [(results, short) for results in several if (short := short_finding(results))]
    if not told:
        return ""
    first = told[0][0]
    contrast = signature(first)
    assert contrast is not None
    worse, better = (first.predictor(key) for key in (contrast.worse, contrast.better))
    whom = calls(worse)
    return (
        f"{wording(first).lost[0].upper()}{wording(first).lost[1:]} that each addition costs {whom}, compared with "
        f"{calls(better)}: "
        f"{'; '.join(short for _, short in told)}."
    )


def _between(contrast: Contrast, *, brief: bool = False) -> str:
    low, high = contrast.difference.low, contrast.difference.high
    if low is None or high is None:
        return ""
    bounds = f"{_whole(low)} to {_whole(high)}"
    return f" ({bounds})" if brief else f" (95{SPACE}% interval {bounds})"


def _whole(fraction: float) -> str:
    """A bound in whole points, with a digit where rounding would make it 0."""
    points = 100 * fraction
    text = f"{points:.0f}" if abs(points) >= 0.5 else f"{points:.1f}"
    return "0" if float(text) == 0 else text.replace("-", "−")
