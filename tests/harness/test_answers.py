"""Answers of one seed or several: what is written is read, and stacking puts the same films beside one another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radedit.harness.answers import Answers, Measured, read_films, write_films


def answers(n: int = 5, seed: int = 0, first: int = 0) -> Answers:
    rng = np.random.default_rng(seed)
    ids = [f"p{i:02d}" for i in range(first, first + n)]
    positive = (rng.random((1, n)) > 0.5).astype(float)
    return Answers(ids, [id_[:2] for id_ in ids], {"positive": positive, "probability": rng.random((1, n)).round(4)})


def measured(seed: int) -> Measured:
    return Measured("one", "biased", {"edit": answers(seed=seed), "ordinary": answers(7, seed + 10, 20)}, (seed,))


def test_two_seeds_stack_film_by_film() -> None:
    both = Measured.stack([measured(0), measured(1)])
    assert both.seeds == (0, 1)
    for name, found in both.sets.items():
        for s in (0, 1):
            assert np.array_equal(found.values["probability"][s], measured(s).sets[name].values["probability"][0])


def test_stacking_aligns_films_and_leaves_out_those_that_one_seed_lacks() -> None:
    one, two = answers(5, 0, 0), answers(5, 1, 2)
    both = Answers.stack([one, two])
    assert both.ids == ["p02", "p03", "p04"]
    assert np.array_equal(both.values["positive"][0], one.values["positive"][0][2:])
    assert np.array_equal(both.values["positive"][1], two.values["positive"][0][:3])


def test_the_same_seed_twice_has_the_single_seeds_mean_and_no_spread() -> None:
    twice = Answers.stack([answers(), answers()])
    assert twice.mean("probability").value == pytest.approx(answers().mean("probability").value)
    assert np.ptp(twice.per_seed("probability")) == 0


def test_only_gives_the_named_films_in_their_order() -> None:
    found = answers().only(["p03", "p01"])
    assert found.ids == ["p03", "p01"] and found.values["positive"].shape == (1, 2)


def test_a_set_without_one_of_the_films_is_not_there() -> None:
    one = measured(0)
    assert one.of("edit", ["p01", "nobody"]) is None
    assert one.of("sham", ["p01"]) is None
    found = one.of("edit", ["p01"])
    assert found is not None and found.ids == ["p01"]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path, before = tmp_path / "films.csv", [measured(3)]
    write_films(path, before, ["p01", "p03"])
    after, kept = read_films(path)
    assert kept == ["p01", "p03"]
    assert [(one.key, one.role, one.seeds) for one in after] == [("one", "biased", (3,))]
    for name, found in before[0].sets.items():
        again = after[0].sets[name]
        assert (again.ids, again.subjects) == (found.ids, found.subjects)
        for measure, values in found.values.items():
            np.testing.assert_allclose(again.values[measure], values, atol=1e-6)


def test_several_seeds_are_read_as_they_were_stacked(tmp_path: Path) -> None:
    write_films(tmp_path / "films.csv", [Measured.stack([measured(0), measured(1)])], [])
    (after,), kept = read_films(tmp_path / "films.csv")
    assert after.seeds == (0, 1) and kept == []
    assert after.sets["edit"].values["positive"].shape == (2, 5)


def test_a_file_without_a_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "films.csv").write_text("predictor,role\none,biased\n")
    with pytest.raises(ValueError, match=r"films\.csv has no column 'seed'"):
        read_films(tmp_path / "films.csv")
