"""What a folder of transformers says of its images and numbers is demanded, and the advice is right."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import ResNetConfig, ResNetForImageClassification

from radedit.models.adapters import transformers
from radedit.models.adapters.own_model import OwnModel

SIDE = 32
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}


def folder(processor: dict[str, Any] | None = None, *, names: int = 2, **config: Any) -> Path:
    labels = {i: f"Finding {i}" for i in range(names)} | {names - 1: "Pneumothorax"}
    ResNetForImageClassification(ResNetConfig(
        embedding_size=4, hidden_sizes=[4, 4], depths=[1, 1], layer_type="basic", num_channels=3, id2label=labels,
        label2id={name: i for i, name in labels.items()}, **config,
    )).save_pretrained("hf")  # fmt: skip
    if processor is not None:
        Path("hf/preprocessor_config.json").write_text(json.dumps(processor))
    return Path("hf")


def loaded(path: Path, kind: str = "softmax", **given: Any) -> OwnModel:
    return OwnModel(
        transformers.load(path),
        label="pneumothorax",
        input={"size": SIDE, "channels": 3, **given},
        output={"kind": kind},
    )


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def as_processed(images: Tensor, said: dict[str, Any]) -> Tensor:
    """What the library's processor makes of 8-bit images, written by hand."""
    batch = images.repeat(1, 3, 1, 1) * 255
    if said.get("do_rescale", True):
        batch = batch * said.get("rescale_factor", 1 / 255) - (1 if said.get("rescale_offset") else 0)
    if said.get("do_normalize", "image_mean" in said):
        mean, std = (torch.tensor(said[name]).expand(3).view(1, 3, 1, 1) for name in ("image_mean", "image_std"))
        batch = (batch - mean) / std
    return batch


PROCESSORS: dict[str, dict[str, Any]] = {
    "rescale off": {
        "do_rescale": False, "do_normalize": True, "image_mean": [123.675, 116.28, 103.53],
        "image_std": [58.395, 57.12, 57.375],
    },
    "scalar mean": {"do_normalize": True, "image_mean": 0.5, "image_std": 0.25},
    "imagenet": {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, **IMAGENET},
    "no normalisation": {"do_rescale": True, "do_normalize": False, **IMAGENET},
    "raw": {"do_rescale": False, "do_normalize": False},
    "factor": {"rescale_factor": 1 / 127.5, "do_normalize": True, "image_mean": 1.0, "image_std": 1.0},
    "offset": {"do_rescale": True, "rescale_factor": 1 / 127.5, "rescale_offset": True, "do_normalize": False},
}  # fmt: skip


@pytest.mark.parametrize("kind", PROCESSORS)
def test_advice_leads_to_the_images_that_the_processor_makes(kind: str) -> None:
    path = folder(PROCESSORS[kind])
    with pytest.raises(ValueError, match="but the model's own files say") as refused:
        loaded(path, range=[-3, 5])
    typed = dict(re.findall(r"predictor\.input\.(\w+)=(\S+?)\.?(?:\s|$)", str(refused.value).partition("Say ")[2]))
    given = {"range": [-3, 5]} | {name: json.loads(value) for name, value in typed.items()}
    images = torch.rand(2, 1, SIDE, SIDE)
    prepared = loaded(path, **given).input.prepare(images)
    torch.testing.assert_close(prepared, as_processed(images, PROCESSORS[kind]), atol=1e-4, rtol=1e-4)


def test_same_images_said_in_other_words_are_taken() -> None:
    path = folder({"do_normalize": True, "image_mean": 0.5, "image_std": 0.5})
    loaded(path, range=[-1, 1])
    loaded(path, mean=0.5, std=0.5)
    loaded(path, mean=[0.5], std=[0.5])
    loaded(path, range=[0, 255], mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])


@pytest.mark.parametrize(
    ("problem", "kind"), [("multi_label_classification", "logit"), ("single_label_classification", "softmax")]
)
def test_kind_of_the_numbers_is_demanded(problem: str, kind: str) -> None:
    path = folder(names=14, problem_type=problem)
    other = {"logit": "softmax", "softmax": "logit"}[kind]
    with pytest.raises(ValueError, match=rf"kind is {other}, but .* Say predictor\.output\.kind={kind}"):
        loaded(path, other)
    images = torch.rand(2, 1, SIDE, SIDE)
    network = ResNetForImageClassification.from_pretrained(path).eval()
    with torch.no_grad():
        logits = network(pixel_values=images.repeat(1, 3, 1, 1)).logits
    expected = (logits.sigmoid() if kind == "logit" else logits.softmax(1))[:, 13]
    torch.testing.assert_close(loaded(path, kind).predict(images).probability, expected)


def test_number_of_channels_is_demanded() -> None:
    with pytest.raises(ValueError, match=r"Say predictor\.input\.channels=3"):
        loaded(folder(IMAGENET), channels=1)


@pytest.mark.parametrize(
    "said",
    [
        {"image_mean": "x", "image_std": 1},
        {"image_mean": 0, "image_std": 0},
        {"rescale_factor": None},
        {"image_mean": [1, 2], "image_std": [1, 2]},
    ],
)
def test_odd_processor_is_refused_in_one_line(said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"preprocessor_config\.json has .*expected"):
        loaded(folder(said))


def test_weights_of_another_configuration_are_refused() -> None:
    path = folder()
    settings = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(settings | {"depths": [1, 2]}))
    with pytest.raises(ValueError, match=r"lacks \d+ weights"):
        loaded(path)
    (path / "config.json").write_text(json.dumps(settings | {"depths": [1, 1], "hidden_sizes": [4, 8]}))
    with pytest.raises(ValueError, match=r"hf "):
        loaded(path)
    deeper = folder(names=2)
    ResNetForImageClassification(
        ResNetConfig(embedding_size=4, hidden_sizes=[4, 4], depths=[2, 2], layer_type="basic", num_channels=3)
    ).save_pretrained("deep")
    (deeper / "model.safetensors").write_bytes(Path("deep/model.safetensors").read_bytes())
    with pytest.raises(ValueError, match=r"hf has others than|hf lacks"):
        loaded(deeper)
