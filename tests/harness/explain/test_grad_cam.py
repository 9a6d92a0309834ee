"""Grad-CAM: where a label's log-odds come from."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from monai.visualize.class_activation_maps import GradCAM
from torch import Tensor, nn
from torch.nn.functional import interpolate

from radedit.harness.explain.grad_cam import grad_cam
from radedit.models.predictors import Classifier, Network, SegmenterWithHead

SIZE = 64


def classifier() -> Network:
    return Classifier("pneumothorax", size=SIZE, network={"channels": [8, 8, 8, 8], "layers": [1, 1, 1, 1]})


def segmenter() -> Network:
    return SegmenterWithHead(["drain"], "pneumothorax", size=SIZE, backbone="tinynet_e", decoder_channels=[8, 8])


NETWORKS = [classifier, segmenter]


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def made(network: Callable[[], Network]) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return network().eval().requires_grad_(False)


class Watched(nn.Module):
    """A predictor as MONAI's hooks watch one: what flows through `chosen` is the feature map."""

    def __init__(self, predictor: Network, stage: int) -> None:
        super().__init__()
        self.predictor, self.stage, self.chosen = predictor, stage, nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        stages = list(self.predictor.stages(images))
        stages[self.stage] = self.chosen(stages[self.stage])
        return self.predictor.label_logits(stages[-1])[:, None]


@pytest.mark.parametrize("network", NETWORKS)
def test_maps_are_those_of_monai_where_the_last_stage_is_taken(
    network: Callable[[], Network], images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("radedit.harness.explain.grad_cam.LEAST_CELLS", 2)
    predictor = made(network)
    found = grad_cam(predictor, images)
    assert found.layer.stage == found.layer.of and bool((found.maps >= 0).all())
    cells = (found.layer.height, found.layer.width)
    cam = GradCAM(Watched(predictor, -1), "chosen", upsampler=lambda size: nn.Identity(), postprocessing=lambda x: x)
    expected = cam(images.requires_grad_(), class_idx=0).detach()
    assert expected.shape[-2:] == cells
    smooth = interpolate(expected, images.shape[-2:], mode="bicubic", align_corners=False).relu()[:, 0]
    torch.testing.assert_close(found.maps, smooth)


@pytest.mark.parametrize("network", NETWORKS)
def test_map_has_enough_cells_to_name_a_place(network: Callable[[], Network], images: Tensor) -> None:
    predictor = made(network)
    found = grad_cam(predictor, images)
    stages = predictor.stages(images)
    assert (found.layer.height, found.layer.width) == tuple(stages[found.layer.stage - 1].shape[-2:])
    assert found.layer.height >= 7 and all(stage.shape[-1] < 7 for stage in stages[found.layer.stage :])
    assert found.maps.shape == (3, SIZE, SIZE) and bool((found.maps >= 0).all())


@pytest.mark.parametrize("shrink", [1, 2])
@pytest.mark.parametrize("kind", ["classifier", "segmenter"])
def test_label_follows_from_the_last_stage_as_it_is_predicted(kind: str, shrink: int, images: Tensor) -> None:
    def network() -> Network:
        if kind == "classifier":
            small = {"channels": [8, 8, 8, 8], "layers": [1, 1, 1, 1]}
            return Classifier("pneumothorax", size=SIZE, network=small, shrink=shrink)
        return SegmenterWithHead(
            ["drain"], "pneumothorax", size=SIZE, backbone="tinynet_e", decoder_channels=[8, 8], shrink=shrink
        )

    predictor = made(network)
    logits = predictor.label_logits(predictor.stages(images)[-1])
    torch.testing.assert_close(logits.sigmoid(), predictor.predict(images).probability)


@pytest.mark.parametrize("network", NETWORKS)
def test_images_in_a_batch_do_not_matter_to_one_another(network: Callable[[], Network], images: Tensor) -> None:
    predictor = made(network)
    torch.testing.assert_close(grad_cam(predictor, images).maps[1:2], grad_cam(predictor, images[1:2]).maps)


@pytest.mark.parametrize("network", NETWORKS)
def test_predictor_is_left_as_it_was(network: Callable[[], Network], images: Tensor) -> None:
    predictor = made(network)
    before, prediction = predictor.hash, predictor.predict(images).probability
    grad_cam(predictor, images)
    assert predictor.hash == before and not any(p.requires_grad for p in predictor.parameters())
    assert not any(module._forward_hooks or module._backward_hooks for module in predictor.modules())
    torch.testing.assert_close(predictor.predict(images).probability, prediction)


class BrightRight:
    """Calls positive what is bright in the right half: a prediction whose place is known."""

    def stages(self, images: Tensor) -> list[Tensor]:
        return [interpolate(images, (4, 4), mode="area")]

    def label_logits(self, features: Tensor) -> Tensor:
        return features[..., 2:].mean((1, 2, 3))


def test_map_lies_where_the_evidence_is() -> None:
    image = torch.zeros(1, 1, SIZE, SIZE)
    image[..., SIZE // 2 :] = 1
    (found,) = grad_cam(BrightRight(), image).maps
    left, right = found[:, : SIZE // 2].mean(), found[:, SIZE // 2 :].mean()
    assert right > 5 * left and found[:, -1].mean() > 0.8 * found.max()


def test_no_evidence_is_an_empty_map() -> None:
    assert not grad_cam(BrightRight(), torch.zeros(1, 1, SIZE, SIZE)).maps.any()
