"""A dry run's few images."""

from __future__ import annotations

from pathlib import Path

from radedit.data.batches.module import ImageData
from radedit.data.datasets.phantom import PhantomDataset
from radedit.data.views.first_records import FirstRecords
from radedit.harness.stress.scenario import StressData
from radedit.phantom.world import World


def test_the_first_images_are_those_of_the_whole_set() -> None:
    whole = PhantomDataset(World(), "first", 5, 32)
    few = FirstRecords(whole, 3)
    assert few.records == whole.records[:3]
    assert few.load(few.records[1]).image.equal(whole.load(whole.records[1]).image)


def test_training_data_take_no_more_images_than_they_may_and_keep_them_apart(tmp_path: Path) -> None:
    train, val = (PhantomDataset(World(), part, 6, 32) for part in ("train", "val"))
    paths = []
    for limit, expected in ((None, 6), (2, 2)):
        data = ImageData(train, val, size=32, batch_size=2, cache=str(tmp_path), workers=1, limit=limit)
        data.setup()
        assert [len(data.images[part]) for part in ("train", "val")] == [expected, expected]
        paths.append(data.paths["train"])
    assert paths[0] != paths[1]


def test_a_scenario_for_a_dry_run_takes_the_first_images_of_every_role() -> None:
    images = PhantomDataset(World(), "first", 5, 32)
    few = StressData(images, reference=images, cells={"1-1": images}, limit=2)
    assert [len(dataset.records) for dataset in (few.source, few.reference, few.cells["1-1"]) if dataset] == [2, 2, 2]
    assert few.counterfactual is None and StressData(images).source is images
