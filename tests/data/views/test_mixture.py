"""Several data sets as one, and images moved a little."""

from __future__ import annotations

import logging

import pytest
import torch

from radedit.data.datasets.phantom import PhantomDataset
from radedit.data.views.mixture import Mixture, Moved
from radedit.phantom.world import World
from radedit.types import Sample

SIZE = 64


def phantoms(namespace: str, n: int = 3) -> PhantomDataset:
    return PhantomDataset(World(), namespace, n, SIZE)


def test_a_mixture_has_every_record_of_every_set_under_an_id_of_its_own() -> None:
    mixture = Mixture({"a": phantoms("x"), "b": phantoms("x")})
    ids = [record.id for record in mixture.records]
    assert len(set(ids)) == 6
    assert [id_.partition("/")[0] for id_ in ids] == ["a"] * 3 + ["b"] * 3


def test_a_mixture_loads_what_its_sets_load_and_keeps_patient_and_report() -> None:
    dataset = phantoms("x")
    mixture = Mixture({"a": dataset})
    for mixed, record in zip(mixture.records, dataset.records, strict=True):
        sample = mixture.load(mixed)
        assert sample.record == mixed and (mixed.patient_id, mixed.report) == (record.patient_id, record.report)
        assert torch.equal(sample.image, dataset.load(record).image)


def test_a_mixture_tells_how_many_images_it_has_of_each_set_beside_the_published_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "radedit"):
        Mixture({"a": phantoms("x", 3), "b": phantoms("y", 1)}, published=487_680)
    assert caplog.messages == ["Mixture of 4 images: a 3 (75.0 %), b 1 (25.0 %); the published mixture has 487,680."]


def test_a_mixture_counts_what_its_sets_left_out() -> None:
    dataset = phantoms("x")
    dataset.excluded = {"lateral": 7}  # type: ignore[attr-defined]
    assert Mixture({"a": dataset, "b": phantoms("y")}).excluded == {"a: lateral": 7}


def test_the_first_copy_of_an_image_is_as_it_was_and_the_others_are_near_it() -> None:
    moved = Moved(phantoms("x"), 3, size=SIZE)
    first, *others = (moved.load(record) for record in moved.records[:3])
    assert torch.equal(first.image, phantoms("x").load(phantoms("x").records[0]).image)
    for other in others:
        assert not torch.equal(other.image, first.image)
        assert (other.image - first.image).abs().mean() < 0.15
        assert other.record.patient_id == first.record.patient_id


def centre(sample: Sample, mask: str) -> float:
    return sample.masks[mask][0].nonzero()[:, 1].float().mean().item()


def test_masks_move_with_their_image_and_sides_stay() -> None:
    moved = Moved(phantoms("x"), 8, size=SIZE)
    for record in moved.records:
        sample = moved.load(record)
        assert centre(sample, "right_lung") < SIZE / 2 < centre(sample, "left_lung")
        inside = sample.image[sample.masks["lungs"]].mean()
        assert inside < sample.image[~sample.masks["lungs"]].mean() + 0.2  # air is dark


def test_a_copy_is_the_same_whenever_it_is_loaded() -> None:
    one, two = Moved(phantoms("x"), 3, size=SIZE), Moved(phantoms("x"), 3, size=SIZE)
    last = one.records[-1]
    one.load(one.records[0])
    assert torch.equal(one.load(last).image, two.load(last).image)
