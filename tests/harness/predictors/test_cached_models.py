"""Predictions that were kept of one model are never served to another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from radedit.harness.predictors.classify import TestedModel, predict, predictions_file
from radedit.harness.predictors.own_model import own_tested_model
from radedit.harness.predictors.segment import segment
from radedit.models.adapters import built
from radedit.models.adapters.loaded import LoadedNetwork
from radedit.types import Record, Sample

SIZE = 8


class Grey:
    """Four images, white from the left to before or behind the middle."""

    records = [Record(f"r{i}", f"s{i}", {"pneumothorax": i % 2}) for i in range(4)]

    def load(self, record: Record) -> Sample:
        image = torch.zeros(1, SIZE, SIZE)
        image[..., : 3 + 2 * record.labels["pneumothorax"]] = 1
        return Sample(record, image, {})


class Signed(nn.Module):
    """Right with sign 1, wrong with −1."""

    def __init__(self, sign: float) -> None:
        super().__init__()
        self.weight, self.sign = nn.Parameter(torch.ones(1)), sign

    def forward(self, images: Tensor) -> Tensor:
        return self.sign * self.weight * (images.mean((1, 2, 3)) - 0.5)


class Called:
    def __init__(self, sign: float) -> None:
        self.sign = sign

    def __call__(self, images: Tensor) -> Tensor:
        return self.sign * (images.mean((1, 2, 3)) - 0.5)


def closed(sign: float) -> Callable[[Tensor], Tensor]:
    return lambda images: sign * (images.mean((1, 2, 3)) - 0.5)


def of_file(sign: float) -> LoadedNetwork:
    """The same network, with other weights behind one path."""
    save_file({"weight": torch.tensor([sign])}, "my.safetensors")
    return built.load(Signed(1.0), "my.safetensors")


def unhashable(sign: float) -> LoadedNetwork:
    network: Any = Signed(sign)
    network.log = Path("log").open("a")  # noqa: SIM115
    return built.load(network)


def accuracy(network: LoadedNetwork) -> float:
    tested_model: TestedModel = own_tested_model(
        name="Own", trained_on="", network=network, label="pneumothorax", masks=[], input={"size": SIZE}, output={},
        device="cpu", own_test=Grey(),
    )  # fmt: skip
    cache = predictions_file(Path("predictions"), tested_model, "in_distribution", "the same images")
    return float(predict(tested_model.predictor, Grey(), "pneumothorax", SIZE, cache=cache).correct.mean())


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(
    "make",
    [
        lambda s: built.load(Signed(s)),
        lambda s: built.load(Called(s)),
        lambda s: built.load(closed(s)),
        of_file,
        unhashable,
    ],
    ids=["constructor", "state", "closure", "weights", "unhashable"],
)
def test_second_model_does_not_get_the_predictions_of_the_first(
    make: Callable[[float], LoadedNetwork], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert [accuracy(make(sign)) for sign in (1.0, -1.0, 1.0)] == [1, 0, 1]


@pytest.mark.parametrize("bad", ["1.5", "-0.1", "nan", "inf"])
def test_kept_prediction_that_is_no_probability_is_made_again(bad: str, tmp_path: Path) -> None:
    cache = tmp_path / "kept"
    model = built.load(Signed(9.0))
    tested_model = own_tested_model(
        name="Own", trained_on="", network=model, label="pneumothorax", masks=[], input={"size": SIZE}, output={},
        device="cpu", own_test=Grey(),
    )  # fmt: skip
    right = predict(tested_model.predictor, Grey(), "pneumothorax", SIZE, cache=cache).probabilities
    kept = cache.read_text().splitlines()
    kept[2] = f'"r1",{bad}'
    cache.write_text("\n".join(kept) + "\n")
    assert (
        predict(tested_model.predictor, Grey(), "pneumothorax", SIZE, cache=cache).probabilities.tolist()
        == right.tolist()
    )


class Halves:
    """Draws the left half of every image as a lung."""

    masks = ("lung",)

    def __init__(self) -> None:
        self.asked = 0

    def predict(self, images: Tensor) -> SimpleNamespace:
        self.asked += len(images)
        drawn = torch.zeros(len(images), 1, SIZE, SIZE)
        drawn[..., : SIZE // 2] = 1
        return SimpleNamespace(masks=drawn)


class Lungs(Grey):
    def load(self, record: Record) -> Sample:
        sample = super().load(record)
        return Sample(record, sample.image, {"lung": sample.image > 0.5})


def test_kept_segmentations_of_which_a_byte_was_changed_are_made_again(tmp_path: Path) -> None:
    predictor, cache = Halves(), tmp_path / "kept.json"

    def measured() -> list[float]:
        found = segment(predictor, Lungs(), ["lung"], ["lung"], SIZE, cache=cache)
        return [float(value) for value in found.values["dice"]]

    right, whole = measured(), cache.read_bytes()
    assert measured() == right and predictor.asked == 4
    at = whole.index(b'"dice": 0.') + 10
    cache.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    assert measured() == right and predictor.asked == 8 and cache.read_bytes() == whole


@pytest.mark.parametrize("value", [float("nan"), 1.5])
def test_image_whose_prediction_is_no_probability_is_named(value: float, tmp_path: Path) -> None:
    def broken(images: Tensor) -> Tensor:
        mean = images.mean((1, 2, 3))
        return torch.where(mean > 0.5, torch.full_like(mean, value), mean)

    tested_model = own_tested_model(
        name="Own", trained_on="", network=LoadedNetwork(broken, "h"), label="pneumothorax", masks=[],
        input={"size": SIZE}, output={"kind": "probability"}, device="cpu", own_test=Grey(),
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"predicted (nan|1\.5) for image 'r1', and 2 of 4 .* in \[0, 1\]"):
        predict(tested_model.predictor, Grey(), "pneumothorax", SIZE, cache=tmp_path / "kept")
