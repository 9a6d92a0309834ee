"""Consolidations drawn onto films that were taken: here, onto phantoms that stand for them."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch

from radedit.data.readers.consolidated import ConsolidatedReader
from radedit.data.readers.phantom import PhantomReader
from radedit.phantom.anatomy import Side
from radedit.phantom.world import World
from radedit.types import Record, Sample

SIZE = 64


@pytest.fixture
def films() -> PhantomReader:
    return PhantomReader(World(), "films", 4, SIZE)


def lower_half(mask: torch.Tensor) -> torch.Tensor:
    rows = mask[0].any(1).nonzero()
    below = torch.zeros_like(mask)
    below[:, int(rows.float().mean()) :] = True
    return below


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_consolidation_brightens_its_own_lung_only(films: PhantomReader, side: str) -> None:
    drawn = ConsolidatedReader(films, SIZE, side=cast(Side, side), lobe="upper")
    for record in drawn.records:
        before, after = films.load(_same(films, record)), drawn.load(record)
        change = after.image - before.image
        lung, other = (before.masks[f"{s}_lung"] for s in (side, "right" if side == "left" else "left"))
        assert change.min() >= 0
        assert change[lung].mean() > 0.01 and change[other].abs().mean() < 0.002
        assert change[lung & ~lower_half(lung)].mean() > 3 * change[lung & lower_half(lung)].mean()
        assert after.masks["consolidation"].any() and not (after.masks["consolidation"] & ~lung).any()


def _same(films: PhantomReader, record: Record) -> Record:
    return next(r for r in films.records if r.id == record.id)


def test_the_report_names_what_was_drawn_and_denies_nothing(films: PhantomReader) -> None:
    drawn = ConsolidatedReader(films, SIZE, seed=1)
    for record in drawn.records:
        assert record.labels["consolidation"] == 1
        assert record.report and not record.report.startswith("No ")


def test_the_same_seed_draws_the_same_and_another_seed_another(films: PhantomReader) -> None:
    def image(**given: Any) -> torch.Tensor:
        reader = ConsolidatedReader(films, SIZE, **given)
        return reader.load(reader.records[0]).image

    assert torch.equal(image(seed=1), image(seed=1))
    assert not torch.equal(image(seed=1), image(seed=2))


def test_a_left_lung_has_no_middle_lobe(films: PhantomReader) -> None:
    reader = ConsolidatedReader(films, SIZE, side="left", lobe="middle")
    assert {reader.consolidation(record).lobe for record in reader.records} == {"upper"}


def test_a_film_without_lungs_is_refused(films: PhantomReader) -> None:
    class Bare:
        records = films.records

        def load(self, record: Record) -> Sample:
            return Sample(record, films.load(record).image)

    reader = ConsolidatedReader(Bare(), SIZE)
    with pytest.raises(ValueError, match="no mask 'left_lung'"):
        reader.load(reader.records[0])
