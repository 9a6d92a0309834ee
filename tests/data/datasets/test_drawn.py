"""Findings drawn onto images that were taken: here, onto phantoms that stand for them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from radedit.data.datasets.drawn import DrawnDataset
from radedit.data.datasets.phantom import PhantomDataset
from radedit.phantom.world import World
from radedit.types import Record, Sample

SIZE = 64
SIDES = ("left", "right")


@pytest.fixture
def images() -> PhantomDataset:
    return PhantomDataset(World(), "images", 4, SIZE, where={"pneumothorax": 0, "drain": 0, "consolidation": 0})


def lower_half(mask: torch.Tensor) -> torch.Tensor:
    rows = mask[0].any(1).nonzero()
    below = torch.zeros_like(mask)
    below[:, int(rows.float().mean()) :] = True
    return below


def before(images: PhantomDataset, record: Record) -> Sample:
    return images.load(next(r for r in images.records if r.id == record.id))


@pytest.mark.parametrize("side", SIDES)
def test_a_consolidation_brightens_its_own_lung_only(images: PhantomDataset, side: str) -> None:
    drawn = DrawnDataset(images, SIZE, [["consolidation"]], would={"consolidation": {"side": side, "lobe": "upper"}})
    for record in drawn.records:
        was, after = before(images, record), drawn.load(record)
        change = after.image - was.image
        lung, other = (was.masks[f"{s}_lung"] for s in (side, SIDES[side == "left"]))
        assert change.min() >= 0
        assert change[lung].mean() > 0.01 and change[other].abs().mean() < 0.002
        assert change[lung & ~lower_half(lung)].mean() > 3 * change[lung & lower_half(lung)].mean()
        assert after.masks["consolidation"].any() and not (after.masks["consolidation"] & ~lung).any()


@pytest.mark.parametrize("side", SIDES)
def test_a_pneumothorax_darkens_the_lateral_rim_of_its_own_lung(images: PhantomDataset, side: str) -> None:
    drawn = DrawnDataset(images, SIZE, [["pneumothorax"]], would={"pneumothorax": {"side": side}})
    columns = torch.arange(SIZE).expand(1, SIZE, SIZE).float()
    for record in drawn.records:
        was, after = before(images, record), drawn.load(record)
        air, lung = after.masks["pneumothorax"], was.masks[f"{side}_lung"]
        assert air.any() and not (air & ~lung).any()
        assert (after.image - was.image)[air].mean() < -0.01
        shared = [row for row in range(SIZE) if air[0, row].any() and (lung & ~air)[0, row].any()]
        means = [(columns[0, r][m[0, r]].mean() for m in (air, lung & ~air)) for r in shared]
        outwards = [float(rim - rest) for rim, rest in means]
        assert len(shared) > SIZE // 8 and (min(outwards) > 0 if side == "left" else max(outwards) < 0)


def test_a_drain_is_a_bright_tube_from_outside_the_lung_into_it_on_the_pneumothorax_side(
    images: PhantomDataset,
) -> None:
    drawn = DrawnDataset(images, SIZE, [["pneumothorax", "drain"]])
    for record in drawn.records:
        after, finding = drawn.load(record), drawn.of(record)
        tube, lung = after.masks["drain"], after.masks[f"{finding['drain'].side}_lung"]
        assert finding["drain"].side == finding["pneumothorax"].side
        assert (tube & lung).any() and (tube & ~lung).any()
        without = drawn.counterfactual(record, without=["drain"])
        assert (after.image - without)[tube].mean() > 0.05
        assert (after.image - without)[~tube].abs().mean() < 0.01


def test_without_any_of_its_findings_an_image_is_as_it_was_taken(images: PhantomDataset) -> None:
    drawn = DrawnDataset(images, SIZE, [["pneumothorax", "drain"]])
    for record in drawn.records:
        bare = drawn.counterfactual(record, without=["pneumothorax", "drain"])
        assert torch.equal(bare, before(images, record).image)


def test_a_dataset_without_a_finding_draws_the_others_as_before(images: PhantomDataset) -> None:
    both = DrawnDataset(images, SIZE, [["pneumothorax", "drain"], ["consolidation", "drain"]])
    counterfactuals = DrawnDataset(images, SIZE, both.findings, without=["pneumothorax"])
    for record, counterfactual in zip(both.records, counterfactuals.records, strict=True):
        assert counterfactual.labels.get("pneumothorax") == 0 and counterfactual.labels["drain"] == 1
        expected = both.counterfactual(record, without=["pneumothorax"])
        assert torch.equal(counterfactuals.load(counterfactual).image, expected)


def test_another_texture_keeps_what_is_coarse(images: PhantomDataset) -> None:
    drawn = DrawnDataset(images, SIZE, [["pneumothorax"]])
    record = drawn.records[0]
    plain, other = (drawn.counterfactual(record, without=["pneumothorax"], other_texture=o) for o in (False, True))
    assert not torch.equal(plain, other)
    coarse = torch.nn.functional.avg_pool2d
    inner = (slice(None), slice(2, -2), slice(2, -2))  # the border of the image has edges that are rolled along
    change = (coarse(plain, 8) - coarse(other, 8))[inner].abs().mean()
    assert change < 0.015 and (plain - other).abs().mean() > 2 * change


def test_the_report_names_what_was_drawn_and_denies_nothing(images: PhantomDataset) -> None:
    drawn = DrawnDataset(images, SIZE, [["consolidation"]], seed=1)
    for record in drawn.records:
        assert record.labels["consolidation"] == 1
        assert record.report and not record.report.startswith("No ")


def test_the_lot_gives_every_group_some_images() -> None:
    images = PhantomDataset(World(), "images", 40, SIZE)
    drawn = DrawnDataset(images, SIZE, [["pneumothorax"], ["consolidation"]])
    groups = [tuple(drawn.of(record)) for record in drawn.records]
    assert 8 <= groups.count(("pneumothorax",)) <= 32 and len(set(groups)) == 2


def test_the_same_seed_draws_the_same_and_another_seed_another(images: PhantomDataset) -> None:
    def image(**given: Any) -> torch.Tensor:
        dataset = DrawnDataset(images, SIZE, [["consolidation"]], **given)
        return dataset.load(dataset.records[0]).image

    assert torch.equal(image(seed=1), image(seed=1))
    assert not torch.equal(image(seed=1), image(seed=2))


def test_a_left_lung_has_no_middle_lobe(images: PhantomDataset) -> None:
    dataset = DrawnDataset(images, SIZE, [["consolidation"]], would={"consolidation": {"side": "left"}})
    assert all(f.lobe != "middle" for r in dataset.records for f in dataset.of(r).values())  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"findings": [["oedema"]]}, "oedema can't be drawn"),
        ({"findings": []}, "Nothing can't be drawn"),
        ({"findings": [["drain"]], "would": {"drain": {"side": "middle"}}}, "side of drain is 'middle'"),
        ({"findings": [["pneumothorax"]], "would": {"pneumothorax": {"size": "large"}}}, "fixes the size"),
    ],
)
def test_what_cannot_be_drawn_is_refused(images: PhantomDataset, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        DrawnDataset(images, SIZE, **given)


def test_an_image_without_lungs_is_refused(images: PhantomDataset) -> None:
    class Bare:
        records = images.records

        def load(self, record: Record) -> Sample:
            return Sample(record, images.load(record).image)

    dataset = DrawnDataset(Bare(), SIZE, [["drain"]])
    with pytest.raises(ValueError, match="no mask 'right_lung'"):
        dataset.load(dataset.records[0])
