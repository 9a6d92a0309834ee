"""What readers could tell: edited images from real ones, the finding, and each other's answers again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa, fleiss_kappa

from radedit.harness.reader_study.forms import FINDING, LOOKS, Form
from radedit.harness.reader_study.study import REAL, Item, ReaderStudy
from radedit.harness.statistics.estimate import LEVEL, Estimate
from radedit.harness.statistics.means import RESAMPLES, crossed_mean, draws, percentiles
from radedit.harness.statistics.proportions import proportion
from radedit.harness.statistics.ranks import crossed_auroc

ALL = "all readers"
CALLED_EDITED = 4  # probably, and 5 certainly
INTERVAL = (
    f"{100 * LEVEL:.0f} %; of areas and of kappa by bootstrap over patients (for all readers, over readers too, "
    f"crossed), {RESAMPLES} resamples; of shares Wilson's, for all readers by that bootstrap. An area or a kappa of "
    "exactly 1 has no width in any resample, so read n with it"
)


@dataclass(frozen=True)
class Realism:
    """How images of one kind look to a reader, or to all.

    Attributes:
        reader: Initials, or `ALL`: on the images that all of them rated.
        kind: Of image.
        n: How many were rated.
        auroc: P(looks more edited than a real image does); 0.5 is chance. None for real images, or where none was
            rated.
        called_edited: Share that was rated 4 or 5.
    """

    reader: str
    kind: str
    n: int
    auroc: Estimate | None
    called_edited: Estimate | None


@dataclass(frozen=True)
class Seen:
    """How often a reader sees the finding on images of one kind that have it, or should not; unsure is not seen."""

    reader: str
    kind: str
    has: bool
    n: int
    unsure: int
    seen: Estimate | None


@dataclass(frozen=True)
class Agreement:
    """Two readers on the same images, several, or one reader on images shown twice.

    Attributes:
        readers: One where it is the same reader, twice.
        question: `looks` or `finding`.
        n: Images that all of them answered, or that were answered both times.
        same: Share with the same answer.
        kappa: Cohen's, of `looks` with quadratic weights; Fleiss' of more than two readers. None where all answers are
            one, so that nothing is left to chance.
    """

    readers: list[str]
    question: str
    n: int
    same: Estimate | None
    kappa: Estimate | None


@dataclass(frozen=True)
class Filled:
    """How far a reader came, and how long an item took.

    Attributes:
        reader: Initials.
        complete: Items with both answers.
        missing: The others.
        median, lower, upper: Seconds an item: the median and the quartiles of complete items; None without any.
        minutes: All together.
        comments: Item → comment.
    """

    reader: str
    complete: int
    missing: list[int]
    median: float | None
    lower: float | None
    upper: float | None
    minutes: float
    comments: dict[str, str]


@dataclass(frozen=True)
class ReaderResults:
    """All of it, as `readers.json` has it."""

    study: str
    scenario: str
    stress_set: str
    finding: str
    images: dict[str, int]
    items: int
    repeats: int
    filled: list[Filled]
    told: list[Realism]
    seen: list[Seen]
    agreement: list[Agreement]
    cautions: list[str]
    interval: str = INTERVAL

    @property
    def lead(self) -> str:
        """All readers, or the only one."""
        return self.told[0].reader


def reader_results(study: ReaderStudy, forms: Sequence[Form]) -> ReaderResults:
    """Put key and forms together; an image that is shown twice counts with its first showing."""
    first = [item for item in study.items if item.repeats is None]
    kinds = list(study.images)
    groups = [(list(forms), ALL)] if len(forms) > 1 else []
    groups += [([form], form.reader) for form in forms]
    return ReaderResults(
        study=study.hash,
        scenario=study.scenario,
        stress_set=study.stress_set,
        finding=study.finding,
        images={kind: sum(item.kind == kind for item in first) for kind in kinds},
        items=len(study.items),
        repeats=len(study.items) - len(first),
        filled=[_filled(form) for form in forms],
        told=[_told(some, name, kind, first) for some, name in groups for kind in kinds],
        seen=[
            _seen(some, name, kind, has, [item for item in first if (item.kind, item.has) == (kind, has)])
            for some, name in groups
            for kind in kinds
            for has in sorted({item.has for item in first if item.kind == kind}, reverse=True)
        ],
        agreement=_agreements(study, first, forms),
        cautions=study.cautions,
    )


def _filled(form: Form) -> Filled:
    seconds = [answer.seconds for answer in form.answers.values() if answer.complete]
    lower, median, upper = np.quantile(seconds, [0.25, 0.5, 0.75]).tolist() if seconds else (None, None, None)
    minutes = sum(answer.seconds for answer in form.answers.values()) / 60
    comments = {str(item): answer.comment for item, answer in form.answers.items() if answer.comment}
    return Filled(form.reader, len(seconds), form.missing, median, lower, upper, minutes, comments)


def _told(forms: Sequence[Form], name: str, kind: str, items: Sequence[Item]) -> Realism:
    rated = [item for item in items if all(form.answers[item.item].looks is not None for form in forms)]
    some = [item for item in rated if item.kind == kind]
    # Like is compared with like: edits without a finding with real images without it, where there are some.
    real = [item for item in rated if item.kind == REAL]
    real = [item for item in real if item.has in {other.has for other in some}] or real
    looks, of_real = (_said(forms, part, "looks").astype(np.float64) for part in (some, real))
    patients, of_real_patients = ([item.patient for item in part] for part in (some, real))
    area = None if kind == REAL else crossed_auroc(looks, of_real, patients, of_real_patients)
    return Realism(name, kind, len(some), area, _share(looks >= CALLED_EDITED, patients))


def _seen(forms: Sequence[Form], name: str, kind: str, has: bool, items: Sequence[Item]) -> Seen:
    answered = [item for item in items if all(form.answers[item.item].finding is not None for form in forms)]
    said = _said(forms, answered, "finding")
    share = _share(said == "yes", [item.patient for item in answered])
    return Seen(name, kind, has, len(answered), int((said == "unsure").sum()), share)


def _said(forms: Sequence[Form], items: Sequence[Item], question: str) -> NDArray[np.object_]:
    """One answer for each reader and image, shape (S, N)."""
    said = [[getattr(form.answers[item.item], question) for item in items] for form in forms]
    return np.array(said, dtype=object).reshape(len(forms), len(items))


def _share(true: NDArray[np.bool_], patients: Sequence[str]) -> Estimate | None:
    """Of images, by one reader or several, shape (S, N); readers who agree on every image count as one."""
    if not true.size:
        return None
    if (true == true[0]).all():
        return proportion(int(true[0].sum()), len(patients))
    return crossed_mean(true, patients)


def _agreements(study: ReaderStudy, first: Sequence[Item], forms: Sequence[Form]) -> list[Agreement]:
    found = []
    for question in ("looks", "finding"):
        for pair in combinations(forms, 2):
            found.append(_agreement(pair, question, [[item.item] * 2 for item in first]))
        if len(forms) > 2 and question == "finding":
            found.append(_agreement(forms, question, [[item.item] * len(forms) for item in first]))
        twice = [[item.repeats, item.item] for item in study.items if item.repeats is not None]
        found += [_agreement([form, form], question, twice) for form in forms if twice]
    return found


def _agreement(forms: Sequence[Form], question: str, items: Sequence[Sequence[int]]) -> Agreement:
    """Of answers to `items`: for each image, the item at which each of the forms answers it."""
    said = [[getattr(form.answers[at], question) for form, at in zip(forms, image, strict=True)] for image in items]
    levels: list[object] = list(LOOKS if question == "looks" else FINDING)
    codes = np.array([[levels.index(one) for one in image] for image in said if None not in image], dtype=np.int64)
    n = len(codes)
    same = proportion(int((codes == codes[:, :1]).all(axis=1).sum()), n) if n else None
    kappa = _kappa(codes, len(levels), weighted=question == "looks") if n else None
    return Agreement(list(dict.fromkeys(form.reader for form in forms)), question, n, same, kappa)


def _kappa(codes: NDArray[np.int64], levels: int, *, weighted: bool) -> Estimate | None:
    """Of answers (N, raters), with a bootstrap over images; each is of another patient."""
    n, raters = codes.shape
    counts = aggregate_raters(codes, n_cat=levels)[0] if raters > 2 else None

    def value(drawn: NDArray[np.int64]) -> float:
        """Where every image counts as often as it was drawn."""
        with np.errstate(invalid="ignore"):
            if counts is not None:
                return float(fleiss_kappa(np.repeat(counts, drawn, axis=0)))
            table = np.bincount(codes[:, 0] * levels + codes[:, 1], drawn, levels**2).reshape(levels, levels)
            return float(cohens_kappa(table, wt="quadratic" if weighted else None, return_results=False))

    found = value(np.ones(n, dtype=np.int64))
    if np.isnan(found):
        return None
    resampled = np.array([value(drawn) for drawn in draws(n, 0).astype(np.int64)])
    low, high = percentiles(resampled[~np.isnan(resampled)]) if n > 1 else (None, None)
    return Estimate(found, low, high, n)
