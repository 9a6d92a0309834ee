"""A model of one's own is asked about a few films first: what is not as declared is refused, what is goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from radedit.harness.evaluate import Subject
from radedit.harness.first_films import check_first_films
from radedit.models.adapters.loaded import LoadedNetwork
from radedit.models.adapters.own_model import OwnModel
from radedit.types import Record, Sample

SIZE = 16


@dataclass
class Spots:
    """Films of 16 px with a ramp, which are all alike, and a bright spot in the middle of every other."""

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


def subject(
    network: Callable[[Tensor], Any], *, films: Spots | None = None, masks: Sequence[str] = (),
    output: dict[str, Any] | None = None, **taken: Any,
) -> Subject:  # fmt: skip
    model = OwnModel(
        LoadedNetwork(network, "hash"), label=None if masks else "pneumothorax", masks=masks,
        input={"size": SIZE, **taken}, output=output or {},
    )  # fmt: skip
    return Subject("own", "Own model", "", model, films or Spots(), "films", "hash", None, "classifier")


def for_minus_1024(images: Tensor) -> Tensor:
    """Made for [−1024, 1024]: grey levels of [0, 1] are all the same to it."""
    return ((spot(images) - 400) / 40).round().clamp(-3)


def test_model_that_is_as_declared_goes_on() -> None:
    said = check_first_films(subject(for_minus_1024, range=[-1024, 1024]), SIZE)
    assert said == "Own model on 60 films of its ordinary test set: AUROC 1.00 (1.00 to 1.00)."


def coarse(images: Tensor) -> Tensor:
    """The same, with a hint of something else in its answers, so that they are not all alike."""
    return for_minus_1024(images) + images[:, 0, 6, 6] * 1e-3 * (-1) ** torch.arange(len(images)).div(2).floor()


def test_wrong_range_is_refused_and_the_right_one_named() -> None:
    with pytest.raises(ValueError, match=r"AUROC 0\.\d+ .*, but 1\.00 .* with predictor\.input\.range=\[-1024,1024\]"):
        check_first_films(subject(coarse, range=[0, 1]), SIZE)


def test_missing_normalisation_is_named() -> None:
    def made_for_imagenet(images: Tensor) -> Tensor:
        z = images[:, :, 6:9, 6:9].mean((2, 3))  # channels are told apart by their normalisation
        return ((z[:, 2] - z[:, 0]) * 40 - 5).clamp(0) - 3 + torch.sin(1e4 * images[:, 0, 7, 7])

    with pytest.raises(ValueError, match=r"with predictor\.input\.range=\[0,1\] predictor\.input\.mean=\[0\.485,"):
        check_first_films(subject(made_for_imagenet, channels=3), SIZE)


def test_finding_that_is_ranked_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(ValueError, match="the wrong way round: predictor.output.index may be of the other class"):
        check_first_films(subject(lambda images: 3 - 9 * spot(images)), SIZE)


def test_same_answer_for_every_film_is_refused() -> None:
    with pytest.raises(ValueError, match="answers all of 60 films alike"):
        check_first_films(subject(lambda images: torch.full((len(images),), -2.0)), SIZE)


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
        check_first_films(subject(network, output={"kind": kind}), SIZE)


def test_films_without_the_declared_label_are_refused() -> None:
    with pytest.raises(ValueError, match="No film .* label 'pneumothorax'; they have covid, oedema"):
        check_first_films(subject(spot, films=Spots(labels=("oedema", "covid"))), SIZE)


def test_few_films_are_not_judged() -> None:
    said = check_first_films(subject(coarse, films=Spots(n=30), range=[0, 1]), SIZE)
    assert "30 films of its ordinary test set are too few to check the declared range by" in said


def test_model_that_is_no_better_than_chance_in_any_range_goes_on() -> None:
    said = check_first_films(subject(lambda images: torch.sin(1e4 * images[:, 0, 7, 7])), SIZE)
    assert "AUROC" in said  # a bad model is what a stress test may find


def draw(images: Tensor) -> Tensor:
    """Draws the spot, if grey levels go to 255; else everything."""
    inside = torch.zeros_like(images)
    inside[:, :, 6:9, 6:9] = 1
    is_255 = images.amax((1, 2, 3), keepdim=True) > 200
    return torch.where(is_255, inside * 20 - 10, torch.full_like(images, 10)) + images * 1e-3


def test_segmenter_is_checked_by_what_it_draws() -> None:
    said = check_first_films(subject(draw, masks=["spot"], range=[0, 255]), SIZE)
    assert "mean Dice 1.00" in said
    with pytest.raises(ValueError, match=r"mean Dice 0\.0\d .* but 1\.00 .* with predictor\.input\.range=\[0,255\]"):
        check_first_films(subject(draw, masks=["spot"]), SIZE)


def test_films_without_the_declared_masks_are_refused() -> None:
    with pytest.raises(ValueError, match="No film .* all of the masks lungs"):
        check_first_films(subject(draw, masks=["lungs"]), SIZE)
