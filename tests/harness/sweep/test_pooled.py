"""Several seeds stacked: with nothing between them, all is as for one; order and lost images are accounted for."""

from __future__ import annotations

import numpy as np
import pytest

from radedit.harness.evidence.results import Figures
from radedit.harness.evidence.verdict import Rules
from radedit.harness.predictors.predictions import Measured, Predictions
from radedit.harness.stress.scenario import Removal
from radedit.harness.sweep.pooled import RunPredictions, concatenate, pool, pooled_figures
from tests.made_up_runs import PAIR, REMOVAL

KINDS = (
    "source", "vae", "replay", "edit", "keep_sham", "reference", "reference_vae", "reference_replay", "sham",
    "counterfactual",
    "in_distribution",
)  # fmt: skip
IDS = [f"p{i // 2:02d}-{i % 2}" for i in range(20)]
RULES = Rules(min_n=2)


def predictions(rng: np.random.Generator, ids: list[str], rate: float, label: int) -> Predictions:
    probability = np.where(rng.uniform(size=len(ids)) < rate, 0.75, 0.25)
    positive = (probability >= 0.5).astype(float)
    values = {
        "label": np.full(len(ids), float(label)), "probability": probability, "positive": positive,
        "correct": (positive == label).astype(float),
    }  # fmt: skip
    return Predictions(
        ids, [id_.partition("-")[0] for id_ in ids], {name: value[None] for name, value in values.items()}
    )


def run(seed: int, predictions_of: int | None = None, lost: tuple[str, ...] = (), hash_: str = "") -> RunPredictions:
    """A biased and an unbiased predictor; the biased one calls 90 % of the edits positive."""
    measured = []
    for key, rate in (("biased", 0.9), ("unbiased", 0.1)):
        rng = np.random.default_rng([seed if predictions_of is None else predictions_of, len(key)])
        ids = [id_ for id_ in IDS if id_ not in lost]
        sets = {kind: predictions(rng, ids, rate if kind == "edit" else 0.1, int(kind == "source")) for kind in KINDS}
        measured.append(Measured(key, key, sets, (seed,)))
    return RunPredictions(measured, IDS[:16], {key: hash_ or f"{key}-{seed}" for key in PAIR}, {"biased": 0.3})


def told(*runs: RunPredictions) -> Figures:
    return pooled_figures(pool(runs), Removal(**REMOVAL), RULES, {id_: i / 20 for i, id_ in enumerate(IDS)})


def test_two_seeds_that_prediction_alike_give_the_values_of_one_with_no_deviation() -> None:
    one, two = told(run(0)), told(run(0), run(1, predictions_of=0))
    for single, pooled in zip(one.table, two.table, strict=True):
        assert pooled.accuracy.value == pytest.approx(single.accuracy.value)
        assert (single.seeds, single.std) == (1, None) and (pooled.seeds, pooled.std) == (2, 0.0)
    for single, pooled in zip(one.attribution, two.attribution, strict=True):
        assert [t.value.value for t in pooled.terms] == pytest.approx([t.value.value for t in single.terms])
    for name in ("auroc_edits", "precedence", "at_threshold"):
        for single, pooled in zip(one.ranking, two.ranking, strict=True):
            assert getattr(pooled, name).value == pytest.approx(getattr(single, name).value)


def test_pooled_value_is_the_mean_over_seeds_and_images() -> None:
    runs = [run(seed) for seed in range(3)]
    rows = {(row.predictor, row.data): row for row in told(*runs).table}
    found = [one.measured[0].sets["edit"].only(IDS[:16]).values["correct"].mean() for one in runs]
    row = rows["biased", "synthetic (kept)"]
    assert row.accuracy.value == pytest.approx(np.mean(found))
    assert row.std == pytest.approx(np.std(found, ddof=1))
    assert row.per_seed["correct"] == pytest.approx(found)


def test_pooled_attribution_telescopes() -> None:
    for entry in told(*(run(seed) for seed in range(3))).attribution:
        terms = sum(term.value.value for term in entry.terms)
        assert entry.reference.value + terms == pytest.approx(entry.edit.value, abs=1e-12)


def test_contrast_is_positive_where_the_biased_one_loses_more() -> None:
    (contrast,) = told(*(run(seed) for seed in range(3))).contrasts
    assert (contrast.worse, contrast.better) == ("biased", "unbiased")
    assert contrast.difference.low > 0


def test_same_weights_in_two_runs_are_one_training() -> None:
    pooled = pool([run(0, hash_="same"), run(1, predictions_of=0, hash_="same")])
    assert [one.seeds for one in pooled.measured] == [(0,), (0,)]


def test_image_that_one_seed_lacks_is_left_out_and_named() -> None:
    pooled = pool([run(0), run(1, lost=(IDS[3],))])
    assert pooled.lost == [IDS[3]]
    assert IDS[3] not in pooled.kept + pooled.every and len(pooled.kept) == 15
    assert pooled_figures(pooled, Removal(**REMOVAL), RULES, {}).attribution[0].n == 15


def test_seeds_without_an_image_in_common_are_refused() -> None:
    with pytest.raises(ValueError, match="no image of the set 'source' in common"):
        pool([run(0, lost=tuple(IDS[:10])), run(1, lost=tuple(IDS[10:]))])


def test_no_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="no runs"):
        pool([])


def test_groups_have_the_images_of_both_and_their_patients_once() -> None:
    left, right = pool([run(0), run(1)]), pool([run(0, predictions_of=7), run(1, predictions_of=8)])
    both = concatenate({"left": left, "right": right})
    found, of_left, of_right = (pooled.measured[0].sets["edit"] for pooled in (both, left, right))
    assert len(both.kept) == 32 and both.kept[0] == f"left/{IDS[0]}"
    assert set(found.patients) == set(of_left.patients)
    expected = np.concatenate([of_left.values["correct"], of_right.values["correct"]], axis=1)
    np.testing.assert_array_equal(found.values["correct"], expected)


def test_group_leaves_out_a_seed_that_one_part_lacks() -> None:
    both = concatenate({"left": pool([run(0), run(1)]), "right": pool([run(1, predictions_of=5)])})
    assert both.measured[0].seeds == (1,)
    expected = run(1).measured[0].sets["edit"].values["correct"][0]
    np.testing.assert_array_equal(both.measured[0].sets["edit"].values["correct"][0, : len(IDS)], expected)


def test_changes_are_of_accuracy_and_the_parts_are_those_of_the_attribution() -> None:
    found = told(run(0), run(1))
    changes = {(c.predictor, c.kind): c.value.value for c in found.changes}
    for entry in found.attribution:
        assert changes[entry.predictor, "path"] == pytest.approx(-entry.artefact.value)
        assert changes[entry.predictor, "shift"] == pytest.approx(-entry.shift_effect.value)
    assert changes["biased", "synthetic"] < -0.5
