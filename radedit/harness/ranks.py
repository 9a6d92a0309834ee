"""Statements about order, with intervals: AUROC, whether an edit lowered the score, Kendall's τ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radedit.harness.statistics import SEEDS, Estimate, clustered_mean, draws, patients, percentiles

LEAST_PREDICTORS = 5  # below, most resamples are of two or three predictors, which agree or don't by luck


def auroc(
    positive_scores: ArrayLike,
    negative_scores: ArrayLike,
    positive_subjects: Sequence[str],
    negative_subjects: Sequence[str],
    *,
    seed: int = 0,
) -> Estimate | None:
    """P(a positive film scores above a negative one), ties half, with a bootstrap interval over patients.

    A patient may have films of both classes, as where edits are the negatives and their keep-shams the positives; they
    are drawn together. Resamples without one of the classes are left out.

    Args:
        positive_scores: One a film that has the finding, any unit.
        negative_scores: One a film that has not.
        positive_subjects: Whose film each positive is.
        negative_subjects: Whose film each negative is.
        seed: Of the resampling.

    Returns:
        The area, 0…1, n counting films of both classes; None where a class is empty. It has no bounds where a class is
        of one patient only.

    Raises:
        ValueError: If a score is NaN, or there are not as many subjects as scores.
    """
    positives, negatives = _scores(positive_scores, positive_subjects), _scores(negative_scores, negative_subjects)
    return crossed_auroc(positives[None], negatives[None], positive_subjects, negative_subjects, seed=seed)


def crossed_auroc(
    positive_scores: NDArray[np.float64],
    negative_scores: NDArray[np.float64],
    positive_subjects: Sequence[str],
    negative_subjects: Sequence[str],
    *,
    seed: int = 0,
) -> Estimate | None:
    """Mean over predictor seeds of the AUROC, with a bootstrap interval over patients and seeds, crossed.

    Args:
        positive_scores: Of films that have the finding, shape (S, N), any unit; a seed is only compared with itself.
        negative_scores: Of films that have not, shape (S, M), of the same seeds.
        positive_subjects: Whose film each of its columns is.
        negative_subjects: Likewise.
        seed: Of the resampling.

    Returns:
        As `auroc`.
    """
    n = len(positive_subjects) + len(negative_subjects)
    if not len(positive_subjects) or not len(negative_subjects):
        return None
    names, patient = patients([*positive_subjects, *negative_subjects])
    of_positives, of_negatives = slice(len(positive_subjects)), slice(len(positive_subjects), n)
    ranked = [np.unique(row, return_inverse=True) for row in np.concatenate([positive_scores, negative_scores], axis=1)]

    def area(weights: NDArray[np.float64], levels: NDArray[np.float64], level: NDArray[np.int64]) -> float:
        of_films = weights[patient]
        positive, negative = (
            np.bincount(level[part], weights=of_films[part], minlength=len(levels))
            for part in (of_positives, of_negatives)
        )
        if not positive.sum() * negative.sum():
            return float("nan")
        below = np.cumsum(negative) - negative / 2  # negatives under each level, those on it half
        return float(positive @ below / (positive.sum() * negative.sum()))  # Mann and Whitney's U over its most

    low = high = None
    if min(len(np.unique(patient[part])) for part in (of_positives, of_negatives)) > 1:
        areas = np.array([[area(weights, *of_seed) for of_seed in ranked] for weights in draws(len(names), seed)])
        of_seeds = draws(len(ranked), seed, SEEDS)
        resampled = (areas * of_seeds).sum(axis=1) / of_seeds.sum(axis=1)
        low, high = percentiles(resampled[~np.isnan(resampled)])
    value = float(np.mean([area(np.ones(len(names)), *of_seed) for of_seed in ranked]))
    return Estimate(value, low, high, n)


def precedence(before: ArrayLike, after: ArrayLike, subjects: Sequence[str], *, seed: int = 0) -> Estimate:
    """P(score(source) > score(its edit)), ties half, with a bootstrap interval over patients.

    Unlike a rate at a threshold it asks, film by film, whether the edit lowered the score at all.

    Args:
        before: Scores of the sources, one a film.
        after: Scores of their edits, in the same order.
        subjects: Whose film each is.
        seed: Of the resampling.

    Raises:
        ValueError: If there are no scores, a NaN, or not as many edits and subjects as sources.
    """
    x, y = _scores(before, subjects), _scores(after, subjects)
    return clustered_mean((x > y) + (x == y) / 2, subjects, seed=seed)


def kendall(x: ArrayLike, y: ArrayLike, *, seed: int = 0) -> Estimate | None:
    """Kendall's τ_b of two measures over predictors, with a percentile bootstrap interval over predictors.

    Args:
        x: One a predictor, e.g. its accuracy on the synthetic set.
        y: Likewise, e.g. its accuracy on truly shifted films.
        seed: Of the resampling.

    Returns:
        τ, −1…1, with n the number of predictors; None where all x or all y are equal, so that there is no order. It has
        no bounds for fewer than five predictors. Resamples without an order are left out.

    Raises:
        ValueError: If a value is NaN, or x and y are not of equal length.

    Note:
        Predictors in perfect agreement agree in every resample too, so that the interval is [1, 1] whatever their
        number. n has to be read with it.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or np.isnan([x, y]).any():
        raise ValueError(
            f"Can't rank predictors by measures of shapes {x.shape} and {y.shape}, "
            f"{int(np.isnan(x).sum() + np.isnan(y).sum())} of them NaN; expected two numbers for each predictor."
        )
    sign_x, sign_y = (np.sign(values[:, None] - values) for values in (x, y))

    def tau(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """τ_b of every row of weights: pairs in order less pairs out of order, over those that are not tied."""
        both, of_x, of_y = (
            ((weights @ signs) * weights).sum(axis=1) for signs in (sign_x * sign_y, sign_x**2, sign_y**2)
        )
        with np.errstate(invalid="ignore"):
            return np.asarray(both / np.sqrt(of_x * of_y))

    value = float(tau(np.ones((1, len(x))))[0]) if len(x) else float("nan")
    if np.isnan(value):
        return None
    low = high = None
    if len(x) >= LEAST_PREDICTORS:
        resampled = tau(draws(len(x), seed))
        low, high = percentiles(resampled[~np.isnan(resampled)])
    return Estimate(value, low, high, len(x))


def _scores(values: ArrayLike, subjects: Sequence[str]) -> NDArray[np.float64]:
    x = np.asarray(values, dtype=np.float64)
    if x.shape != (len(subjects),) or np.isnan(x).any():
        raise ValueError(
            f"Can't rank scores of shape {x.shape} of {len(subjects)} subjects, {int(np.isnan(x).sum())} of them NaN; "
            "expected one score and one subject for each film."
        )
    return x
