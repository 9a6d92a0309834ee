"""What a stress test of n records can decide, before it runs and after it: smallest effect that fails, n for a pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from scipy.special import betaincinv, ndtri

from radedit.harness.evidence.checks import CheckLimits
from radedit.harness.evidence.verdict import Measures, Rules, decide
from radedit.harness.statistics.estimate import LEVEL
from radedit.harness.statistics.intervals import Mean

POWER = 0.8  # of a test that is worth its while, by custom
MOST = 100_000  # records beyond which no number is named


@dataclass(frozen=True)
class Expected:
    """What a plan reckons with; a pilot, or an earlier run, gives it better.

    Attributes:
        kept: Share of edits that the score keeps, 0…1.
        artefact: What editing alone changes: share of predictions that it flips, or Dice that it costs.
        residual: Share of kept edits that did not do what was asked; None where there is no judge.
        spread: Standard deviation of the shift in Dice between images; None where predictions are counted.

    Raises:
        ValueError: If a share is none.
    """

    kept: float = 0.8
    artefact: float = 0.01
    residual: float | None = 0.03
    spread: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.kept <= 1:
            raise ValueError(f"plan.kept is {self.kept}; expected a share, 0 < kept ≤ 1, such as 0.8.")
        for name in ("artefact", "residual"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1:
                raise ValueError(f"plan.{name} is {value}; expected a fraction, 0 ≤ {name} < 1. One point is 0.01.")
        if self.spread is not None and not self.spread > 0:
            raise ValueError(f"plan.spread is {self.spread}; expected a standard deviation above 0, such as 0.1.")

    def measures(self, effect: float, n: int) -> Measures:
        """What n kept records of as many patients, one training, would show if all went as expected."""
        shift_effect, artefact = (self._mean(value, n) for value in (effect, self.artefact))
        control = None if self.spread else _counted(0.0, n)
        if self.residual is None:
            return Measures(shift_effect, artefact, control)
        net_effect = self._mean(effect * (1 - self.residual), n)  # failed edits as likely to be positive as others
        return Measures(shift_effect, artefact, control, _counted(self.residual, n), net_effect)

    def _mean(self, value: float, n: int) -> Mean:
        return Mean(value, n, n, self.spread / math.sqrt(n), n) if self.spread else _counted(value, n)


def detectable(found: Measures, rules: Rules, verdicts: int = 1, power: float = POWER) -> float | None:
    """The smallest true shift effect that fails in a share `power` of such runs.

    Artefact and residual, number of records and their clusters are as found, and so is what failed edits excuse, but
    that what is added to the effect falls on them as often as on others; Holm's first step counts all verdicts.

    Args:
        found: What was measured, or is expected.
        rules: Fixed beforehand.
        verdicts: Of the run.
        power: Share of runs, 0…1.

    Returns:
        A fraction; None where no effect would fail, or no interval is known.
    """
    effect, level = found.shift_effect, 1 - (1 - LEVEL) / verdicts
    excused = 0.0 if found.net_effect is None else effect.value - found.net_effect.value
    left = 0.0 if found.residual is None else found.residual.value
    if any(mean is not None and mean.clusters < 2 for mean in (effect, found.artefact, found.residual)):
        return None

    def fails(value: float) -> bool:
        net = found.net_effect
        if net is not None:
            net = _moved(net, value - excused - left * (value - effect.value))
        return decide(replace(found, shift_effect=_moved(effect, value), net_effect=net), rules, level) == "fail"

    if not fails(1.0):
        return None
    low, high = rules.limit, 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if fails(middle) else (middle, high)
    if effect.changed is None:
        found_at = high + float(ndtri(power)) * math.hypot(effect.error, effect.seed_error)
    else:
        n = effect.n_effective
        events = math.ceil(high * n - 1e-6)  # from which on it fails; so many or more must be seen
        found_at = float(betaincinv(events, n - events + 1, power)) if events <= n else 1.0
    return found_at if found_at < 1 else None


def records_to_pass(expected: Expected, rules: Rules) -> int | None:
    """Fewest kept records at which a model passes that shows no effect at all; None if no number would do."""
    return _least(lambda n: decide(expected.measures(0.0, n), rules) == "pass", rules.min_n)


def requirements(rules: Rules, limits: CheckLimits, *, addition: bool) -> dict[str, int]:
    """What must be sure before anything is judged → records without which it can't be, if all of them speak for it."""
    found = {"records that are judged (rules.min_n)": rules.min_n}
    if addition:
        return found
    most_wrong = {
        "the finding left in few of the kept edits (checks.residual)": limits.residual,
        "the shortcut still in the kept edits (checks.shortcut)": 1 - limits.shortcut,
        "the originals seen as positive (rules.sensitivity)": 1 - rules.sensitivity,
        "the references seen as negative (rules.specificity)": 1 - rules.specificity,
        "sensitivity hardly lost by editing (rules.control_limit)": rules.control_limit,
    }
    for name, limit in most_wrong.items():
        found[name] = _least(partial(_no_event_is_below, limit), 2) or MOST
    return found


def _no_event_is_below(limit: float, n: int) -> bool:
    """Whether the interval of 0 of n lies below a limit."""
    high = _counted(0.0, n).at().high
    return high is not None and high < limit


def _least(enough: Callable[[int], bool], first: int) -> int | None:
    """The smallest number from `first` on that is enough, where more are always enough, too."""
    if enough(first):
        return first
    few, many = first, 2 * first
    while not enough(many):
        if many > MOST:
            return None
        few, many = many, 2 * many
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if enough(middle) else (middle, many)
    return many


def _counted(share: float, n: int) -> Mean:
    """A share of n records of as many patients."""
    return Mean(share, n, n, math.sqrt(share * (1 - share) / n), n, changed=share, paired=True)


def _moved(effect: Mean, value: float) -> Mean:
    """The same records with another effect."""
    if effect.changed is None:
        return replace(effect, value=value)
    lost = min(effect.lost or 0.0, (1 - value) / 2)
    changed = min(1.0, abs(value) + 2 * lost)
    error = math.sqrt(max(0.0, changed - value**2) / effect.n_effective)
    return replace(effect, value=value, changed=changed, error=error, paired=True)
