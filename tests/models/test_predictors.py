"""Models under test: a folder gives back what was saved; images go in, probabilities come out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from radedit.models.predictors import Classifier, Network, SegmenterWithHead, load_predictor

SIZE = 32


def make(kind: str) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if kind == "classifier":
            network = {"channels": [8, 8, 16, 16], "layers": [1, 1, 1, 1]}
            return Classifier("pneumothorax", size=SIZE, network=network).eval()
        label = "pneumothorax" if kind == "segmenter" else None
        return SegmenterWithHead(
            ["pneumothorax", "drain"], label, size=SIZE, backbone="tinynet_e", decoder_channels=(8, 8, 8, 8)
        ).eval()


KINDS = ["classifier", "segmenter", "segmenter without head"]


@pytest.fixture(params=KINDS, scope="module")
def network(request: pytest.FixtureRequest) -> Network:
    return make(request.param)


@pytest.fixture
def folder(network: Network, tmp_path: Path) -> Path:
    network.save_pretrained(tmp_path / "predictor")
    return tmp_path / "predictor"


def images(n: int = 3, size: int = SIZE) -> Tensor:
    return torch.rand((n, 1, size, size), generator=torch.Generator().manual_seed(0))


def test_weights_come_back_in_half_precision(network: Network, folder: Path) -> None:
    before, after = network.state_dict(), load_predictor(folder).state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], before[name].half().to(after[name])) for name in before)


def test_saving_what_was_loaded_writes_the_same_files(folder: Path, tmp_path: Path) -> None:
    load_predictor(folder).save_pretrained(tmp_path / "again")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_a_loaded_predictor_predicts_what_it_did(folder: Path, tmp_path: Path) -> None:
    once = load_predictor(folder)
    once.save_pretrained(tmp_path / "again")
    for a, b in zip(once.predict(images()), load_predictor(tmp_path / "again").predict(images()), strict=True):
        assert (a is None and b is None) or (a is not None and b is not None and torch.equal(a, b))


def test_the_hash_survives_saving_and_names_the_weights(network: Network, folder: Path) -> None:
    again = load_predictor(folder)
    assert again.hash == network.hash
    with torch.no_grad():
        next(again.parameters()).add_(1)
    assert again.hash != network.hash


def test_a_loaded_predictor_is_frozen_and_in_evaluation_mode(folder: Path) -> None:
    predictor = load_predictor(folder)
    assert not any(module.training for module in predictor.modules())
    assert not any(parameter.requires_grad for parameter in predictor.parameters())


def test_predictions_are_probabilities_of_the_images_size(network: Network) -> None:
    prediction = network.predict(images())
    assert (prediction.probability is None) == (network.label is None)
    assert (prediction.masks is None) == (not network.masks)
    if prediction.probability is not None:
        assert prediction.probability.shape == (3,)
    if prediction.masks is not None:
        assert prediction.masks.shape == (3, len(network.masks), SIZE, SIZE)
    for part in prediction:
        assert part is None or (part.min() >= 0 and part.max() <= 1 and not part.requires_grad)


def test_an_image_does_not_depend_on_its_batch_even_after_training_mode(network: Network) -> None:
    network.train()
    whole, alone = network.predict(images()), network.predict(images()[1:2])
    for a, b in zip(whole, alone, strict=True):
        assert a is None or b is None or torch.allclose(a[1:2], b, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 1, 64, 64), (2, 3, SIZE, SIZE), (1, SIZE, SIZE), (2, 1, SIZE, SIZE + 1)])
def test_images_of_another_shape_are_refused(network: Network, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"takes images \(B, 1, 32, 32\).*preprocess"):
        network.predict(torch.zeros(shape))


def test_truncated_weights_are_refused(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ValueError, match="damaged"):
        load_predictor(folder)


@pytest.mark.parametrize("change", [{"architecture": "radedit.Oracle"}, {"depth": 3}, {"network": 5}])
def test_a_configuration_that_fits_no_predictor_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    make("classifier").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(ValueError, match="damaged"):
        load_predictor(tmp_path)


def test_a_truncated_configuration_is_refused(folder: Path) -> None:
    config = folder / "config.json"
    config.write_text(config.read_text()[:-20])
    with pytest.raises(ValueError, match="damaged"):
        load_predictor(folder)


def test_weights_of_another_network_are_refused(folder: Path, tmp_path: Path) -> None:
    narrow = {"channels": [8, 8, 8, 8], "layers": [1, 1, 1, 1]}
    Classifier("pneumothorax", size=SIZE, network=narrow).save_pretrained(tmp_path / "other")
    (folder / "config.json").write_text((tmp_path / "other" / "config.json").read_text())
    with pytest.raises(ValueError, match="damaged"):
        load_predictor(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name} missing.*radedit.train"):
        load_predictor(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_weights_that_half_precision_cannot_hold_are_not_written(tmp_path: Path, value: float) -> None:
    network = make("classifier")
    with torch.no_grad():
        next(network.parameters()).flatten()[0] = value
    with pytest.raises(ValueError, match="diverged"):
        network.save_pretrained(tmp_path / "predictor")
    assert not (tmp_path / "predictor").exists()


def test_classifier_that_shrinks_its_images_sees_their_means(tmp_path: Path) -> None:
    """And comes back from its folder as it was; one that does not shrink keeps the name it had."""
    small = {"channels": [8, 8, 8, 8], "layers": [1, 1, 1, 1]}
    shrinks = Classifier("pneumothorax", size=SIZE, network=small, shrink=2).eval()
    coarse = torch.nn.functional.avg_pool2d(images(), 2)
    fine = torch.nn.functional.interpolate(coarse, scale_factor=2)
    assert torch.allclose(shrinks.predict(images()).probability, shrinks.predict(fine).probability, atol=1e-6)  # type: ignore[arg-type]
    shrinks.save_pretrained(tmp_path)
    assert load_predictor(tmp_path).hash == shrinks.hash
    assert "shrink" not in Classifier("pneumothorax", size=SIZE, network=small).config
