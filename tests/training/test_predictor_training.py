"""Training of the models under test: losses, what is logged, and the card beside the weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from radedit.data.batches.module import ImageData
from radedit.data.datasets.phantom import PhantomDataset
from radedit.models.predictors import Classifier, SegmenterWithHead, load_predictor
from radedit.phantom.world import World
from radedit.training.classifier import ClassifierTraining
from radedit.training.segmenter import SegmenterTraining

SIZE, MASKS = 32, ["pneumothorax", "drain"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageData:
    world = World(prevalence={"pneumothorax": 0.5})
    train, val = (PhantomDataset(world, name, n, SIZE) for name, n in (("train", 4), ("val", 6)))
    cache = str(tmp_path_factory.mktemp("images"))
    data = ImageData(train, val, size=SIZE, batch_size=4, masks=MASKS, cache=cache, workers=1)
    data.setup()
    return data


def classifier(**arguments: Any) -> ClassifierTraining:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = {"channels": [8, 8, 8, 8], "layers": [1, 1, 1, 1]}
        return ClassifierTraining(Classifier("pneumothorax", size=SIZE, network=network), **arguments)


def segmenter(label: str | None = "pneumothorax", **arguments: Any) -> SegmenterTraining:
    network = SegmenterWithHead(MASKS, label, size=SIZE, backbone="tinynet_e", decoder_channels=(8, 8))
    return SegmenterTraining(network, **arguments)


def batch(n: int = 4) -> dict[str, Any]:
    masks = torch.zeros(n, 2, SIZE, SIZE, dtype=torch.bool)
    masks[: n // 2, :, 4:12, 4:20] = True
    return {"labels": {"pneumothorax": torch.arange(n) % 2, "drain": torch.zeros(n)}, "masks": masks}


def logits_of(masks: Tensor, certainty: float = 30.0) -> Tensor:
    return certainty * (2 * masks.float() - 1)


def test_the_label_is_the_networks_own() -> None:
    assert classifier().target(batch()).tolist() == [0, 1, 0, 1]


def test_the_classifiers_loss_is_cross_entropy() -> None:
    logits = torch.tensor([-1.0, 2.0, 0.5, 0.0])
    loss = classifier().losses(batch(), logits, None)["bce"]
    torch.testing.assert_close(loss, binary_cross_entropy(logits.sigmoid(), torch.tensor([0.0, 1.0, 0.0, 1.0])))


def test_right_masks_have_no_loss_and_wrong_ones_have() -> None:
    training, right = segmenter(), batch()["masks"]
    good = training.losses(batch(), logits_of(torch.tensor([0.0, 1, 0, 1])), logits_of(right))
    assert set(good) == {"bce", "overlap", "pixels"}
    assert max(float(term) for term in good.values()) < 1e-3
    bad = training.losses(batch(), logits_of(torch.tensor([1.0, 0, 1, 0])), logits_of(~right))
    assert float(bad["overlap"]) > 0.9
    assert float(bad["pixels"]) > 10


def test_the_masks_weight_is_of_the_masks_only() -> None:
    logits, masks = torch.zeros(4), torch.zeros(4, 2, SIZE, SIZE)
    once, thrice = (segmenter(mask_weight=weight).losses(batch(), logits, masks) for weight in (1.0, 3.0))
    assert float(thrice["bce"]) == float(once["bce"])
    for name in ("overlap", "pixels"):
        assert float(thrice[name]) == pytest.approx(3 * float(once[name]))


def test_a_segmenter_without_label_has_no_label_loss() -> None:
    terms = segmenter(label=None).losses(batch(), None, torch.zeros(4, 2, SIZE, SIZE))
    assert set(terms) == {"overlap", "pixels"}


def test_masks_that_the_data_does_not_serve_are_refused() -> None:
    short = batch() | {"masks": batch()["masks"][:, :1]}
    with pytest.raises(ValueError, match=r"serves 1 masks; the network has \('pneumothorax', 'drain'\)"):
        segmenter().losses(short, torch.zeros(4), torch.zeros(4, 2, SIZE, SIZE))


def test_dice_is_of_the_masks_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    training, images = segmenter(), batch() | {"image": torch.zeros(4, 1, SIZE, SIZE)}
    monkeypatch.setattr(training, "log", lambda *_, **__: None)
    monkeypatch.setattr(training, "log_dict", lambda *_, **__: None)
    masks = images["masks"]
    training.logged("val", images | {"masks": torch.zeros_like(masks)}, torch.zeros(4), logits_of(masks))
    training.logged("val", images, torch.zeros(4), logits_of(masks))
    assert float(training.dice.compute()) == 1


def test_validation_logs_what_the_best_step_is_chosen_by(data: ImageData, tmp_path: Path) -> None:
    for training, metrics in (
        (classifier(), {"val/auroc", "val/accuracy", "val/loss", "val/bce"}),
        (segmenter(), {"val/auroc", "val/accuracy", "val/loss", "val/bce", "val/dice", "val/overlap", "val/pixels"}),
    ):
        trainer = L.Trainer(
            max_steps=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, default_root_dir=tmp_path,
        )  # fmt: skip
        logged = trainer.validate(training, data.val_dataloader(), verbose=False)[0]
        assert set(logged) == metrics
        assert all(0 <= logged[name] <= 1 for name in ("val/auroc", "val/accuracy"))


def test_a_card_tells_what_the_exported_weights_learned_from_and_how_well(data: ImageData, tmp_path: Path) -> None:
    training = classifier(seed=7)
    training.steps.fill_(12)
    training.export(data, tmp_path)
    card, predictor = json.loads((tmp_path / "card.json").read_text()), load_predictor(tmp_path)
    assert (card["seed"], card["steps"], card["hash"]) == (7, 12, predictor.hash)
    assert {part: card["data"][part]["namespace"] for part in card["data"]} == {"train": "train", "val": "val"}
    right = 0
    for images in data.val_dataloader():
        probability = predictor.predict(images["image"]).probability
        assert probability is not None
        right += int(((probability > 0.5) == images["labels"]["pneumothorax"].bool()).sum())
    assert card["val"]["accuracy"] == pytest.approx(right / 6, abs=1e-4)
