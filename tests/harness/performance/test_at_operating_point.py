from __future__ import annotations

import numpy as np
import pytest

from radedit.harness.performance.at_operating_point import AFTER, BEFORE, at_operating_point
from radedit.harness.predictors.classify import Scores
from radedit.harness.predictors.predictions import Measured, Predictions

N = 60
IDS = [f"r{i:02d}" for i in range(N)]


def scored(ids: list[str], labels: np.ndarray, p: np.ndarray, threshold: float | None) -> Predictions:
    return Predictions.of_scores(Scores(ids, [f"p{id_}" for id_ in ids], labels, p), threshold)


def model(threshold: float | None = None, drop: float = 0.0) -> Measured:
    """A classifier whose probabilities on edits rise by `drop` where the finding is gone."""
    rng = np.random.default_rng(0)
    sets = {}
    for kind, label, mean in (
        ("source", 1, 0.7), ("reference", 0, 0.3), ("keep_sham", 1, 0.7), ("edit", 0, 0.3 + drop), ("shifted", 0, 0.3),
    ):  # fmt: skip
        sets[kind] = scored(IDS, np.full(N, label), np.clip(rng.normal(mean, 0.15, N), 0, 1), threshold)
    labels = np.arange(N) % 2
    sets["in_distribution"] = scored(
        [f"own{i}" for i in range(N)], labels, np.clip(rng.normal(0.3 + 0.4 * labels, 0.15), 0, 1), threshold
    )
    return Measured("own", "", sets)


def test_before_and_after_the_shift_are_told_apart() -> None:
    found = at_operating_point(model(drop=0.3), IDS[:50], IDS)
    rows = {row.data: row for row in found.rows}
    before, after = rows[BEFORE], rows[AFTER]
    assert (before.positives, after.positives) == (60, 50)
    for row in (before, after):
        assert row.auroc and row.specificity and row.sensitivity and row.brier and row.ece
    assert before.auroc.value > after.auroc.value + 0.2
    assert before.specificity.value > after.specificity.value + 0.3
    assert before.brier.value < after.brier.value
    assert found.threshold == 0.5


def test_a_lower_threshold_raises_sensitivity_everywhere_and_costs_specificity() -> None:
    usual, lower = (at_operating_point(model(threshold), IDS, IDS) for threshold in (None, 0.35))
    assert lower.threshold == pytest.approx(0.35)
    for one, other in zip(usual.rows, lower.rows, strict=True):
        assert one.auroc == other.auroc and one.brier == other.brier
        if one.sensitivity and other.sensitivity:
            assert other.sensitivity.value > one.sensitivity.value
        assert one.specificity and other.specificity and other.specificity.value < one.specificity.value


def test_images_of_one_class_have_no_area() -> None:
    row = at_operating_point(model(), IDS, IDS).rows[-1]
    assert row.data.startswith("truly shifted") and row.positives == 0
    assert row.specificity is not None and row.sensitivity is row.auroc is row.slope is None


def test_sets_that_are_not_there_are_left_out() -> None:
    full = model()
    bare = Measured("own", "", {name: full.sets[name] for name in ("source", "edit", "in_distribution")})
    found = {row.data: row for row in at_operating_point(bare, IDS, IDS).rows}
    assert found[BEFORE].specificity is None and found[AFTER].sensitivity is None and len(found) == 3
