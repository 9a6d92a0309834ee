"""Statements about order, with intervals: AUROC, whether an edit lowered the score, Kendall's τ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radedit.harness.statistics.estimate import Estimate
from radedit.harness.statistics.means import SEEDS, clustered_mean, draws, patient_index, percentiles

BLOCK = 100  # resamples at a time, for memory
LEAST_PREDICTORS = 5  # below, most resamples are of two or three predictors, which agree or don't by luck


def auroc(
    positive_scores: ArrayLike,
    negative_scores: ArrayLike,
    positive_patients: Sequence[str],
    negative_patients: Sequence[str],
    *,
    seed: int = 0,
) -> Estimate | None:
    """P(a positive image scores above a negative one), ties half, with a bootstrap interval over patients.

    A patient may have images of both classes, as where edits are the negatives and their keep-shams the positives; they
    are drawn together. Resamples without one of the classes are left out.

    Args:
        positive_scores: One an image that has the finding, any unit.
        negative_scores: One an image that has not.
        positive_patients: Whose image each positive is.
        negative_patients: Whose image each negative is.
        seed: Of the resampling.

    Returns:
        The area, 0…1, n counting images of both classes; None where a class is empty. It has no bounds where a class is
        of one patient only.

    Raises:
        ValueError: If a score is NaN, or there are not as many patients as scores.
    """
    positives, negatives = _scores(positive_scores, positive_patients), _scores(negative_scores, negative_patients)
    return crossed_auroc(positives[None], negatives[None], positive_patients, negative_patients, seed=seed)


def crossed_auroc(
    positive_scores: NDArray[np.float64],
    negative_scores: NDArray[np.float64],
    positive_patients: Sequence[str],
    negative_patients: Sequence[str],
    *,
    seed: int = 0,
) -> Estimate | None:
    """Mean over predictor seeds of the AUROC, with a bootstrap interval over patients and seeds, crossed.

    Args:
        positive_scores: Of images that have the finding, shape (S, N), any unit; a seed is only compared with itself.
        negative_scores: Of images that have not, shape (S, M), of the same seeds.
        positive_patients: Whose image each of its columns is.
        negative_patients: Likewise.
        seed: Of the resampling.

    Returns:
        As `auroc`.
    """
    n = len(positive_patients) + len(negative_patients)
    if not len(positive_patients) or not len(negative_patients):
        return None
    names, patient = patient_index([*positive_patients, *negative_patients])
    is_positive = np.arange(n) < len(positive_patients)
    ranked = [_ranked(row) for row in np.concatenate([positive_scores, negative_scores], axis=1)]

    def areas(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of every row of weights (R, patients) and every seed, shape (R, S); NaN where a class is empty."""
        found = []
        for order, levels in ranked:
            of_images = weights[:, patient[order]]
            positive, negative = (
                np.add.reduceat(of_images * part[order], levels, axis=1) for part in (is_positive, ~is_positive)
            )
            below = np.cumsum(negative, axis=1) - negative / 2  # negatives under each level, those on it half
            with np.errstate(invalid="ignore"):  # Mann and Whitney's U over its most
                found.append((positive * below).sum(axis=1) / (positive.sum(axis=1) * negative.sum(axis=1)))
        return np.stack(found, axis=1)

    low = high = None
    if min(len(np.unique(patient[part])) for part in (is_positive, ~is_positive)) > 1:
        drawn = draws(len(names), seed)
        found = np.concatenate([areas(drawn[i : i + BLOCK]) for i in range(0, len(drawn), BLOCK)])
        of_seeds = draws(len(ranked), seed, SEEDS)
        resampled = (found * of_seeds).sum(axis=1) / of_seeds.sum(axis=1)
        low, high = percentiles(resampled[~np.isnan(resampled)])
    return Estimate(float(areas(np.ones((1, len(names)))).mean()), low, high, n)


def precedence(before: ArrayLike, after: ArrayLike, patients: Sequence[str]) -> Estimate:
    """P(score(source) > score(its edit)), ties half, with an interval over patients.

    Unlike a rate at a threshold it asks, image by image, whether the edit lowered the score at all.

    Args:
        before: Scores of the sources, one an image.
        after: Scores of their edits, in the same order.
        patients: Whose image each is.

    Raises:
        ValueError: If there are no scores, a NaN, or not as many edits and patients as sources.
    """
    x, y = _scores(before, patients), _scores(after, patients)
    return clustered_mean((x > y) + (x == y) / 2, patients)


def kendall(x: ArrayLike, y: ArrayLike, *, seed: int = 0) -> Estimate | None:
    """Kendall's τ_b of two measures over predictors, with a percentile bootstrap interval over predictors.

    Args:
        x: One a predictor, e.g. its accuracy on the synthetic set.
        y: Likewise, e.g. its accuracy on truly shifted images.
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


def _ranked(scores: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the scores in rising order, and where in that order each level of equal scores begins."""
    order = np.argsort(scores, kind="stable")
    return order, np.flatnonzero(np.append(True, scores[order[1:]] != scores[order[:-1]]))


def _scores(values: ArrayLike, patients: Sequence[str]) -> NDArray[np.float64]:
    x = np.asarray(values, dtype=np.float64)
    if x.shape != (len(patients),) or np.isnan(x).any():
        raise ValueError(
            f"Can't rank scores of shape {x.shape} of {len(patients)} patients, {int(np.isnan(x).sum())} of them NaN; "
            "expected one score and one patient for each image."
        )
    return x
