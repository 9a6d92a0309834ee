"""Intervals of means that hold at few events: patients and references as clusters, predictor seeds as a random factor.

Differences of two predictions are counted, −1, 0 or 1 a record, and get Tango's score interval on the number of
independent records that they are worth; other measures, such as Dice, get Student's t. Neither is narrower than the
cluster-robust interval. `experiments/verdict` measures their coverage.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import stdtrit  # Student's quantile; scipy.stats takes a hundred times as long

from radedit.harness.statistics.estimate import LEVEL, Estimate

LINKS_SEEN = 1.0  # events' worth of evidence that linked records are alike, before any is seen


@dataclass(frozen=True)
class Mean:
    """A mean over records and predictor seeds, and what its interval is made of, at whatever level.

    Attributes:
        value: The mean.
        n: Records.
        clusters: Patients, or references where these are fewer; with one there is no interval.
        error: Cluster-robust standard error over records.
        n_effective: Independent records that these are worth, n at most.
        changed: Share of predictions that are not 0, where predictions are −1, 0 and 1; None for other measures.
        paired: Whether −1 could occur, as in a difference of two predictions; a share of 0 and 1 is never below 0.
        lost, n_lost: Share of predictions that are −1, and the independent records that these are worth, where they
            come from references that serve several sources; else None and `n_effective`.
        seeds: Trainings of the predictor.
        seed_error: Standard error of the mean between them; 0 of one, as nothing is said of another training then.
    """

    value: float
    n: int
    clusters: int
    error: float
    n_effective: float
    changed: float | None = None
    paired: bool = False
    lost: float | None = None
    n_lost: float = 0.0
    seeds: int = 1
    seed_error: float = 0.0

    def at(self, level: float = LEVEL) -> Estimate:
        """The estimate with its two-sided interval at a level, 0…1.

        Over records the interval is Tango's or Student's, with clusters − 1 degrees of freedom; the error between seeds
        has seeds − 1, and both are put together as Welch and Satterthwaite do.
        """
        if self.clusters < 2:
            return Estimate(self.value, None, None, self.n, self.n_effective)
        t = float(stdtrit(self.clusters - 1, (1 + level) / 2))
        down, up = self._over_records(t)
        low, high = (self.value - self._with_seeds(down, t, level), self.value + self._with_seeds(up, t, level))
        if self.changed is not None:
            low, high = max(-1.0 if self.paired else 0.0, low), min(1.0, high)
        return Estimate(self.value, low, high, self.n, self.n_effective)

    def times(self, factor: float) -> Mean:
        """The same predictions from `factor` times as many records and clusters, and the same seeds."""
        return replace(
            self,
            n=round(self.n * factor),
            clusters=max(2, round(self.clusters * factor)),
            error=self.error / math.sqrt(factor),
            n_effective=self.n_effective * factor,
            n_lost=self.n_lost * factor,
        )

    def _over_records(self, t: float) -> tuple[float, float]:
        """How far the bounds lie below and above the value, one training."""
        if self.changed is None:
            return t * self.error, t * self.error
        if self.paired:
            low, high = tango(self.value, self.changed, self.n_effective, t)
        else:
            low, high = wilson(self.value, self.n_effective, t)
        down, up = self.value - low, high - self.value
        if self.lost is not None:  # what few references leave unknown beyond that
            few, many = (wilson(self.lost, n, t) for n in (self.n_lost, self.n_effective))
            up, down = (
                math.hypot(up, math.sqrt(max(0.0, (self.lost - few[0]) ** 2 - (self.lost - many[0]) ** 2))),
                math.hypot(down, math.sqrt(max(0.0, (few[1] - self.lost) ** 2 - (many[1] - self.lost) ** 2))),
            )
        return max(down, t * self.error), max(up, t * self.error)

    def _with_seeds(self, margin: float, t: float, level: float) -> float:
        if not self.seed_error:
            return margin
        records, seeds = (margin / t) ** 2, self.seed_error**2
        df = (records + seeds) ** 2 / (records**2 / (self.clusters - 1) + seeds**2 / (self.seeds - 1))
        return float(stdtrit(df, (1 + level) / 2)) * math.sqrt(records + seeds)


def mean_of(
    values: ArrayLike, patients: Sequence[str], references: Sequence[str] | None = None, *, paired: bool = False,
    losers: Sequence[str] | None = None,
) -> Mean:  # fmt: skip
    """Mean of one value for each seed and record.

    Args:
        values: Shape (S, N), finite. Predictions that are all −1, 0 or 1 are counted, others measured.
        patients: Whose image each record is, N of them.
        references: Whose image each record is compared with, if another's: who is behind the predictions −1.
        paired: Whether values are differences of two measures, so that predictions of 0 and 1 alone might have been −1.
        losers: Who is behind the predictions −1, if not the references.

    Raises:
        ValueError: If the shape is not (S, N) with at least one of each, or a value is not finite.

    Note:
        Records of one patient, or of one reference, are worth n / (1 + Σ m ρ) independent ones: m others share the
        cluster on average, and ρ is the correlation seen between them. An event's worth of evidence for ρ = 1 is added,
        as without events nothing can be seen of it. They are worth as many as there are clusters at least: had each
        one prediction, no event in c clusters would be as likely as in c records. Seeds never raise the number.
    """
    x = by_seed(values, patients, references)
    (s, n), value = x.shape, float(x.mean())
    patient = _position(patients)
    reference = patient if references is None else _position(references)
    shared = not np.array_equal(patient, reference)
    counted = bool(np.isin(x, (-1, 0, 1)).all())
    errors = x.mean(axis=0) - value
    found = Mean(
        value,
        n,
        min(int(patient.max()), int(reference.max())) + 1,
        math.sqrt(_two_way(errors, patient, reference)),
        n,
        seeds=s,
        seed_error=float(x.mean(axis=1).std(ddof=1)) / math.sqrt(s) if s > 1 else 0.0,
    )
    if not counted:
        spread = float((errors**2).mean())
        effective = spread / found.error**2 if found.error else n
        return replace(found, n_effective=min(float(n), effective))
    n_effective = effective_number(x, patient)
    if shared:
        n_effective = min(n_effective, effective_number(x, patient, reference))
    paired = paired or bool((x < 0).any())
    found = replace(found, changed=float((x**2).mean()), paired=paired, n_effective=n_effective)
    if not shared:
        return found
    lost, behind = (x < 0).astype(np.float64), reference if losers is None else _position(losers)
    return replace(found, lost=float(lost.mean()), n_lost=min(n_effective, effective_number(lost, behind)))


def effective_number(
    x: NDArray[np.float64], cluster: NDArray[np.int64], other: NDArray[np.int64] | None = None
) -> float:
    """Independent records that predictions (S, N) in clusters are worth; see `mean_of`.

    Args:
        x: Predictions −1, 0 or 1.
        cluster: Position of each record's cluster, which counts once where there are no events.
        other: Position in a second kind of clusters, of which only what is seen counts.
    """
    value, square = float(x.mean()), float((x**2).mean())
    variance = square - value**2
    n, design = x.shape[1], 1.0
    kinds = [(cluster, None, 1.0)] if other is None else [(cluster, None, 1.0), (other, cluster, 0.0)]
    for of, apart_from, alike in kinds:
        sums, count = _others(x, of)
        if apart_from is not None:
            both = of * (int(apart_from.max()) + 1) + apart_from
            inside, inside_count = _others(x, _position(both.tolist()))
            sums, count = sums - inside, count - inside_count
        linked = count > 0
        if not linked.any():
            continue
        products = float((x[:, linked] * sums[:, linked] / count[linked]).sum()) / len(x)
        events = float((x[:, linked] ** 2).sum()) / len(x)
        together = (products + LINKS_SEEN * alike) / (events + LINKS_SEEN)
        correlation = alike if variance <= 0 else (together * square - value**2) / variance
        design += float(count.mean()) * min(1.0, max(0.0, correlation))
        if apart_from is None:
            design = min(design, n / (int(of.max()) + 1))
    return n / design


def tango(value: float, changed: float, n: float, z: float) -> tuple[float, float]:
    """Score interval of a paired difference of proportions.

    Args:
        value: The difference, −1…1.
        changed: Share of pairs that differ, |value|…1.
        n: Independent pairs; need not be whole.
        z: Quantile, e.g. 1.96.

    Note:
        Tango (1998), "Equivalence test and confidence interval for the difference in proportions for the paired-sample
        design", Statistics in Medicine 17. With nothing lost it is Wilson's interval, nearly.
    """
    return -_tango_upper(-value, changed, n, z), _tango_upper(value, changed, n, z)


def wilson(share: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's score interval of a share of n independent records, which need not be whole."""
    centre, margin = share + z**2 / (2 * n), z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    return (centre - margin) / scale, (centre + margin) / scale


def _tango_upper(value: float, changed: float, n: float, z: float) -> float:
    def beyond(difference: float) -> float:
        """n (value − difference)² less z² times its variance; the bound is where it is 0."""
        b = -changed + (2 - value) * difference
        c = -(changed - value) / 2 * difference * (1 - difference)
        losses = (math.sqrt(max(b**2 - 8 * c, 0.0)) - b) / 4  # most likely share of them, given the difference
        return n * (value - difference) ** 2 - z**2 * (2 * losses + difference * (1 - difference))

    start = value + 1e-9
    if start >= 1 or beyond(1.0) <= 0:
        return 1.0
    return start if beyond(start) >= 0 else float(brentq(beyond, start, 1.0, xtol=1e-9))


def _others(x: NDArray[np.float64], cluster: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sum of the other predictions of every record's cluster, (S, N), and how many these are, (N,)."""
    sums = np.stack([np.bincount(cluster, row)[cluster] for row in x])
    return sums - x, np.bincount(cluster)[cluster] - 1


def _two_way(errors: NDArray[np.float64], one: NDArray[np.int64], two: NDArray[np.int64]) -> float:
    """Variance of the mean, clustered in two ways (Cameron, Gelbach and Miller, 2011), G / (G − 1) for few clusters."""

    def within(cluster: NDArray[np.int64]) -> float:
        count = int(cluster.max()) + 1
        return float((np.bincount(cluster, errors) ** 2).sum()) / len(errors) ** 2 * count / max(count - 1, 1)

    if np.array_equal(one, two):
        return within(one)
    both = _position((one * (int(two.max()) + 1) + two).tolist())
    by_one, by_two = within(one), within(two)
    return max(by_one + by_two - within(both), by_one, by_two)


def _position(names: Sequence[object]) -> NDArray[np.int64]:
    """Position of every name among the sorted ones."""
    return np.unique(np.asarray(names, dtype=object).astype(str), return_inverse=True)[1].astype(np.int64)


def by_seed(values: ArrayLike, patients: Sequence[str], references: Sequence[str] | None = None) -> NDArray[np.float64]:
    """Values as an array of seeds by records; see `mean_of` for what is refused."""
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 2 or x.size == 0 or x.shape[1] != len(patients):
        raise ValueError(
            f"Can't average values of shape {x.shape} over {len(patients)} patients; expected (seeds, images), at "
            "least one of each, and one patient an image. One seed alone is values[None]."
        )
    if references is not None and len(references) != len(patients):
        raise ValueError(f"{len(references)} references for {len(patients)} records; expected one for each record.")
    if not np.isfinite(x).all():
        raise ValueError(
            f"Can't average values of shape {x.shape}, {int(np.isnan(x).sum())} of them NaN; leave out the images that "
            "lack a value, for all seeds alike."
        )
    return x
