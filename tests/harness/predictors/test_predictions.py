"""Predictions of one seed or several: what is written is read, and stacking puts the same images beside one another."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from radedit.harness.predictors.predictions import (
    Measured,
    Predictions,
    read_predictions,
    write_predictions,
)


def predictions(n: int = 5, seed: int = 0, first: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    ids = [f"p{i:02d}" for i in range(first, first + n)]
    positive = (rng.random((1, n)) > 0.5).astype(float)
    return Predictions(
        ids, [id_[:2] for id_ in ids], {"positive": positive, "probability": rng.random((1, n)).round(4)}
    )


def measured(seed: int) -> Measured:
    return Measured(
        "one", "biased", {"edit": predictions(seed=seed), "in_distribution": predictions(7, seed + 10, 20)}, (seed,)
    )


def test_two_seeds_stack_image_by_image() -> None:
    both = Measured.stack([measured(0), measured(1)])
    assert both.seeds == (0, 1)
    for name, found in both.sets.items():
        for s in (0, 1):
            assert np.array_equal(found.values["probability"][s], measured(s).sets[name].values["probability"][0])


def test_stacking_aligns_images_and_leaves_out_those_that_one_seed_lacks() -> None:
    one, two = predictions(5, 0, 0), predictions(5, 1, 2)
    both = Predictions.stack([one, two])
    assert both.ids == ["p02", "p03", "p04"]
    assert np.array_equal(both.values["positive"][0], one.values["positive"][0][2:])
    assert np.array_equal(both.values["positive"][1], two.values["positive"][0][:3])


def test_the_same_seed_twice_has_the_single_seeds_mean_and_no_spread() -> None:
    twice = Predictions.stack([predictions(), predictions()])
    assert twice.mean("probability").value == pytest.approx(predictions().mean("probability").value)
    assert np.ptp(twice.per_seed("probability")) == 0


def test_only_gives_the_named_images_in_their_order() -> None:
    found = predictions().only(["p03", "p01"])
    assert found.ids == ["p03", "p01"] and found.values["positive"].shape == (1, 2)


def test_a_set_without_one_of_the_images_is_not_there() -> None:
    one = measured(0)
    assert one.of("edit", ["p01", "nobody"]) is None
    assert one.of("sham", ["p01"]) is None
    found = one.of("edit", ["p01"])
    assert found is not None and found.ids == ["p01"]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path, before = tmp_path / "predictions.csv", [measured(3)]
    write_predictions(path, before, ["p01", "p03"])
    after, kept, _ = read_predictions(path)
    assert kept == ["p01", "p03"]
    assert [(one.key, one.role, one.seeds) for one in after] == [("one", "biased", (3,))]
    for name, found in before[0].sets.items():
        again = after[0].sets[name]
        assert (again.ids, again.patients) == (found.ids, found.patients)
        for measure, values in found.values.items():
            np.testing.assert_allclose(again.values[measure], values, atol=1e-6)


def test_several_seeds_are_read_as_they_were_stacked(tmp_path: Path) -> None:
    write_predictions(tmp_path / "predictions.csv", [Measured.stack([measured(0), measured(1)])], [])
    (after,), kept, _ = read_predictions(tmp_path / "predictions.csv")
    assert after.seeds == (0, 1) and kept == []
    assert after.sets["edit"].values["positive"].shape == (2, 5)


def test_a_file_without_a_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_text("predictor,role\none,biased\n")
    with pytest.raises(ValueError, match=r"has no column 'kind'"):
        read_predictions(tmp_path / "predictions.csv")


def test_ids_that_look_like_formulas_are_written_as_text_and_come_back(tmp_path: Path) -> None:
    found = predictions(3)
    ids = ["=1+1", "@x", "'=y"]
    before = Measured("one", "biased", {"edit": Predictions(ids, ids, found.values)}, (0,))
    write_predictions(tmp_path / "predictions.csv", [before], ids)
    after, kept, _ = read_predictions(tmp_path / "predictions.csv")
    assert after[0].sets["edit"].ids == after[0].sets["edit"].patients == kept == ids
    assert not any(
        cell[:1] in {"=", "@"} for cell in (tmp_path / "predictions.csv").read_text().replace("\n", ",").split(",")
    )


def test_groups_are_written_beside_their_record_and_read_back(tmp_path: Path) -> None:
    one = measured(0)
    ids = one.sets["edit"].ids
    groups = {id_: {"sex": "F", "age": "=40–59"} if i else {"sex": "M"} for i, id_ in enumerate(ids)}
    write_predictions(tmp_path / "predictions.csv", [one], [], groups)
    (after,), _, found = read_predictions(tmp_path / "predictions.csv")
    assert found == groups
    assert {*after.sets["edit"].values} == {*one.sets["edit"].values}
    write_predictions(tmp_path / "predictions.csv", [one], [])
    assert read_predictions(tmp_path / "predictions.csv")[2] == {}


@pytest.mark.parametrize(
    ("column", "value", "allowed"),
    [
        ("probability", "1.5", "0…1"),
        ("positive", "-1", "0…1"),
        ("seed", "sham", "a number"),
        ("seed", "1.5", "a number"),
    ],
)
def test_value_that_is_not_allowed_is_refused_with_its_line(
    column: str, value: str, allowed: str, tmp_path: Path
) -> None:
    path = tmp_path / "predictions.csv"
    write_predictions(path, [measured(0)], ["p00"])
    rows = list(csv.reader(path.read_text().splitlines()))
    rows[3][rows[0].index(column)] = value
    path.write_text("".join(f"{','.join(row)}\n" for row in rows))
    with pytest.raises(ValueError, match=rf"predictions\.csv, line 4: {column} is '?{value}'?; allowed is {allowed}"):
        read_predictions(path)


@pytest.mark.parametrize("first", [0, 3])
def test_line_of_another_length_than_the_header_is_refused(first: int, tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    write_predictions(path, [measured(0)], ["p00"])
    lines = path.read_text().splitlines(keepends=True)
    lines[first] = lines[first].partition(",")[2]
    path.write_text("".join(lines))
    cells = lines[first].count(",") + 1
    said = f"line 2 has {cells + 1} cells, the header {cells}" if first == 0 else f"line 4 has {cells} cells"
    with pytest.raises(ValueError, match=rf"predictions\.csv can't be read as predictions: {said}"):
        read_predictions(path)
