"""Is the edit good? Measured where the truth is drawn, so that the measures themselves can be judged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from radedit.data.datasets.phantom import PhantomDataset
from radedit.harness.evidence.known_truth import Regions, Truth, gap_closed, quality, reference_images
from radedit.harness.evidence.oracle import low_pass, shows
from radedit.masks import lesion_and_device
from radedit.models.bundle.bundle import Bundle
from radedit.phantom.world import World
from radedit.studies.editors.benchmark import Row, best_weights, edit_mask_variants, summarise
from radedit.types import Randn

SIZE, FACTOR = 128, 4  # as the shipped generator's; errors are low-pass in pixels, so a smaller image is another test
N, FEW = 48, 12


@dataclass
class Lossless(Bundle):
    """A generator whose autoencoder is the identity."""

    size: int = SIZE

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def encode(self, images: Tensor, randn: Randn | None = None) -> Tensor:
        return images

    def decode(self, latents: Tensor) -> Tensor:
        return latents


@pytest.fixture(scope="module")
def dataset() -> PhantomDataset:
    world = World(seed=3, prevalence={"pneumothorax": 0.6, "consolidation": 0.2}, drain_given=(0.3, 0.8))
    return PhantomDataset(world, "benchmark", N, SIZE, where={"pneumothorax": 1, "drain": 1})


@pytest.fixture(scope="module")
def all_truth(dataset: PhantomDataset) -> Truth:
    return Truth.of(dataset, [record.id for record in dataset.records], Lossless(), "pneumothorax", "drain")


@pytest.fixture(scope="module")
def truth(all_truth: Truth) -> Truth:
    """The first images' alone."""
    images = {name: value[:FEW] for name, value in vars(all_truth).items()}
    return Truth(**images)


@pytest.fixture(scope="module")
def regions(truth: Truth) -> Regions:
    edit, keep = zip(*(lesion_and_device(sample) for sample in truth.samples), strict=True)
    return Regions.of(torch.stack(edit), torch.stack(keep), FACTOR)


def share(verdict: Tensor) -> float:
    return float(verdict.float().mean())


def drain(images: Tensor, truth: Truth) -> Tensor:
    """Whether the oracle sees the drain, whatever became of the pneumothorax."""
    return shows(
        images, truth.counterfactual_vae, truth.neither_vae, beside=(truth.source_vae, truth.counterfactual_vae)
    )


def pneumothorax(images: Tensor, truth: Truth) -> Tensor:
    return shows(images, truth.source_vae, truth.counterfactual_vae)


def test_low_pass_is_torchvisions() -> None:
    images = torch.rand(2, 1, 40, 40, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(low_pass(images), gaussian_blur(images, [13, 13], [2.0, 2.0]))


@pytest.mark.slow
def test_oracle_is_right_on_counterfactuals_with_another_texture(all_truth: Truth) -> None:
    """≥ 98 % on 48 counterfactuals whose vessels, mottle and grain the oracle has not seen."""
    assert share(~pneumothorax(all_truth.rerendered, all_truth)) >= 0.98
    assert share(drain(all_truth.rerendered, all_truth)) >= 0.98


def test_oracle_is_right_on_all_four_of_with_and_without(all_truth: Truth) -> None:
    grain = 0.05 * torch.randn(all_truth.source.shape, generator=torch.Generator().manual_seed(0))
    neither = all_truth.neither_vae
    pneumothorax_alone = all_truth.source - all_truth.counterfactual + neither
    for image, air, tube in (
        (all_truth.source, True, True),
        (all_truth.counterfactual, False, True),
        (neither, False, False),
        (pneumothorax_alone, True, False),
    ):
        assert share(pneumothorax(image + grain, all_truth) == air) >= 0.98, (air, tube)
        assert share(drain(image + grain, all_truth) == tube) >= 0.98, (air, tube)


def test_oracle_turns_half_way(truth: Truth) -> None:
    """An image in which 60 % of an object are left shows it; one with 40 % does not."""

    def between(one: Tensor, other: Tensor, weight: float) -> Tensor:
        return weight * one + (1 - weight) * other

    for weight, present in ((0.6, True), (0.4, False)):
        image = between(truth.source, truth.counterfactual, weight)
        assert (pneumothorax(image, truth) == present).all() and drain(image, truth).all()
        assert (drain(between(truth.counterfactual, truth.neither_vae, weight), truth) == present).all()


def test_true_counterfactual_is_a_success_without_error(truth: Truth, regions: Regions) -> None:
    found = quality(truth.counterfactual, truth, regions)
    assert (found["success"] == 1).all()
    for name in ("edit", "keep", "border", "elsewhere"):
        assert found[f"error_{name}"].max() == 0
    torch.testing.assert_close(found["variance_ratio"], torch.ones(FEW))


def test_doing_nothing_keeps_the_drain_but_is_no_success(truth: Truth, regions: Regions) -> None:
    found = quality(truth.source, truth, regions)
    assert found["kept"].mean() == found["clean"].mean() == 1
    assert found["gone"].max() == found["success"].max() == 0


def test_losing_the_drain_is_no_success(truth: Truth, regions: Regions) -> None:
    found = quality(truth.neither_vae, truth, regions)
    assert found["gone"].mean() == 1 and share(found["kept"]) <= 0.02 and share(found["success"]) <= 0.02


def test_changing_the_rest_is_no_success(truth: Truth, regions: Regions) -> None:
    """A veil over everything outside both masks and their border, of more than the limit."""
    found = quality((truth.counterfactual + 6 / 255 * regions.elsewhere).clamp(0, 1), truth, regions)
    assert share(found["clean"]) <= 0.02 and share(found["success"]) <= 0.02
    assert found["gone"].mean() == 1


def test_blurring_inside_the_mask_lowers_the_variance_ratio(truth: Truth, regions: Regions) -> None:
    smooth = torch.nn.functional.avg_pool2d(truth.counterfactual, 9, 1, 4, count_include_pad=False)
    found = quality(torch.where(regions.edit, smooth, truth.counterfactual), truth, regions)
    assert found["variance_ratio"].median() < 0.7


def test_regions_part_the_image(regions: Regions) -> None:
    for one, two in (
        ("edit", "keep"),
        ("border", "keep"),
        ("elsewhere", "edit"),
        ("elsewhere", "keep"),
        ("elsewhere", "border"),
    ):
        assert not (getattr(regions, one) & getattr(regions, two)).any(), (one, two)
    assert (regions.edit | regions.keep | regions.border | regions.elsewhere).all()
    for name in ("edit", "keep", "border", "elsewhere"):
        assert getattr(regions, name).flatten(1).any(1).all(), name


def test_border_lies_on_both_sides_of_the_edit_masks_edge(regions: Regions) -> None:
    square, none = torch.zeros(1, 1, 64, 64, dtype=torch.bool), torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    square[..., 20:40, 20:40] = True
    border = Regions.of(square, none, 2).border[0, 0, 30]
    assert border.nonzero().flatten().tolist() == [*range(16, 24), *range(36, 44)]  # ± 2 cells of 2 px


def test_gap_is_closed_by_the_rerendered_counterfactual_and_not_by_no_edit(truth: Truth, regions: Regions) -> None:
    images = reference_images(truth, regions) | {"half": 0.5 * (truth.source + truth.counterfactual)}
    error = {name: float(quality(f, truth, regions)["error_edit"].mean()) for name, f in images.items()}
    assert gap_closed(error, "no edit") == 0 and gap_closed(error, "re-rendered counterfactual") == 1
    assert 0.2 < gap_closed(error, "half") < 0.95
    assert error["VAE of the counterfactual"] == 0 and error["re-rendered counterfactual"] < 0.5 * error["no edit"]


def test_rerendered_counterfactual_is_the_counterfactual_outside_the_mask_and_another_texture_inside(
    truth: Truth, regions: Regions
) -> None:
    image = reference_images(truth, regions)["re-rendered counterfactual"]
    assert torch.equal(image[~regions.edit], truth.counterfactual[~regions.edit])
    assert (image - truth.counterfactual)[regions.edit].abs().mean() > 1 / 255


def test_variants_of_the_mask_miss_the_border_and_are_off(regions: Regions) -> None:
    for mask in regions.edit[:8]:
        variants = edit_mask_variants(mask)
        assert torch.equal(variants["exact"], mask)
        assert not (variants["eroded"] & ~mask).any() and variants["eroded"].sum() < mask.sum()
        assert torch.equal(variants["shifted"][..., 3:], mask[..., :-3])  # 12 px of 512


def test_images_of_another_size_than_the_generators_are_refused(dataset: PhantomDataset) -> None:
    with pytest.raises(ValueError, match="128 px.*64"):
        Truth.of(dataset, [dataset.records[0].id], replace(Lossless(), size=64), "pneumothorax", "drain")


def rows(name: str, w: float | None, error: float, success: float, n: int = 4) -> list[Row]:
    return [Row(name, w, "exact", f"r{i}", f"s{i}", {"success": success, "error_edit": error}) for i in range(n)]


def test_best_weight_succeeds_most_then_errs_least() -> None:
    found = [
        *rows("radedit", 2, 1.0, 0.50), *rows("radedit", 5, 9.0, 0.75), *rows("radedit", 15, 8.0, 0.75),
        *rows("lance", 2, 3.0, 0.0), *rows("lance", 5, 4.0, 0.0), *rows("no edit", None, 0.0, 1.0),
    ]  # fmt: skip
    assert best_weights(found) == {"radedit": 15, "lance": 2}


def test_summary_averages_each_editor_at_each_weight() -> None:
    table = summarise(
        rows("no edit", None, 10, 0)
        + rows("re-rendered counterfactual", None, 2, 1)
        + rows("radedit", 2, 4, 1)
        + rows("radedit", 5, 8, 0.5)
    )
    found = {(row["editor"], row["w"]): (row["gap_closed"], row["success"]["value"], row["n"]) for row in table}
    assert found == {
        ("no edit", None): (0, 0, 4), ("re-rendered counterfactual", None): (1, 1, 4),
        ("radedit", 2): (0.75, 1, 4), ("radedit", 5): (0.25, 0.5, 4),
    }  # fmt: skip


@pytest.mark.slow
def test_oracle_is_right_on_counterfactuals_through_the_shipped_autoencoder(
    dataset: PhantomDataset, repository: Path
) -> None:
    bundle = Bundle.load(repository / "radedit" / "weights" / "phantom")
    truth = Truth.of(dataset, [record.id for record in dataset.records], bundle, "pneumothorax", "drain")
    through = bundle.decode(bundle.encode(truth.rerendered))
    assert share(~pneumothorax(through, truth)) >= 0.98
    assert share(drain(through, truth)) >= 0.98
    assert share(drain(truth.source_vae, truth)) == share(pneumothorax(truth.source_vae, truth)) == 1
    assert share(drain(truth.neither_vae, truth)) == 0
