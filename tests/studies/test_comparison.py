"""Measures of the paper's side-by-side pictures, on images whose every change is known."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from radedit.data.datasets.phantom import PhantomDataset
from radedit.editing import lance, radedit
from radedit.masks import boxes_complement
from radedit.models.bundle.bundle import Bundle
from radedit.phantom.world import World
from radedit.studies.figures.comparison import (
    Column,
    Comparison,
    ComparisonImages,
    changed_outside,
    compare,
    marker,
    marker_left,
    seam,
)

SIDE = 64


@pytest.fixture(scope="module")
def dataset() -> PhantomDataset:
    world = World(seed=5, prevalence={"covid": 1.0}, hospitals={"B": 1.0})
    return PhantomDataset(world, "comparison", 2, SIDE)


@pytest.fixture
def images(dataset: PhantomDataset) -> ComparisonImages:
    """Nothing has changed."""
    samples = [dataset.load(record) for record in dataset.records]
    source = torch.stack([sample.image for sample in samples])
    m_edit = torch.zeros_like(source, dtype=torch.bool)
    m_edit[..., 24:40, 24:40] = True
    return ComparisonImages(samples, source, source.clone(), m_edit)


@pytest.mark.parametrize("measure", [changed_outside, seam, marker])
def test_nothing_edited_is_no_change(measure: Callable[[ComparisonImages], Tensor], images: ComparisonImages) -> None:
    assert torch.equal(measure(images), torch.zeros(2))


def test_an_edit_that_stops_at_the_border_has_a_seam_and_one_that_goes_on_has_none(images: ComparisonImages) -> None:
    images.edited[images.m_edit] += 0.2
    assert seam(images) == pytest.approx(torch.full((2,), 51.0), abs=0.1)
    images.edited[~images.m_edit] += 0.2
    assert seam(images) == pytest.approx(torch.zeros(2), abs=0.1)


def test_a_marker_that_is_wiped_out_is_gone_and_nothing_else_counts(images: ComparisonImages) -> None:
    images.edited[..., SIDE // 2 :, :] = 0
    assert marker_left(images) == pytest.approx(torch.full((2,), 100.0))
    images.edited[..., : SIDE // 4, : SIDE // 4] = 0.3
    assert (marker_left(images) < 5).all() and (marker(images) > 10).all()


def test_every_column_is_measured_on_every_image(dataset: PhantomDataset, bundle: Bundle) -> None:
    small = PhantomDataset(dataset.world, "comparison", 3, bundle.size)
    prompt = "No acute cardiopulmonary process"
    comparison = Comparison(
        "Figure 10", "Markers.", small, boxes_complement,
        {"RadEdit": Column(partial(radedit.edit, w=2.0), prompt), "LANCE": Column(partial(lance.edit, w=2.0), prompt)},
        ["gone", "marker", "changed_outside"], removed="covid",
    )  # fmt: skip
    rows, pictures = compare(comparison, bundle, steps=2, seed=0, block=2)
    assert [row["column"] for row in rows] == ["RadEdit", "LANCE"]
    assert all(row["n"] == row["marker"]["n"] == 3 for row in rows)
    assert set(pictures) == {"original", "RadEdit", "LANCE"} and pictures["LANCE"].shape == (
        2,
        bundle.size,
        bundle.size,
    )


def test_an_unknown_measure_is_named(dataset: PhantomDataset) -> None:
    with pytest.raises(ValueError, match="Unknown measures \\['beauty'\\]; allowed are gone"):
        Comparison("Figure 2", "", dataset, boxes_complement, {}, ["beauty"])
