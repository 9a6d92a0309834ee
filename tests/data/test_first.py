"""A dry run's few films."""

from __future__ import annotations

from pathlib import Path

from radedit.data.first import First
from radedit.data.module import FilmData
from radedit.data.readers.phantom import PhantomReader
from radedit.harness.scenario import StressData
from radedit.phantom.world import World


def test_the_first_films_are_those_of_the_whole_set() -> None:
    whole = PhantomReader(World(), "first", 5, 32)
    few = First(whole, 3)
    assert few.records == whole.records[:3]
    assert few.load(few.records[1]).image.equal(whole.load(whole.records[1]).image)


def test_training_data_take_no_more_films_than_they_may_and_keep_them_apart(tmp_path: Path) -> None:
    train, val = (PhantomReader(World(), part, 6, 32) for part in ("train", "val"))
    paths = []
    for limit, expected in ((None, 6), (2, 2)):
        data = FilmData(train, val, size=32, batch_size=2, cache=str(tmp_path), workers=1, limit=limit)
        data.setup()
        assert [len(data.films[part]) for part in ("train", "val")] == [expected, expected]
        paths.append(data.paths["train"])
    assert paths[0] != paths[1]


def test_a_scenario_for_a_dry_run_takes_the_first_films_of_every_role() -> None:
    films = PhantomReader(World(), "first", 5, 32)
    few = StressData(films, reference=films, cells={"1-1": films}, limit=2)
    assert [len(reader.records) for reader in (few.source, few.reference, few.cells["1-1"]) if reader] == [2, 2, 2]
    assert few.twin is None and StressData(films).source is films
