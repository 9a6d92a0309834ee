"""What another threshold of the editing score would have kept, and what the predictors make of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from radedit.harness.evidence.results import KeptCurve, Point
from radedit.harness.predictors.predictions import Measured
from radedit.harness.statistics.estimate import Estimate

THRESHOLDS = tuple(round(float(threshold), 2) for threshold in np.arange(-0.20, 0.901, 0.05))


def kept_curve(
    measured: Sequence[Measured],
    measure: str,
    cosines: Mapping[str, float | None],
    thresholds: Sequence[float] = THRESHOLDS,
) -> list[KeptCurve]:
    """Mean of a measure over the edits that each threshold keeps; thresholds that keep none are left out.

    Args:
        measured: Predictions.
        measure: `correct` or `dice`.
        cosines: Record → editing score; None, where it is undefined, is kept by no threshold (Section 4.4).
        thresholds: Cosines from which on an edit is kept.
    """
    kept = {
        threshold: [record for record, cosine in cosines.items() if cosine is not None and cosine >= threshold]
        for threshold in thresholds
    }
    result = []
    for one in measured:
        points = []
        value: Estimate | None = None
        for threshold, records in kept.items():
            found = one.of("edit", records) if records else None
            if found is None:
                continue
            if value is None or value.n != len(records):  # a higher threshold keeps fewer, or the same
                value = found.mean(measure)
            points.append(Point(threshold=threshold, n=len(records), value=value))
        result.append(KeptCurve(predictor=one.key, points=points))
    return result
