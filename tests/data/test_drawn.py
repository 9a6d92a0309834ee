"""Findings drawn onto films that were taken: here, onto phantoms that stand for them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from radedit.data.readers.drawn import DrawnReader
from radedit.data.readers.phantom import PhantomReader
from radedit.phantom.world import World
from radedit.types import Record, Sample

SIZE = 64
SIDES = ("left", "right")


@pytest.fixture
def films() -> PhantomReader:
    return PhantomReader(World(), "films", 4, SIZE, where={"pneumothorax": 0, "drain": 0, "consolidation": 0})


def lower_half(mask: torch.Tensor) -> torch.Tensor:
    rows = mask[0].any(1).nonzero()
    below = torch.zeros_like(mask)
    below[:, int(rows.float().mean()) :] = True
    return below


def before(films: PhantomReader, record: Record) -> Sample:
    return films.load(next(r for r in films.records if r.id == record.id))


@pytest.mark.parametrize("side", SIDES)
def test_a_consolidation_brightens_its_own_lung_only(films: PhantomReader, side: str) -> None:
    drawn = DrawnReader(films, SIZE, [["consolidation"]], would={"consolidation": {"side": side, "lobe": "upper"}})
    for record in drawn.records:
        was, after = before(films, record), drawn.load(record)
        change = after.image - was.image
        lung, other = (was.masks[f"{s}_lung"] for s in (side, SIDES[side == "left"]))
        assert change.min() >= 0
        assert change[lung].mean() > 0.01 and change[other].abs().mean() < 0.002
        assert change[lung & ~lower_half(lung)].mean() > 3 * change[lung & lower_half(lung)].mean()
        assert after.masks["consolidation"].any() and not (after.masks["consolidation"] & ~lung).any()


@pytest.mark.parametrize("side", SIDES)
def test_a_pneumothorax_darkens_the_lateral_rim_of_its_own_lung(films: PhantomReader, side: str) -> None:
    drawn = DrawnReader(films, SIZE, [["pneumothorax"]], would={"pneumothorax": {"side": side}})
    columns = torch.arange(SIZE).expand(1, SIZE, SIZE).float()
    for record in drawn.records:
        was, after = before(films, record), drawn.load(record)
        air, lung = after.masks["pneumothorax"], was.masks[f"{side}_lung"]
        assert air.any() and not (air & ~lung).any()
        assert (after.image - was.image)[air].mean() < -0.01
        shared = [row for row in range(SIZE) if air[0, row].any() and (lung & ~air)[0, row].any()]
        means = [(columns[0, r][m[0, r]].mean() for m in (air, lung & ~air)) for r in shared]
        outwards = [float(rim - rest) for rim, rest in means]
        assert len(shared) > SIZE // 8 and (min(outwards) > 0 if side == "left" else max(outwards) < 0)


def test_a_drain_is_a_bright_tube_from_outside_the_lung_into_it_on_the_pneumothorax_side(films: PhantomReader) -> None:
    drawn = DrawnReader(films, SIZE, [["pneumothorax", "drain"]])
    for record in drawn.records:
        after, finding = drawn.load(record), drawn.of(record)
        tube, lung = after.masks["drain"], after.masks[f"{finding['drain'].side}_lung"]
        assert finding["drain"].side == finding["pneumothorax"].side
        assert (tube & lung).any() and (tube & ~lung).any()
        without = drawn.counterfactual(record, without=["drain"])
        assert (after.image - without)[tube].mean() > 0.05
        assert (after.image - without)[~tube].abs().mean() < 0.01


def test_without_any_of_its_findings_a_film_is_as_it_was_taken(films: PhantomReader) -> None:
    drawn = DrawnReader(films, SIZE, [["pneumothorax", "drain"]])
    for record in drawn.records:
        bare = drawn.counterfactual(record, without=["pneumothorax", "drain"])
        assert torch.equal(bare, before(films, record).image)


def test_a_reader_without_a_finding_draws_the_others_as_before(films: PhantomReader) -> None:
    both = DrawnReader(films, SIZE, [["pneumothorax", "drain"], ["consolidation", "drain"]])
    twins = DrawnReader(films, SIZE, both.findings, without=["pneumothorax"])
    for record, twin in zip(both.records, twins.records, strict=True):
        assert twin.labels.get("pneumothorax") == 0 and twin.labels["drain"] == 1
        expected = both.counterfactual(record, without=["pneumothorax"])
        assert torch.equal(twins.load(twin).image, expected)


def test_another_texture_keeps_what_is_coarse(films: PhantomReader) -> None:
    drawn = DrawnReader(films, SIZE, [["pneumothorax"]])
    record = drawn.records[0]
    plain, other = (drawn.counterfactual(record, without=["pneumothorax"], other_texture=o) for o in (False, True))
    assert not torch.equal(plain, other)
    coarse = torch.nn.functional.avg_pool2d
    inner = (slice(None), slice(2, -2), slice(2, -2))  # the border of the film has edges that are rolled along
    change = (coarse(plain, 8) - coarse(other, 8))[inner].abs().mean()
    assert change < 0.015 and (plain - other).abs().mean() > 2 * change


def test_the_report_names_what_was_drawn_and_denies_nothing(films: PhantomReader) -> None:
    drawn = DrawnReader(films, SIZE, [["consolidation"]], seed=1)
    for record in drawn.records:
        assert record.labels["consolidation"] == 1
        assert record.report and not record.report.startswith("No ")


def test_the_lot_gives_every_group_some_films() -> None:
    films = PhantomReader(World(), "films", 40, SIZE)
    drawn = DrawnReader(films, SIZE, [["pneumothorax"], ["consolidation"]])
    groups = [tuple(drawn.of(record)) for record in drawn.records]
    assert 8 <= groups.count(("pneumothorax",)) <= 32 and len(set(groups)) == 2


def test_the_same_seed_draws_the_same_and_another_seed_another(films: PhantomReader) -> None:
    def image(**given: Any) -> torch.Tensor:
        reader = DrawnReader(films, SIZE, [["consolidation"]], **given)
        return reader.load(reader.records[0]).image

    assert torch.equal(image(seed=1), image(seed=1))
    assert not torch.equal(image(seed=1), image(seed=2))


def test_a_left_lung_has_no_middle_lobe(films: PhantomReader) -> None:
    reader = DrawnReader(films, SIZE, [["consolidation"]], would={"consolidation": {"side": "left"}})
    assert all(f.lobe != "middle" for r in reader.records for f in reader.of(r).values())  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"findings": [["oedema"]]}, "oedema can't be drawn"),
        ({"findings": []}, "Nothing can't be drawn"),
        ({"findings": [["drain"]], "would": {"drain": {"side": "middle"}}}, "side of drain is 'middle'"),
        ({"findings": [["pneumothorax"]], "would": {"pneumothorax": {"size": "large"}}}, "fixes the size"),
    ],
)
def test_what_cannot_be_drawn_is_refused(films: PhantomReader, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        DrawnReader(films, SIZE, **given)


def test_a_film_without_lungs_is_refused(films: PhantomReader) -> None:
    class Bare:
        records = films.records

        def load(self, record: Record) -> Sample:
            return Sample(record, films.load(record).image)

    reader = DrawnReader(Bare(), SIZE, [["drain"]])
    with pytest.raises(ValueError, match="no mask 'right_lung'"):
        reader.load(reader.records[0])
