"""The shift effect in every group and pair of groups, and which of them are significantly worse off than the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from radedit.harness.predictors.predictions import Predictions
from radedit.harness.statistics.differences import Difference, difference_of
from radedit.harness.statistics.estimate import LEVEL, Estimate
from radedit.harness.statistics.intervals import mean_of
from radedit.harness.statistics.proportions import holm_adjusted
from radedit.harness.subgroups.groups import Groups

Rows = NDArray[np.bool_]


@dataclass(frozen=True)
class Subgroup:
    """One group of records, or a pair of groups.

    Attributes:
        where: Attribute → group; two of a pair.
        n, patients: Records whose edit was kept, and patients.
        effect: Shift effect in the group, larger is worse.
        excess: By how much that exceeds the effect in the others; an edit that a judge calls failed counts for no harm
            here. A pair is compared with the rest of each of its two groups, and the less certain difference counts.
        p: Two-sided error level at which the excess is not 0; None where nothing was tested.
        p_holm: The same, adjusted for all groups of the predictor (Holm, 1979).
        worse: Whether the group is significantly worse off than the others.
        abstains: Why nothing was tested, as a clause; empty if it was.
    """

    where: dict[str, str]
    n: int
    patients: int
    effect: Estimate | None = None
    excess: Estimate | None = None
    p: float | None = None
    p_holm: float | None = None
    worse: bool = False
    abstains: str = ""

    @property
    def name(self) -> str:
        """`sex F`, or of a pair `sex F, view AP`."""
        return ", ".join(f"{attribute} {group}" for attribute, group in self.where.items())


@dataclass(frozen=True)
class Subgroups:
    """For whom one predictor fails.

    Attributes:
        predictor: Its key.
        min_n: Fewest records of a group, and of the others, that are compared.
        groups: The surest to be worse off first, a pair before its own groups; those that abstain last.
        unknown: Attribute → records of which it is not known.
        reasons: Why no group is compared, as sentences; empty if they are.
    """

    predictor: str
    min_n: int
    groups: list[Subgroup]
    unknown: dict[str, int]
    reasons: list[str]

    @property
    def worst(self) -> Subgroup | None:
        """The group that is most significantly worse off than the others, if one is."""
        return next((group for group in self.groups if group.worse), None)


def subgroups(
    predictor: str,
    edit: Predictions,
    sham: Predictions,
    values: NDArray[np.float64],
    groups: Groups,
    min_n: int,
    *,
    failed: Mapping[str, bool] | None = None,
    reasons: Sequence[str] = (),
) -> Subgroups:
    """Compare every group and pair of groups with the others.

    Args:
        predictor: Key of the predictor.
        edit: Its predictions on the edits that count.
        sham: On the shams of the same records, in the same order.
        values: What the shift adds to each record, of every seed, shape (S, N): larger is worse.
        groups: Of the records.
        min_n: Fewest records of a group, and of the others, that are compared.
        failed: Record → whether its edit did not do what was asked, where there is a judge: what a model makes of such
            an edit can't be held against it.
        reasons: What forbids any conclusion, as sentences; groups are listed then, but not compared.
    """
    patients, others = np.asarray(edit.patients), np.asarray(sham.patients)
    guilty = values
    if failed is not None:
        left = np.array([failed.get(id_, False) for id_ in edit.ids])
        guilty = np.where(left, np.minimum(values, 0), values)

    known = {attribute: dict[str, Rows]() for attribute in dict.fromkeys(a for g in groups.values() for a in g)}
    for attribute, rows in known.items():
        of_record = np.array([groups.get(id_, {}).get(attribute, "") for id_ in edit.ids], dtype=object)
        rows |= {str(group): of_record == group for group in sorted({*of_record} - {""})}
    found: list[Subgroup] = []
    hypotheses: dict[frozenset[bytes], list[int]] = {}
    for where, group, rests in _comparisons(known):
        n = int(group.sum())
        one = Subgroup(where, n, len({*patients[group]}))
        if n:
            effect = mean_of(values[:, group], list(patients[group]), list(others[group]), paired=True).at()
            one = replace(one, effect=effect)
        if n < min_n:
            one = replace(one, abstains=f"n = {n}, below min_n = {min_n}")
        elif (least := min(int(rest.sum()) for rest in rests)) < min_n:
            one = replace(one, abstains=f"{least} records to compare it with, below min_n = {min_n}")
        elif not reasons:
            compared = [
                _Compared(difference_of(guilty, edit.patients, group, rest, sham.patients, paired=True))
                for rest in rests
            ]
            if any(other.p is None for other in compared):
                one = replace(one, abstains="records of two patients, and two to compare them with, are the least")
            else:
                least_sure = min(compared, key=lambda other: (other.difference.value > 0, -(other.p or 0)))
                one = replace(one, excess=least_sure.difference.at(), p=least_sure.p)
                asked = frozenset(rows.tobytes() for rows in (group, *rests))
                hypotheses.setdefault(asked, []).append(len(found))
        found.append(one)
    _holm(found, hypotheses)
    unknown = {
        attribute: len(edit.ids) - int(sum(rows.sum() for rows in of_one.values()))
        for attribute, of_one in known.items()
    }
    missing = {name: n for name, n in unknown.items() if n}
    return Subgroups(predictor, min_n, _in_order(found), missing, list(reasons))


@dataclass(frozen=True)
class _Compared:
    """A group's difference to some others."""

    difference: Difference

    @cached_property
    def p(self) -> float | None:
        return self.difference.p_value()


def _comparisons(
    known: Mapping[str, Mapping[str, Rows]],
) -> Iterator[tuple[dict[str, str], Rows, list[Rows]]]:
    """Every group and pair of groups, its records, and those that it is compared with."""
    anyone = {attribute: np.any(list(rows.values()), axis=0) for attribute, rows in known.items() if rows}
    for attribute, rows in known.items():
        for group, inside in rows.items():
            yield {attribute: group}, inside, [anyone[attribute] & ~inside]
    for (a, rows_a), (b, rows_b) in combinations(known.items(), 2):
        for group_a, in_a in rows_a.items():
            for group_b, in_b in rows_b.items():
                both = in_a & in_b
                if both.any() and len(rows_a) > 1 and len(rows_b) > 1:
                    yield {a: group_a, b: group_b}, both, [in_a & anyone[b] & ~in_b, in_b & anyone[a] & ~in_a]


def _holm(found: list[Subgroup], hypotheses: Mapping[frozenset[bytes], Sequence[int]]) -> None:
    """Adjust p-values in place; two groups that are each other's rest are one hypothesis."""
    if not hypotheses:
        return
    p_values = [found[members[0]].p for members in hypotheses.values()]
    adjusted = holm_adjusted(np.array(p_values, dtype=np.float64))
    for members, p in zip(hypotheses.values(), adjusted, strict=True):
        for i in members:
            excess = found[i].excess
            assert excess is not None
            found[i] = replace(found[i], p_holm=float(p), worse=bool(p < 1 - LEVEL and excess.value > 0))


def _in_order(found: Sequence[Subgroup]) -> list[Subgroup]:
    """Those worse off by their certainty, a pair before its own groups; the rest by effect; those that abstain last."""
    worse = [group for group in found if group.worse]

    def order(group: Subgroup) -> tuple[bool, bool, float, int, float]:
        parts = [other for other in worse if other.where.items() <= group.where.items()] if group.worse else []
        sure = min((other.p for other in parts if other.p is not None), default=1.0)
        effect = -group.effect.value if group.effect is not None else 0.0
        return bool(group.abstains), not group.worse, sure, -len(group.where) if group.worse else 0, effect

    return sorted(found, key=order)
