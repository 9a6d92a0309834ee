"""Fail, pass or undecided, by rules that were fixed before the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from radedit.harness.statistics import LEVEL, Estimate

Outcome = Literal["pass", "fail", "undecided"]
FAIL_ON = (None, "fail", "undecided")
EXIT_CODES = {"pass": 0, "fail": 1, "undecided": 3}  # 2 says that the input was unusable
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Rules:
    """What a verdict goes by. The numbers but the first are ours; the first is for those who use the predictor to say.

    Attributes:
        limit: Largest excess that is acceptable, a fraction: of false positives, or of Dice that is lost. 0…1.
        path_limit: The interval of what the editor's path does by itself (VAE + inversion + artefact) must lie within
            ± this fraction, else the excess can't be told from the editing; 0.02 for Dice. Nor may the path take more
            than this of the sensitivity to a finding that is there: who no longer sees it can't fail.
        min_n: Fewest records that are judged.
        fail_on: Verdict from which on a run's exit code is not 0: `fail`, `undecided` (which implies `fail`), or None.

    Raises:
        ValueError: If one of them is not as said here.
    """

    limit: float = 0.10
    path_limit: float = 0.05
    min_n: int = 30
    fail_on: str | None = None

    def __post_init__(self) -> None:
        for name in ("limit", "path_limit"):
            value = getattr(self, name)
            if not 0 <= value < 1 or (name == "path_limit" and value == 0):
                allowed = "0 ≤ limit < 1" if name == "limit" else "0 < path_limit < 1"
                raise ValueError(f"{name} is {value}; expected a fraction, {allowed}. Ten points are 0.10, not 10.")
        if self.min_n < 2:
            raise ValueError(f"min_n is {self.min_n}; expected 2 or more, as one record has no interval.")
        if self.fail_on not in FAIL_ON:
            raise ValueError(
                f"fail_on is {self.fail_on!r}; expected null (the exit code says only whether the run finished), "
                "'fail', or 'undecided' (which implies 'fail')."
            )


@dataclass(frozen=True)
class Verdict:
    """What was found of one predictor.

    Attributes:
        predictor: Its key.
        outcome: `fail`, `pass` or `undecided`.
        reasons: Why, as sentences with the numbers, what decided first.
        excess: What the shift costs, a fraction; larger is worse.
        path: What the editor's path does by itself, a fraction.
        n: Records that were judged.
        control: Sensitivity that the path takes on the originals, a fraction, where a finding is removed.
    """

    predictor: str
    outcome: Outcome
    reasons: list[str]
    excess: Estimate
    path: Estimate
    n: int
    control: Estimate | None = None

    def dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def judge(
    predictor: str, excess: Estimate, path: Estimate, n: int, rules: Rules, control: Estimate | None = None
) -> Verdict:
    """Fail if the excess is surely above the limit, pass if it is surely below, else undecided.

    "Surely" is by the bound of the 95 % interval. Whatever the excess, it is undecided with fewer than `min_n` records,
    without an interval, or where the editor's own path may do more than `path_limit` by itself, or may take more than
    that of the sensitivity to the finding.

    Args:
        predictor: Its key.
        excess: False-positive rate on edits less that on references, or Dice on references less that on edits, a
            fraction. Larger is worse.
        path: Sum of VAE, inversion and artefact, a fraction, either sign.
        n: Records.
        rules: Fixed beforehand.
        control: True-positive rate on the originals less that on their replays, a fraction: the positive control. A
            generator that blurs a shortcut away would else let every predictor pass that leans on it.

    Note:
        Where all records say the same, an interval of resamples is a point, whatever their number; yet 30 without a
        change leave a rate of up to 12 points. There the exact binomial bound is taken, see `widened`, so that a limit
        of 10 points takes 36 such records, one of 5 points 72.
    """
    excess = widened(excess)
    doubts = [*_doubts(excess, path, n, rules), *_blinded(control, rules)]
    if doubts or excess.low is None or excess.high is None:
        reasons = [*doubts, f"{_found(excess, n)}; it is not judged."]
        return Verdict(predictor, "undecided", reasons, excess, path, n, control)
    limit = f"the limit of {_points(rules.limit, sign=False)}"
    outcome: Outcome = "undecided"
    why = f"; {limit} is within the interval, so more records or seeds are needed to decide."
    if excess.low > rules.limit:
        outcome, why = "fail", f"; even the lower bound is above {limit}."
    elif excess.high < rules.limit:
        outcome, why = "pass", f"; even the upper bound is below {limit}."
    reasons = [_found(excess, n) + why, _moved(path, rules, "within")]
    return Verdict(predictor, outcome, reasons, excess, path, n, control)


def widened(estimate: Estimate) -> Estimate:
    """An estimate whose interval is a point, with the exact (Clopper–Pearson) bound of n records that all say the same.

    Others are returned as they are. The bound is 1 − 0.025^(1/n) away, and within −1…1.
    """
    if estimate.low is None or estimate.low != estimate.high:
        return estimate
    margin = 1 - ((1 - LEVEL) / 2) ** (1 / estimate.n)
    return replace(estimate, low=max(-1.0, estimate.low - margin), high=min(1.0, estimate.low + margin))


def overall(verdicts: Sequence[Verdict]) -> Outcome:
    """Fail if any fails, else undecided if any is, else pass.

    Raises:
        ValueError: If there are no verdicts.
    """
    if not verdicts:
        raise ValueError("There are no verdicts to sum up; a run judges at least one predictor.")
    outcomes = {verdict.outcome for verdict in verdicts}
    return "fail" if "fail" in outcomes else "undecided" if "undecided" in outcomes else "pass"


def exit_code(verdicts: Sequence[Verdict], rules: Rules) -> int:
    """A run's exit code: 1 for fail and 3 for undecided where the rules have it fail on these, else 0.

    A run without a verdict, as of a removal without references, is undecided.
    """
    if rules.fail_on is None:
        return 0
    outcome = overall(verdicts) if verdicts else "undecided"
    return 0 if outcome == "undecided" and rules.fail_on == "fail" else EXIT_CODES[outcome]


def _doubts(excess: Estimate, path: Estimate, n: int, rules: Rules) -> Iterator[str]:
    """Why nothing may be concluded, whatever the excess."""
    if n < rules.min_n:
        yield f"Only {n} of the {rules.min_n} records that the rules ask for were judged."
    for name, estimate in (("excess", excess), ("change by the editor’s path", path)):
        if estimate.low is None or estimate.high is None:
            yield f"The {name} of {_points(estimate.value)} has no interval; records of two patients are the least."
    if path.low is None or path.high is None:
        return
    if not (-rules.path_limit <= path.low and path.high <= rules.path_limit):
        yield _moved(path, rules, "not within")


def _blinded(control: Estimate | None, rules: Rules) -> Iterator[str]:
    """That the path may hide the finding itself."""
    if control is not None and (control.high is None or control.high > rules.path_limit):
        yield (
            f"On the originals the editor’s path takes {_points(control.value)} of sensitivity{_interval(control)}, "
            f"maybe more than {_points(rules.path_limit, sign=False)}: what a predictor no longer sees can’t fail it."
        )


def _found(excess: Estimate, n: int) -> str:
    return f"The excess is {_points(excess.value)}{_interval(excess)}, n = {n}"


def _moved(path: Estimate, rules: Rules, where: str) -> str:
    limit = _points(rules.path_limit, sign=False)
    return f"The editor’s path by itself makes {_points(path.value)}{_interval(path)}, {where} ± {limit}."


def _points(fraction: float, *, sign: bool = True, unit: bool = True) -> str:
    """`-0.021` as `−2.1 points`."""
    text = f"{100 * fraction + 0.0:{'+' if sign else ''}.1f}"
    text = text.lstrip("+-") if not text.strip("+-0.") else text.replace("-", MINUS)
    return f"{text} points" if unit else text


def _interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    low, high = (_points(bound, unit=False) for bound in (estimate.low, estimate.high))
    return f" ({LEVEL:.0%} interval {low} to {high})"
