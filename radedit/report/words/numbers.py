"""Fractions in a dataset's words: per cent, points, intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from radedit.harness.statistics.estimate import Estimate

NONE = "–"
SPACE = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"


def percent(fraction: float | None, digits: int = 1) -> str:
    """`0.933` as `93.3`, without the sign."""
    return NONE if fraction is None else _number(100 * fraction, digits)


def about(fraction: float) -> str:
    """`0.933` as `93 %`; with a digit more where rounding would say all or none and be wrong."""
    whole = round(100 * fraction)
    exact = math.isclose(100 * fraction, whole, abs_tol=1e-9)
    return f"{percent(fraction, 1 if whole in (0, 100) and not exact else 0)}{SPACE}%"


def points(difference: float | None, digits: int = 1) -> str:
    """A difference of fractions, `-0.021` as `−2.1`, always with its sign."""
    if difference is None:
        return NONE
    text = _number(100 * difference, digits)
    return text if text.startswith(MINUS) or not text.strip("0.") else f"+{text}"


def in_points(difference: float) -> str:
    """The size of a difference of fractions: `2 points`, `1 point`, `0.6 points`, `less than a point`."""
    size = abs(100 * difference)
    if round(size) == 0:
        return "less than a point"
    text = _number(size, 1 if size < 1.5 else 0).removesuffix(".0")
    return f"{text}{SPACE}point{'' if text == '1' else 's'}"


def interval(estimate: Estimate, digits: int = 1) -> str:
    """`91.0 to 95.2`, or nothing where it is not known."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{percent(estimate.low, digits)} to {percent(estimate.high, digits)}"


def change(estimate: Estimate) -> str:
    """A difference with its interval, `−87.1 (−91.0 to −85.2)`, in points."""
    if estimate.low is None or estimate.high is None:
        return points(estimate.value)
    return f"{points(estimate.value)} ({points(estimate.low)} to {points(estimate.high)})"


def mean_and_std(mean: Estimate, std: float | None) -> str:
    """`17.9 ± 3.7`, in per cent; without the deviation where there is one training."""
    return percent(mean.value) if std is None else f"{percent(mean.value)} ± {percent(std)}"


def plural(n: int, word: str) -> str:
    """The word, with an s where there is not one of it."""
    return word if n == 1 else f"{word}s"


def amount(value: float | None) -> str:
    """A measurement in its own unit, to three digits."""
    if value is None:
        return NONE
    text = f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}".replace(",", SPACE)
    return text.replace("-", MINUS)


def unbroken(text: str) -> str:
    """The same with hyphens at which no line ends, as in `U-Net`."""
    return text.replace("-", "\N{NON-BREAKING HYPHEN}")


def adding_up(parts: Sequence[float], start: float, end: float, digits: int = 1) -> list[float]:
    """Round fractions to `digits` of a per cent so that they lead from `start` to `end` as these are printed.

    The largest remainders are rounded up (Hamilton's method), so no part is off by a whole unit.
    """
    unit = 100 * 10**digits
    printed = round((float(f"{100 * end:.{digits}f}") - float(f"{100 * start:.{digits}f}")) * 10**digits)
    units = [math.floor(round(part * unit, 6)) for part in parts]
    order = sorted(range(len(parts)), key=lambda i: parts[i] * unit - units[i], reverse=True)
    for i in order[: printed - sum(units)]:
        units[i] += 1
    return [value / unit for value in units]


def _number(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.replace("-", MINUS if text.strip("-0.") else "")
