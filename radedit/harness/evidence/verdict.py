"""Fail, pass or undecided, by rules that were fixed before the run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from radedit.harness.statistics.estimate import LEVEL, Estimate
from radedit.harness.statistics.intervals import Mean
from radedit.harness.statistics.proportions import holm_adjusted

Outcome = Literal["pass", "fail", "undecided"]
FAIL_ON = (None, "fail", "undecided")
EXIT_CODES = {"pass": 0, "fail": 1, "undecided": 3}  # 2 says that the input was unusable
MINUS = "\N{MINUS SIGN}"
NOTHING = Estimate(0.0, 0.0, 0.0, 0)
TOGETHER = "With all"  # begins the sentence on several verdicts
MOST_RECORDS = 100.0  # times those at hand, beyond which no number of records is named


@dataclass(frozen=True)
class Rules:
    """What a verdict follows. All numbers but the first are our choice; the first is for the predictor's users to set.

    Attributes:
        limit: Largest shift effect that is acceptable, a fraction: of false positives, or of Dice that is lost. 0…1.
        control_limit: Sensitivity to a finding that is there, a fraction, that editing may take at most for a predictor
            to pass: a model that no longer sees the finding can't fail.
        min_n: Fewest records that are judged.
        sensitivity, specificity, dice: What a model must reach, by the interval's lower end, before it is tested: on
            the originals, on the references, and of a segmenter on the originals. Shares, 0…1; our choice.
        fail_on: Verdict from which on a run's exit code is not 0: `fail`, `undecided` (which implies `fail`), or None.

    Raises:
        ValueError: If one of them is not as said here.
    """

    limit: float = 0.10
    control_limit: float = 0.10
    min_n: int = 30
    sensitivity: float = 0.6
    specificity: float = 0.6
    dice: float = 0.7
    fail_on: str | None = None

    def __post_init__(self) -> None:
        for name in ("limit", "control_limit"):
            value = getattr(self, name)
            if not 0 <= value < 1 or (name == "control_limit" and value == 0):
                allowed = "0 ≤ limit < 1" if name == "limit" else "0 < control_limit < 1"
                raise ValueError(f"{name} is {value}; expected a fraction, {allowed}. Ten points are 0.10, not 10.")
        for name in ("sensitivity", "specificity", "dice"):
            if not 0 <= (value := getattr(self, name)) < 1:
                raise ValueError(f"{name} is {value}; expected a share, 0 ≤ {name} < 1, such as 0.6.")
        if not isinstance(self.min_n, int) or self.min_n < 2:
            raise ValueError(
                f"min_n is {self.min_n}; expected 2 or more, a whole number, as one record has no interval."
            )
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
        outcome: `fail`, `pass` or `undecided`: the official one, see `holm`.
        reasons: Why, as sentences with the numbers, what decided first.
        shift_effect: What the shift costs, a fraction; larger is worse. None where no edit was kept.
        artefact: The editing artefact: what the sham changes against the image that it was made from, a fraction.
        n: Records that were judged.
        control: Sensitivity that editing takes on the originals, a fraction, where a finding is removed.
        residual: Share of the edits that did not do what was asked, where there is a judge.
        net_effect: The shift effect with predictions on these counted as right, a fraction; where there is a judge.
        p: Smallest two-sided error level at which it would be decided; None where nothing was tested.
        p_holm: The same, adjusted for all verdicts of the run (Holm, 1979), fails among fails and passes among passes.
        outcome_alone: Of this predictor by itself, before other verdicts of the run are looked at.
        detectable: Smallest shift effect that fails in 80 % of such runs, see `radedit.harness.evidence.power`; None
            where none does.
    """

    predictor: str
    outcome: Outcome
    reasons: list[str]
    shift_effect: Estimate | None
    artefact: Estimate | None
    n: int
    control: Estimate | None = None
    residual: Estimate | None = None
    net_effect: Estimate | None = None
    p: float | None = None
    p_holm: float | None = None
    outcome_alone: Outcome | None = None
    detectable: float | None = None

    def dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


@dataclass(frozen=True)
class Measures:
    """What a verdict rests on, over the kept edits of one predictor.

    Attributes:
        shift_effect: Shift effect, edit less sham: false-positive rate, or Dice that is lost. Larger is worse.
        artefact: The editing artefact, sham less the image that it was made from; either sign.
        control: Sensitivity on the originals less that on their replays: the positive control. A generator that blurs a
            shortcut away would else let every predictor pass that leans on it.
        residual: Share of the edits that did not do what was asked, by a judge; None where there is none.
        net_effect: The shift effect with predictions on edits that failed counted as right, as a model that sees a
            finding that was left is; None where no judge says which failed.
    """

    shift_effect: Mean
    artefact: Mean
    control: Mean | None = None
    residual: Mean | None = None
    net_effect: Mean | None = None

    def times(self, factor: float) -> Measures:
        """The same predictions from `factor` times as many records."""
        others = (self.control, self.residual, self.net_effect)
        return Measures(
            self.shift_effect.times(factor),
            self.artefact.times(factor),
            *(None if mean is None else mean.times(factor) for mean in others),
        )


def judge(predictor: str, found: Measures | None, rules: Rules, checks: Sequence[str] = ()) -> Verdict:
    """Fail if the shift effect is significantly above the limit, pass if it is significantly below, else undecided.

    "Significantly" is by `worst_cases`: whatever the editing artefact and edits that failed may have added counts
    against the effect, whatever they may have hidden counts for it. To pass, the control must hold, too.

    Args:
        predictor: Its key.
        found: What was measured; None where no edit was kept.
        rules: Fixed beforehand.
        checks: What speaks against the edits themselves, as sentences; with one, nothing is judged.
    """
    if found is None:
        reasons = [*checks, "No edit was kept; rejected edits are never judged."]
        return Verdict(predictor, "undecided", reasons, None, None, 0)
    shift_effect, artefact = found.shift_effect.at(), found.artefact.at()
    control, residual, net_effect = (
        None if mean is None else mean.at() for mean in (found.control, found.residual, found.net_effect)
    )
    doubts = [*checks, *_doubts(found, rules)]
    if doubts:
        reasons = [*doubts, f"{_found(found)}; it is not judged."]
        return Verdict(
            predictor, "undecided", reasons, shift_effect, artefact, shift_effect.n, control, residual, net_effect
        )
    outcome = decide(found, rules)
    reasons = [*_why(found, rules, outcome), f"The editing artefact is {_points(artefact.value)}{_interval(artefact)}."]
    if residual is None:
        reasons.append("No judge of edits that failed was at hand, so a residual finding is not counted.")
    else:
        net = (
            ""
            if net_effect is None
            else (
                f"; with these counted as right, the shift effect is {_points(net_effect.value)}{_interval(net_effect)}"
            )
        )
        reasons.append(f"Edits that failed: {_points(residual.value, sign=False)}{_interval(residual)}{net}.")
    return Verdict(
        predictor, outcome, reasons, shift_effect, artefact, shift_effect.n, control, residual, net_effect,
        p_value(found, rules),
    )  # fmt: skip


def worst_cases(found: Measures, limit: float, level: float = LEVEL) -> tuple[float, float]:
    """Bounds of the shift effect when artefact and residual count against it (low), and when they count for it (high).

    With E the effect, P the artefact and R the residual: the lower bound is that of E − |P| − R, as the artefact on
    the edit may be none or twice that on the sham, and as a model that sees a finding that was left is right. Where it
    is known which edits failed, the net effect stands for E − R: of these edits, only those that the model calls
    positive can be excused. The upper bound is that of E + |P| + limit · R: edits that failed tested nothing, so that
    up to their share of a forbidden effect was hidden. |P| takes the worse sign. Distances to the single bounds add as
    squares (MOVER: Zou and Donner, 2008), as not all are at their worst at once.

    Args:
        found: What was measured, each with an interval.
        limit: Largest effect that is acceptable.
        level: Of the intervals, 0…1.
    """
    effect, artefact = found.shift_effect.at(level), found.artefact.at(level)
    residual = NOTHING if found.residual is None else found.residual.at(level)
    estimates = (effect, artefact, residual)
    assert all(one.low is not None and one.high is not None for one in estimates)  # `judge` has seen to it
    (e, e_low, e_high), (p, p_low, p_high), (r, _, r_high) = ((x.value, x.low, x.high) for x in estimates)
    if found.net_effect is None:
        least, margin_below = e - r, math.hypot(e - e_low, r_high - r)  # type: ignore[operator]
    else:
        net = found.net_effect.at(level)
        least, margin_below = net.value, net.value - net.low  # type: ignore[operator]
    lows, highs = [], []
    for size, margin in ((p, p_high - p), (-p, p - p_low)):  # type: ignore[operator]
        lows.append(least - size - math.hypot(margin_below, margin))
        highs.append(e + size + limit * r + math.hypot(e_high - e, margin, limit * (r_high - r)))  # type: ignore[operator]
    return min(lows), max(highs)


def decide(found: Measures, rules: Rules, level: float = LEVEL) -> Outcome:
    """The outcome at a level of the intervals, all else being in order."""
    low, high = worst_cases(found, rules.limit, level)
    if low > rules.limit:
        return "fail"
    return "pass" if high < rules.limit and _control_holds(found, rules, level) else "undecided"


def p_value(found: Measures, rules: Rules) -> float:
    """Smallest two-sided error level at which the outcome is not undecided, to 1e-6; 1 if it is at none."""
    undecided, decided = 0.0, 1.0  # error levels
    if decide(found, rules, 1e-6) == "undecided":
        return 1.0
    while decided - undecided > 1e-6:
        middle = math.sqrt(undecided * decided) if undecided > 1e-9 else decided / 2
        if decide(found, rules, 1 - middle) == "undecided":
            undecided = middle
        else:
            decided = middle
        if undecided and decided / undecided < 1.001:
            break
    return decided


def records_needed(found: Measures, rules: Rules) -> int | None:
    """Records that would decide if all that was found stayed as it is, the seeds included; None if no number would."""
    few, many = 1.0, MOST_RECORDS
    if decide(found.times(many), rules) == "undecided":
        return None
    while many / few > 1.01:
        middle = math.sqrt(few * many)
        few, many = (middle, many) if decide(found.times(middle), rules) == "undecided" else (few, middle)
    return max(rules.min_n, math.ceil(found.shift_effect.n * many))


def holm(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts of one run, each with what becomes of it when all are taken together.

    A run fails if any of its models does, so that each further model is one more chance to be wrong: the official
    *fail* is the one that Holm's adjustment (1979) over all verdicts of the run leaves. A run passes only if all of its
    models do, and such a claim needs no adjustment, as in equivalence testing (intersection–union; Berger, 1982): the
    official *pass* is that of the model by itself. Its adjusted p is for those who pick a model because it passed.

    A predictor that was not tested counts as one that shows nothing, as the number of tests was fixed beforehand.
    """
    verdicts = [replace(v, outcome=v.outcome_alone or v.outcome) for v in verdicts]
    adjusted = {outcome: _adjusted(verdicts, outcome) for outcome in ("fail", "pass")}
    result = []
    for i, verdict in enumerate(verdicts):
        alone = verdict.outcome
        if verdict.p is None or alone == "undecided":
            result.append(replace(verdict, outcome_alone=alone))
            continue
        p = adjusted[alone][i]
        outcome: Outcome = alone if alone == "pass" or p <= 1 - LEVEL else "undecided"
        reasons = [reason for reason in verdict.reasons if not reason.startswith(TOGETHER)]
        if len(verdicts) > 1:
            said = f"{TOGETHER} {len(verdicts)} verdicts of this run: p {_p(verdict.p)}, by Holm p {_p(p)}"
            if alone == "pass":
                reasons.append(f"{said}. A run passes only if all models do, so a pass is not adjusted.")
            elif outcome == "fail":
                reasons.append(f"{said}: it is still a fail.")
            else:
                reasons.insert(0, f"{said}: undecided, though by itself it fails.")
        result.append(replace(verdict, outcome=outcome, reasons=reasons, p_holm=p, outcome_alone=alone))
    return result


def _adjusted(verdicts: Sequence[Verdict], outcome: Outcome) -> list[float]:
    """Holm's p of every claim that a model has this outcome; 1 where it was not tested or has another."""
    raw = [1.0 if v.p is None or v.outcome != outcome else v.p for v in verdicts]
    return list(holm_adjusted(raw).tolist()) if raw else []


def overall(verdicts: Sequence[Verdict]) -> Outcome:
    """Fail if any fails, else undecided if any is, else pass.

    Raises:
        ValueError: If there are no verdicts.
    """
    if not verdicts:
        raise ValueError("There are no verdicts to sum up; a run judges at least one predictor.")
    return outcome_of(verdicts)


def outcome_of(verdicts: Sequence[Verdict]) -> Outcome:
    """Of all verdicts; undecided where there are none, as of a removal without references."""
    return worst_of([verdict.outcome for verdict in verdicts])


def worst_of(outcomes: Sequence[Outcome]) -> Outcome:
    """Fail if one fails, pass if all pass, else undecided, as without any."""
    return "fail" if "fail" in outcomes else "pass" if {*outcomes} == {"pass"} else "undecided"


def exit_code(verdicts: Sequence[Verdict], rules: Rules) -> int:
    """A run's exit code: 1 for fail and 3 for undecided where the rules have it fail on these, else 0."""
    return code_of(outcome_of(verdicts), rules.fail_on)


def code_of(outcome: Outcome, fail_on: str | None) -> int:
    """The exit code of an outcome: `fail_on` is the mildest that stops, None where none does."""
    stops = {"fail": {"fail"}, "undecided": {"fail", "undecided"}}.get(fail_on or "", set())
    return EXIT_CODES[outcome] if outcome in stops else 0


def _doubts(found: Measures, rules: Rules) -> Iterator[str]:
    """Why nothing may be concluded, whatever the shift effect."""
    if found.shift_effect.n < rules.min_n:
        yield f"Undecided: n = {found.shift_effect.n}, below min_n = {rules.min_n}."
    measures = (
        ("shift effect", found.shift_effect),
        ("editing artefact", found.artefact),
        ("share of edits that failed", found.residual),
    )
    for name, mean in measures:
        if mean is not None and mean.clusters < 2:
            yield f"The {name} of {_points(mean.value)} has no interval; records of two patients are the least."


def _control_holds(found: Measures, rules: Rules, level: float = LEVEL) -> bool:
    if found.control is None:
        return True
    high = found.control.at(level).high
    return high is not None and high < rules.control_limit


def _why(found: Measures, rules: Rules, outcome: Outcome) -> Iterator[str]:
    low, high = worst_cases(found, rules.limit)
    limit = f"the limit of {_points(rules.limit, sign=False)}"
    less, more = f"at least {_points(low)} after all that editing may have added", f"at most {_points(high)} after all"
    if outcome == "fail":
        yield f"{_found(found)}; {less} is subtracted, above {limit}."
    elif outcome == "pass":
        yield f"{_found(found)}; {more} that it may have hidden is added, below {limit}."
        if found.control is not None:
            yield _blinded(found.control.at(), rules, "less than")
    elif high < rules.limit:
        assert found.control is not None
        yield f"{_blinded(found.control.at(), rules, 'maybe more than')} Who no longer sees a finding can’t fail."
        yield f"{_found(found)}; at most {_points(high)} with all that editing may have hidden, below {limit}."
    else:
        needed = records_needed(found, rules)
        more = f"about {needed} records would decide" if needed else "no number of such records would decide"
        seeds = " (or more trainings)" if found.shift_effect.seed_error else ""
        yield (
            f"{_found(found)}; {_points(low)} to {_points(high)} with all that editing may have added or hidden, and "
            f"{limit} is within; if nothing else changed, {more}{seeds}."
        )


def _blinded(control: Estimate, rules: Rules, than: str) -> str:
    return (
        f"On the originals editing takes {_points(control.value)} of sensitivity{_interval(control)}, {than} "
        f"{_points(rules.control_limit, sign=False)}."
    )


def _found(found: Measures) -> str:
    shift_effect = found.shift_effect.at()
    seeds = "1 training" if found.shift_effect.seeds == 1 else f"{found.shift_effect.seeds} trainings"
    return f"The shift effect is {_points(shift_effect.value)}{_interval(shift_effect)}, n = {shift_effect.n}, {seeds}"


def _p(p: float) -> str:
    return f"= {p:.3f}" if p >= 0.001 else "< 0.001"


def _points(fraction: float, *, sign: bool = True, unit: bool = True) -> str:
    """`-0.021` as `−2.1 points`."""
    text = f"{100 * fraction + 0.0:{'+' if sign else ''}.1f}"
    text = text.lstrip("+-") if not text.strip("+-0.") else text.replace("-", MINUS)
    return f"{text} points" if unit else text


def _interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    low, high = (_points(bound, unit=False) for bound in (estimate.low, estimate.high))
    return f" ({100 * LEVEL:.0f} % interval {low} to {high})"
