"""Does the synthetic set predict the shift? Predictors whose predictions are known, so that every sum is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from radedit.harness.predictors.predictions import Predictions
from radedit.studies.validity.validity import Tried, mean_difference, validity

N = 40
IDS = [f"r{i}" for i in range(N)]
PATIENTS = [f"p{i // 2}" for i in range(N)]
OTHERS = [f"o{i}" for i in range(30)]


def predictions(right: np.ndarray, ids: list[str] = IDS, patients: list[str] = PATIENTS) -> Predictions:
    return Predictions(ids, patients, {"correct": np.asarray(right, dtype=np.float64)[None]})


def tried(key: str, strength: float | None, **right: np.ndarray) -> Tried:
    sets = {name: predictions(values) for name, values in right.items() if name != "in_distribution"}
    sets["in_distribution"] = predictions(right["in_distribution"], OTHERS, OTHERS)
    return Tried(key, strength, 0, sets)


def share(k: int, n: int = N) -> np.ndarray:
    """The first k of n are right."""
    return (np.arange(n) < k).astype(float)


def of(ks: Mapping[str, int], strength: float | None = 0.0, key: str = "one") -> Tried:
    return tried(key, strength, **{name: share(k, 30 if name == "in_distribution" else N) for name, k in ks.items()})


def family(edit: list[int], counterfactual: list[int], in_distribution: list[int], corrupted: list[int]) -> list[Tried]:
    columns = zip(edit, counterfactual, in_distribution, corrupted, strict=True)
    return [
        of({"edit": e, "counterfactual": t, "in_distribution": o, "corrupted": c}, i / 5, f"p{i}")
        for i, (e, t, o, c) in enumerate(columns)
    ]


FAITHFUL = family([5, 10, 20, 30, 36], [6, 11, 19, 31, 37], [30, 29, 28, 27, 26], [40, 40, 38, 40, 40])


def test_order_that_is_the_same_has_a_tau_of_one() -> None:
    way = validity(FAITHFUL, IDS, "correct", 0.05)["ways"]["synthetic"]
    assert way["tau"]["value"] == 1 and way["tau"]["n"] == 5


def test_order_that_is_reversed_has_a_tau_of_minus_one() -> None:
    assert validity(FAITHFUL, IDS, "correct", 0.05)["ways"]["in_distribution"]["tau"]["value"] == -1


def test_difference_is_the_mean_over_predictors_and_images() -> None:
    way = validity(FAITHFUL, IDS, "correct", 0.05)["ways"]["synthetic"]
    per_predictor = np.array([-1, -1, 1, -1, -1]) / N
    assert way["difference"]["value"] == pytest.approx(per_predictor.mean())
    assert way["absolute"] == pytest.approx(1 / N) == way["largest"]


def test_within_delta_asks_for_the_whole_interval() -> None:
    way = validity(FAITHFUL, IDS, "correct", 0.05)["ways"]["synthetic"]
    low, high = way["difference"]["low"], way["difference"]["high"]
    wide, narrow = max(-low, high) + 1e-6, max(-low, high) - 1e-6
    assert validity(FAITHFUL, IDS, "correct", wide)["ways"]["synthetic"]["within_delta"]
    assert not validity(FAITHFUL, IDS, "correct", narrow)["ways"]["synthetic"]["within_delta"]


def test_oracle_misses_the_truth_by_the_share_of_residual_finding() -> None:
    """It is right on every counterfactual, and on an edit says what is on it: the finding, where the editor left it."""
    left = 6
    oracle = tried(
        "oracle", 0.0, edit=1 - share(left), counterfactual=share(N), in_distribution=share(30, 30), corrupted=share(N)
    )
    found = validity([oracle], IDS, "correct", 0.05)["ways"]["synthetic"]
    assert found["difference"]["value"] == pytest.approx(-left / N)


def test_predictors_that_never_look_are_shown_but_not_summed() -> None:
    constant = of({"edit": 0, "counterfactual": 0, "in_distribution": 15, "corrupted": 0}, None, "always_yes")
    without, with_it = (validity(who, IDS, "correct", 0.05) for who in (FAITHFUL, [*FAITHFUL, constant]))
    assert with_it["ways"] == without["ways"] and with_it["predictors"] == 5
    assert with_it["rows"][-1]["strength"] is None and with_it["rows"][-1]["synthetic"] == 0


def test_only_the_records_that_count_are_counted() -> None:
    few = IDS[:10]
    found = validity(FAITHFUL, few, "correct", 0.05)
    assert found["n"] == 10 and found["patients"] == 5
    assert found["rows"][0]["synthetic"] == 0.5  # 5 of the first 10


def test_synthetic_set_is_better_where_it_is_nearer_and_ranks_better() -> None:
    assert validity(FAITHFUL, IDS, "correct", 0.05)["better"] == {
        name: {"difference": True, "tau": True} for name in ("in_distribution", "corrupted")
    }


def test_rival_of_no_order_has_no_tau_and_is_no_better() -> None:
    flat = family([5, 10, 20, 30, 36], [6, 11, 19, 31, 37], [30] * 5, [40] * 5)
    found = validity(flat, IDS, "correct", 0.05)
    assert found["ways"]["in_distribution"]["tau"] is None and found["better"]["in_distribution"]["tau"]


def test_other_patients_vary_on_their_own() -> None:
    """Against the same images a constant shift has no spread; against other patients it has that of both."""
    paired = mean_difference(FAITHFUL, "edit", IDS, "correct")
    other = mean_difference(FAITHFUL, "in_distribution", IDS, "correct")
    assert None not in (paired.low, paired.high, other.low, other.high)
    assert other.high - other.low > paired.high - paired.low  # type: ignore[operator]
    assert other.low < other.value < other.high  # type: ignore[operator]


def test_nothing_to_sum_is_said() -> None:
    with pytest.raises(ValueError, match="0 records"):
        validity(FAITHFUL, [], "correct", 0.05)
