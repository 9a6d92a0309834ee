"""A model of one's own is asked about a few images first: what is not as declared is refused, what is goes on."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from radedit.harness.predictors.classify import TestedModel
from radedit.harness.predictors.preflight import check_first_images, check_repeats, first_images
from radedit.models.adapters import torchscript
from radedit.models.adapters.loaded import LoadedNetwork
from radedit.models.adapters.own_model import OwnModel
from radedit.types import Record, Sample

SIZE = 16


@dataclass
class Spots:
    """Images of 16 px with a ramp, which are all alike, and a bright spot in the middle of every other."""

    n: int = 60
    labels: Sequence[str] = ("pneumothorax",)
    records: list[Record] = field(init=False)

    def __post_init__(self) -> None:
        self.records = [
            Record(f"r{i}", f"s{i}", dict.fromkeys(self.labels, i % 2)) for i in range(self.n)
        ]  # fmt: skip

    def load(self, record: Record) -> Sample:
        i = int(record.id[1:])
        image = torch.linspace(0, 1, SIZE * SIZE).reshape(1, SIZE, SIZE).clone()
        spot = torch.zeros(1, SIZE, SIZE, dtype=torch.bool)
        spot[:, 6:9, 6:9] = True
        image[spot] = 0.55 + 0.3 * (i % 2) + 0.001 * (i % 7)
        return Sample(record, image, {"spot": spot})


def spot(images: Tensor) -> Tensor:
    return images[:, :, 6:9, 6:9].mean((1, 2, 3))


def model_under_test(
    network: Callable[[Tensor], Any], *, images: Spots | None = None, masks: Sequence[str] = (),
    output: dict[str, Any] | None = None, **taken: Any,
) -> TestedModel:  # fmt: skip
    model = OwnModel(
        LoadedNetwork(network, "hash"), label=None if masks else "pneumothorax", masks=masks,
        input={"size": SIZE, **taken}, output=output or {},
    )  # fmt: skip
    return TestedModel("own", "Own model", "", model, images or Spots(), "images", "hash", None, "classifier")


def for_minus_1024(images: Tensor) -> Tensor:
    """Made for [−1024, 1024]: grey levels of [0, 1] are all the same to it."""
    return ((spot(images) - 400) / 40).round().clamp(-3)


def test_model_that_is_as_declared_goes_on() -> None:
    said = check_first_images(model_under_test(for_minus_1024, range=[-1024, 1024]), SIZE)
    assert said == "Own model on 60 images of its in-distribution test set: AUROC 1.00 (1.00 to 1.00)."


def coarse(images: Tensor) -> Tensor:
    """The same, with a hint of something else in its predictions, so that they are not all alike."""
    return for_minus_1024(images) + 1e-3 * torch.sin(1e4 * images[:, 0, 6, 6])


def test_wrong_range_is_refused_and_the_right_one_named() -> None:
    with pytest.raises(ValueError, match=r"AUROC 0\.\d+ .*, but 1\.00 .* with predictor\.input\.range=\[-1024,1024\]"):
        check_first_images(model_under_test(coarse, range=[0, 1]), SIZE)


def test_missing_normalisation_is_named() -> None:
    def made_for_imagenet(images: Tensor) -> Tensor:
        z = images[:, :, 6:9, 6:9].mean((2, 3))  # channels are told apart by their normalisation
        return ((z[:, 2] - z[:, 0]) * 40 - 5).clamp(0) - 3 + torch.sin(1e4 * images[:, 0, 7, 7])

    with pytest.raises(ValueError, match=r"with predictor\.input\.range=\[0,1\] predictor\.input\.mean=\[0\.485,"):
        check_first_images(model_under_test(made_for_imagenet, channels=3), SIZE)


def test_finding_that_is_ranked_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(ValueError, match="the wrong way round: predictor.output.index may be of the other class"):
        check_first_images(model_under_test(lambda images: 3 - 9 * spot(images)), SIZE)


def test_same_prediction_for_every_image_is_refused() -> None:
    with pytest.raises(ValueError, match="predicts the same for all 60 images"):
        check_first_images(model_under_test(lambda images: torch.full((len(images),), -2.0)), SIZE)


@pytest.mark.parametrize(
    ("network", "kind", "message"),
    [
        (lambda images: 9 * spot(images) - 6, "probability", "no probabilities. Say predictor.output.kind=logit"),
        (spot, "logit", "as probabilities do, but predictor.output.kind is logit"),
        (lambda images: spot(images) / 0, "logit", "not finite"),
    ],
)
def test_numbers_that_mean_something_else_are_refused(
    network: Callable[[Tensor], Tensor], kind: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_first_images(model_under_test(network, output={"kind": kind}), SIZE)


def test_images_without_the_declared_label_are_refused() -> None:
    with pytest.raises(ValueError, match="No image .* label 'pneumothorax'; they have covid, oedema"):
        check_first_images(model_under_test(spot, images=Spots(labels=("oedema", "covid"))), SIZE)


def test_few_images_are_not_judged() -> None:
    said = check_first_images(model_under_test(coarse, images=Spots(n=30), range=[0, 1]), SIZE)
    assert "30 images of its test set are too few to check the declared range" in said


def test_model_that_is_no_better_than_chance_in_any_range_goes_on() -> None:
    said = check_first_images(model_under_test(lambda images: torch.sin(1e4 * images[:, 0, 7, 7])), SIZE)
    assert "AUROC" in said  # a bad model is what a stress test may find


def draw(images: Tensor) -> Tensor:
    """Draws the spot, if grey levels go to 255; else everything."""
    inside = torch.zeros_like(images)
    inside[:, :, 6:9, 6:9] = 1
    is_255 = images.amax((1, 2, 3), keepdim=True) > 200
    return torch.where(is_255, inside * 20 - 10, torch.full_like(images, 10)) + images * 1e-3


def test_segmenter_is_checked_by_what_it_draws() -> None:
    said = check_first_images(model_under_test(draw, masks=["spot"], range=[0, 255]), SIZE)
    assert "mean Dice 1.00" in said
    with pytest.raises(ValueError, match=r"mean Dice 0\.0\d .* but 1\.00 .* with predictor\.input\.range=\[0,255\]"):
        check_first_images(model_under_test(draw, masks=["spot"]), SIZE)


def test_images_without_the_declared_masks_are_refused() -> None:
    with pytest.raises(ValueError, match="No image .* all of the masks lungs"):
        check_first_images(model_under_test(draw, masks=["lungs"]), SIZE)


# Asked twice, and in another batch


class Dropping(torch.nn.Module):
    """A sound model, which was exported in training mode."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.nn.functional.dropout(9 * spot(images) - 6, 0.3, training=True)


def normalising(images: Tensor) -> Tensor:
    """A sound model, whose batch normalisation takes its statistics from the batch."""
    maps = torch.nn.functional.batch_norm(images, None, None, training=True)
    return 4 * maps[:, :, 6:9, 6:9].mean((1, 2, 3))


def ranked_in_its_batch(images: Tensor) -> Tensor:
    return 9 * (spot(images) / spot(images).max()) - 7


def by_its_place(images: Tensor) -> Tensor:
    return 9 * spot(images) - 6 + 0.3 * torch.arange(len(images))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Dropping(), "is asked twice about the same images and predicts otherwise: .* dropout in training mode"),
        (normalising, "when others are in its batch: .* batch normalisation in training mode"),
        (ranked_in_its_batch, "when others are in its batch"),
        (by_its_place, "when others are in its batch"),
    ],
)
def test_model_whose_predictions_are_not_of_the_image_alone_is_refused(network: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_first_images(model_under_test(network), SIZE)
    with pytest.raises(ValueError, match=message):
        check_repeats(model_under_test(network).predictor, first_images(Spots(), SIZE))  # type: ignore[arg-type]


def test_few_images_are_asked_twice_too() -> None:
    torch.manual_seed(0)  # else six images may be dropped alike both times
    with pytest.raises(ValueError, match="is asked twice"):
        check_first_images(model_under_test(Dropping(), images=Spots(n=6)), SIZE)


def test_segmenter_that_draws_at_random_is_refused() -> None:
    def at_random(images: Tensor) -> Tensor:
        return draw(images) + torch.randn_like(images)

    with pytest.raises(ValueError, match="is asked twice"):
        check_first_images(model_under_test(at_random, masks=["spot"], range=[0, 255]), SIZE)


def test_rounding_of_half_precision_is_no_other_prediction() -> None:
    def half(images: Tensor) -> Tensor:
        """Sums in another order when the batch is another, as a GPU does."""
        weights = torch.linspace(0.9, 1.1, SIZE * SIZE).half()[torch.arange(SIZE * SIZE).roll(len(images))]
        flat = images.flatten(1).half().roll(len(images), 1)
        return 9 * spot(images) - 6 + (flat * weights).sum(1).float() / 1e4

    assert "AUROC 1.00" in check_first_images(model_under_test(half), SIZE)


def test_exported_in_training_mode_is_refused_from_its_file(tmp_path: Path) -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dropout = torch.nn.Dropout(0.5)

        def forward(self, images: Tensor) -> Tensor:
            return 9 * self.dropout(images[:, :, 6:9, 6:9].flatten(1)).mean(1) - 6

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(Net().train(), torch.rand(2, 1, SIZE, SIZE), check_trace=False).save(str(tmp_path / "my.pt"))
    with pytest.raises(ValueError, match=r"is asked twice .* Export it again after model\.eval\(\)"):
        check_first_images(model_under_test(torchscript.load(tmp_path / "my.pt").prediction), SIZE)


@pytest.mark.parametrize("masks", [(), ("spot",)])
def test_model_that_ends_in_squeeze_is_asked_about_one_image_too(masks: tuple[str, ...]) -> None:
    def squeezed(images: Tensor) -> Tensor:
        return (draw(255 * images) if masks else (9 * spot(images) - 6)[:, None]).squeeze()

    assert " 1.00 (" in check_first_images(model_under_test(squeezed, masks=masks), SIZE)


# What ranks well, and says the same of every image


def test_softmax_over_a_multi_label_head_is_refused() -> None:
    def fourteen(images: Tensor) -> Tensor:
        others = 3 + torch.cos(1e3 * images[:, 0, 7, 7:8] + torch.arange(13))
        return torch.cat([(9 * spot(images) - 6)[:, None], others], 1)

    assert "AUROC 1.00" in check_first_images(model_under_test(fourteen, output={"index": 0}), SIZE)
    with pytest.raises(ValueError, match="softmax over 14 outputs .* say predictor.output.kind=logit"):
        check_first_images(model_under_test(fourteen, output={"index": 0, "kind": "softmax"}), SIZE)


def test_range_under_which_every_image_is_negative_is_refused_and_the_advice_is_right() -> None:
    def made_for_255(images: Tensor) -> Tensor:
        return (spot(images) - 178) / 10

    with pytest.raises(ValueError, match="one side of the threshold; with .* its accuracy is 1.00") as refused:
        check_first_images(model_under_test(made_for_255), SIZE)
    assert "predictor.input.range=[0,255]" in str(refused.value)
    check_first_images(model_under_test(made_for_255, range=[0, 255]), SIZE)


def test_model_with_a_wrong_threshold_and_no_better_range_goes_on() -> None:
    said = check_first_images(model_under_test(lambda images: spot(images) - 6), SIZE)
    assert "AUROC 1.00" in said and "all of them lie on one side of its threshold" in said
