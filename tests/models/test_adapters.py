"""Own models by format: each predictions as its source model does, and what is not as declared is refused on
loading.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from radedit.models.adapters import built, exported, monai, onnx, timm, torchscript, torchxrayvision, transformers
from radedit.models.adapters.loaded import LoadedNetwork
from radedit.models.adapters.own_model import OwnModel
from tests.models.networks import Net, seeded

SIDE = 32


def radiographs(n: int = 10, side: int = SIDE) -> Tensor:
    return torch.rand((n, 1, side, side), generator=torch.Generator().manual_seed(1))


def declared(network: LoadedNetwork, *, channels: int = 1, side: int = SIDE, **output: Any) -> OwnModel:
    return OwnModel(
        network, label="pneumothorax", input={"size": side, "range": [-1, 1], "channels": channels},
        output={"index": 0, **output},
    )  # fmt: skip


def as_declared(images: Tensor, channels: int = 1) -> Tensor:
    """What the declaration above makes of images, written by hand."""
    return (2 * images - 1).repeat(1, channels, 1, 1)


def check_predictions(model: OwnModel, source: Callable[[Tensor], Tensor], channels: int = 1, side: int = SIDE) -> None:
    """Ten images, one by one in a batch, to 1e-4."""
    with torch.no_grad():
        expected = source(as_declared(radiographs(side=side), channels))
    torch.testing.assert_close(model.numbers(radiographs(side=side)), expected, atol=1e-4, rtol=0)
    probability = model.predict(radiographs(side=side)).probability
    torch.testing.assert_close(probability, expected[:, 0].sigmoid(), atol=1e-4, rtol=0)


@pytest.fixture
def net() -> Net:
    network: Net = seeded(Net)
    return network


@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated")
def test_torchscript_predictions_as_its_source(net: Net, tmp_path: Path) -> None:
    torch.jit.trace(net, radiographs(2)).save(str(tmp_path / "my.pt"))
    check_predictions(declared(torchscript.load(tmp_path / "my.pt")), net)


def test_exported_program_predictions_as_its_source(net: Net, tmp_path: Path) -> None:
    batch = torch.export.Dim("batch")
    torch.export.save(torch.export.export(net, (radiographs(2),), dynamic_shapes=({0: batch},)), tmp_path / "my.pt2")
    network = exported.load(tmp_path / "my.pt2")
    assert network.shape == (None, 1, SIDE, SIDE)
    check_predictions(declared(network), net)


@pytest.mark.parametrize("batch", [1, 4])
def test_exported_program_of_a_fixed_batch_is_asked_in_parts(batch: int, net: Net, tmp_path: Path) -> None:
    torch.export.save(torch.export.export(net, (radiographs(batch),)), tmp_path / "my.pt2")
    check_predictions(declared(exported.load(tmp_path / "my.pt2")), net)


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    path = tmp_path_factory.mktemp("onnx") / "my.onnx"
    batch = torch.export.Dim("batch")
    torch.onnx.export(
        seeded(Net), (radiographs(2),), str(path), dynamo=True, dynamic_shapes=({0: batch},), verbose=False
    )
    return path


def test_onnx_predictions_as_its_source(onnx_file: Path, net: Net) -> None:
    check_predictions(declared(onnx.load(onnx_file)), net)


@pytest.mark.parametrize("changed", [{"side": 64}, {"channels": 3}])
def test_onnx_of_a_fixed_other_shape_is_refused_on_loading(onnx_file: Path, changed: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"takes batches of shape \(free, 1, 32, 32\), but images of .* were declared"):
        declared(onnx.load(onnx_file), **changed)


def test_onnx_in_another_layout_is_refused_on_loading(onnx_file: Path) -> None:
    with pytest.raises(ValueError, match="nhwc were declared"):
        OwnModel(onnx.load(onnx_file), label="x", input={"size": SIDE, "layout": "nhwc"}, output={})


def test_timm_predictions_as_its_source(tmp_path: Path) -> None:
    import timm as library

    source = seeded(lambda: library.create_model("resnet10t", in_chans=3, num_classes=2))
    save_file(source.state_dict(), tmp_path / "my.safetensors")
    model = declared(timm.load("resnet10t", tmp_path / "my.safetensors", channels=3, classes=2), channels=3)
    check_predictions(model, source, channels=3)


def test_timm_takes_a_checkpoint_of_a_training_script(tmp_path: Path) -> None:
    import timm as library

    source = seeded(lambda: library.create_model("resnet10t", in_chans=1, num_classes=1))
    weights = {f"module.{name}": value for name, value in source.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": weights}, tmp_path / "my.pth")
    check_predictions(declared(timm.load("resnet10t", tmp_path / "my.pth", channels=1, classes=1)), source)


@pytest.fixture
def vit(tmp_path: Path) -> tuple[Any, Path]:
    """A tiny image classifier of transformers, and its folder."""
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=SIDE,
        patch_size=8, id2label={0: "No Finding", 1: "Pneumothorax"}, label2id={"No Finding": 0, "Pneumothorax": 1},
    )  # fmt: skip
    source = seeded(lambda: ViTForImageClassification(config))
    source.save_pretrained(tmp_path / "vit")
    return source, tmp_path / "vit"


def test_transformers_predictions_as_its_source(vit: tuple[Any, Path]) -> None:
    source, folder = vit
    model = declared(transformers.load(folder), channels=3)
    check_predictions(model, lambda batch: source(pixel_values=batch).logits, channels=3)


def test_output_is_found_by_its_name(vit: tuple[Any, Path]) -> None:
    source, folder = vit
    model = declared(transformers.load(folder), channels=3, index=None, kind="softmax")
    with torch.no_grad():
        expected = source(pixel_values=as_declared(radiographs(), 3)).logits.softmax(1)[:, 1]
    torch.testing.assert_close(model.predict(radiographs()).probability, expected, atol=1e-4, rtol=0)


def test_label_that_the_model_has_not_is_refused(vit: tuple[Any, Path]) -> None:
    with pytest.raises(ValueError, match="no output 'oedema'; it has 0 No Finding, 1 Pneumothorax"):
        OwnModel(transformers.load(vit[1]), label="oedema", input={"size": SIDE, "channels": 3}, output={})


def test_normalisation_that_the_folder_contradicts_is_refused(vit: tuple[Any, Path]) -> None:
    said = {"do_normalize": True, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    (vit[1] / "preprocessor_config.json").write_text(json.dumps(said))
    declared(transformers.load(vit[1]), channels=3)  # [-1, 1] is the same
    with pytest.raises(ValueError, match=r"mean null, .* own files say .* Say predictor.input.mean=\[0.5,0.5,0.5\] "):
        OwnModel(transformers.load(vit[1]), label="pneumothorax", input={"size": SIDE, "channels": 3}, output={})


def test_pickle_in_a_transformers_folder_is_refused(vit: tuple[Any, Path]) -> None:
    (vit[1] / "model.safetensors").rename(vit[1] / "pytorch_model.bin")
    with pytest.raises(ValueError, match="no .safetensors file. A pickle"):
        transformers.load(vit[1])


def test_torchxrayvision_predictions_as_its_source(tmp_path: Path) -> None:
    library = pytest.importorskip("torchxrayvision")
    source = seeded(lambda: library.models.DenseNet(weights=None))
    save_file(source.state_dict(), tmp_path / "my.safetensors")
    network = torchxrayvision.load(path=tmp_path / "my.safetensors")
    assert network.classes[3] == "Pneumothorax"
    model = OwnModel(network, label="pneumothorax", input={"size": 224, "range": [-1024, 1024]}, output={})
    images = radiographs(side=224)
    with torch.no_grad():
        expected = source(2048 * images - 1024)
    torch.testing.assert_close(model.numbers(images), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(model.predict(images).probability, expected[:, 3].sigmoid(), atol=1e-4, rtol=0)


def test_absent_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for package in ("onnxruntime", "torchxrayvision"):
        monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "my.onnx").write_bytes(b"")
    with pytest.raises(ValueError, match="pip install onnxruntime"):
        onnx.load(tmp_path / "my.onnx")
    with pytest.raises(ValueError, match="pip install torchxrayvision"):
        torchxrayvision.load("densenet121-res224-all")


def write_bundle(folder: Path, **network: Any) -> Any:
    """A bundle of MONAI with a small network, which is returned."""
    from monai.networks import nets

    given: dict[str, Any] = {"in_shape": [1, SIDE, SIDE], "out_shape": [2], "channels": [4, 8], "strides": [2, 2]}
    source = seeded(lambda: nets.Regressor(**given))  # type: ignore[attr-defined]
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    definition = {"_target_": "Regressor", **given, "channels": "@widths", **network}
    (folder / "configs/inference.json").write_text(json.dumps({"widths": [4, 8], "network_def": definition}))
    torch.save(source.state_dict(), folder / "models/model.pt")
    return source


def test_monai_bundle_predictions_as_its_source(tmp_path: Path) -> None:
    source = write_bundle(tmp_path / "bundle")
    check_predictions(declared(monai.load(tmp_path / "bundle")), source)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": "$__import__('os').remove('x')"}, "expression .* is not run"),
        ({"_target_": "os.system"}, "system, which is no network of monai"),
        ({"channels": [4, 16]}, "of another shape"),
    ],
)
def test_no_code_of_a_monai_bundle_is_run(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle", **change)
    with pytest.raises(ValueError, match=message):
        monai.load(tmp_path / "bundle")


def test_what_own_code_builds_predictions_as_itself(net: Net, tmp_path: Path) -> None:
    save_file(net.state_dict(), tmp_path / "my.safetensors")
    check_predictions(declared(built.load(Net(), tmp_path / "my.safetensors")), net)
    check_predictions(declared(built.load(net)), net)


# Weights


class Payload:
    """An object whose unpickling would write a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("was-run"),)


def test_pickle_offered_as_weights_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save({"state_dict": Payload()}, tmp_path / "my.pth")
    with pytest.raises(ValueError, match="is a pickle that holds more than weights"):
        built.load(Net(), tmp_path / "my.pth")
    assert not Path("was-run").exists()


def test_whole_model_offered_as_weights_is_refused(net: Net, tmp_path: Path) -> None:
    torch.save(net, tmp_path / "my.pth")
    with pytest.raises(ValueError, match="save its weights alone"):
        built.load(Net(), tmp_path / "my.pth")


@pytest.mark.parametrize(("channels", "classes", "message"), [(3, 1, "another shape"), (1, 2, "another shape")])
def test_weights_of_another_network_are_refused(channels: int, classes: int, message: str, tmp_path: Path) -> None:
    save_file(Net(channels, classes).state_dict(), tmp_path / "my.safetensors")
    with pytest.raises(ValueError, match=message):
        built.load(Net(), tmp_path / "my.safetensors")


@pytest.mark.parametrize("load", [torchscript.load, exported.load, onnx.load])
def test_file_of_another_format_is_refused(load: Callable[[Path], LoadedNetwork], net: Net, tmp_path: Path) -> None:
    if load is onnx.load:
        pytest.importorskip("onnxruntime")
    torch.save(net.state_dict(), tmp_path / "my.pt2")
    with pytest.raises(ValueError, match=r"my\.pt2"):
        load(tmp_path / "my.pt2")
    with pytest.raises(FileNotFoundError, match=r"no .* gone\.pt"):
        load(Path("gone.pt"))


# Declarations


def predicting(prediction: Any) -> LoadedNetwork:
    """A network with a fixed prediction for each of two images."""
    return LoadedNetwork(lambda batch: prediction, "hash")


@pytest.mark.parametrize(
    ("prediction", "output", "message"),
    [
        (torch.zeros(2, 3), {}, "3 numbers for each image. Say which is pneumothorax"),
        (torch.zeros(2, 3), {"index": 3}, "index is 3, but the model has 3 outputs"),
        (torch.zeros(2, 3), {"index": "Pneumonia"}, "no output 'Pneumonia'"),
        (torch.zeros(3, 1), {}, r"shape \(3, 1\)"),
        (torch.zeros(2, 1, 8, 8), {}, "If it draws"),
        (torch.zeros(2, 1), {"kind": "softmax"}, "softmax is always 1"),
        ((torch.zeros(2), torch.zeros(2)), {}, "returns 2 tensors: 0, 1. Say which"),
        ({"a": torch.zeros(2)}, {"item": "b"}, "item is 'b'; the model has a"),
        (["yes", "no"], {"item": 0}, "returns a str"),
    ],
)
def test_prediction_of_another_form_is_refused(prediction: Any, output: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OwnModel(predicting(prediction), label="pneumothorax", input={"size": 8}, output=output).predict(
            radiographs(2, 8)
        )


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"range": [0, 0]}, "two numbers"),
        ({"channels": 2}, "allowed are 1 and 3"),
        ({"mean": [0.5]}, "one of mean and std"),
        ({"mean": [0.5, 0.5], "std": [1]}, "2 numbers for 1 channels"),
        ({"layout": "hwc"}, "allowed are nchw and nhwc"),
        ({"size": 0}, "whole numbers"),
        ({"resolution": 4}, "has the key 'resolution'. Allowed are size, range"),
    ],
)
def test_images_that_there_are_not_are_refused(part: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OwnModel(predicting(None), label="pneumothorax", input={"size": 8, **part}, output={})


@pytest.mark.parametrize("who", [{"label": None}, {"label": "pneumothorax", "masks": ["lungs"]}])
def test_model_either_detects_or_draws(who: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Declare one of the two"):
        OwnModel(predicting(None), input={"size": 8}, output={}, **who)


def test_images_are_given_as_declared() -> None:
    seen: list[Tensor] = []

    def network(batch: Tensor) -> Tensor:
        seen.append(batch)
        return batch.mean((1, 2, 3))

    given = {"size": 4, "range": [0, 255], "mean": [0, 100, 200], "std": [1, 2, 4], "channels": 3, "layout": "nhwc"}
    image = torch.tensor([0.0, 1.0]).repeat(1, 1, 4, 2)
    OwnModel(LoadedNetwork(network, ""), label="x", input=given, output={}).predict(image)
    assert seen[0].shape == (1, 4, 4, 3)
    assert seen[0][0, 0, 0].tolist() == [0, -50, -50] and seen[0][0, 0, 1].tolist() == [255, 77.5, 13.75]


def test_threshold_lies_at_a_half_and_order_stays() -> None:
    p = torch.tensor([0.0, 0.1, 0.2, 0.6, 1.0])
    model = OwnModel(predicting(p), label="x", input={"size": 8}, output={"kind": "probability", "threshold": 0.2})
    found = model.predict(radiographs(5, 8)).probability
    torch.testing.assert_close(found, torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]))


def test_masks_come_back_at_the_images_size() -> None:
    logits = torch.full((2, 2, 4, 4), -9.0)
    logits[:, 0, :, :2] = 9
    model = OwnModel(predicting(logits), label=None, masks=["right_lung", "left_lung"], input={"size": 4}, output={})
    masks = model.predict(radiographs(2, 8)).masks
    assert masks is not None and masks.shape == (2, 2, 8, 8)
    assert bool((masks[:, 0, :, :3] > 0.5).all()) and bool((masks[:, 1] < 0.5).all())
    with pytest.raises(ValueError, match=r"expected \(2, 1, H, W\)"):
        OwnModel(predicting(logits), label=None, masks=["lungs"], input={"size": 4}, output={}).predict(
            radiographs(2, 8)
        )


def test_hash_names_file_and_declaration(net: Net, tmp_path: Path) -> None:
    save_file(net.state_dict(), tmp_path / "a.safetensors")
    save_file(Net().state_dict(), tmp_path / "b.safetensors")
    hashes = [declared(built.load(Net(), tmp_path / f"{name}.safetensors")).hash for name in "aab"]
    assert hashes[0] == hashes[1] != hashes[2]
    assert declared(built.load(Net(), tmp_path / "a.safetensors"), threshold=0.3).hash != hashes[0]
