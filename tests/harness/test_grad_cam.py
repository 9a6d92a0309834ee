"""Grad-CAM: where a label's log-odds come from."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from radedit.harness.grad_cam import grad_cam
from radedit.models.predictors import Classifier, Network, SegmenterWithHead

SIZE = 64


def classifier() -> Network:
    return Classifier("pneumothorax", size=SIZE, network={"channels": [8, 8, 8, 8], "layers": [1, 1, 1, 1]})


def segmenter() -> Network:
    return SegmenterWithHead(["drain"], "pneumothorax", size=SIZE, backbone="tinynet_e", decoder_channels=[8, 8])


NETWORKS = [classifier, segmenter]


@pytest.fixture
def films() -> Tensor:
    return torch.rand(3, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def made(network: Callable[[], Network]) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return network().eval().requires_grad_(False)


def by_hand(network: Network, films: Tensor) -> Tensor:
    """Eqs 1 and 2 of Selvaraju et al., from the gradient itself."""
    features = network.features(films).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(network.label_logits(features).sum(), features)
    maps = (gradient.mean((2, 3), keepdim=True) * features).sum(1, keepdim=True).relu()
    return interpolate(maps, films.shape[-2:], mode="bilinear", align_corners=False)[:, 0].detach()


@pytest.mark.parametrize("network", NETWORKS)
def test_maps_are_the_equations_of_grad_cam(network: Callable[[], Network], films: Tensor) -> None:
    predictor = made(network)
    maps = grad_cam(predictor, films)
    assert maps.shape == (3, SIZE, SIZE) and bool((maps >= 0).all())
    torch.testing.assert_close(maps, by_hand(predictor, films))


@pytest.mark.parametrize("network", NETWORKS)
def test_films_in_a_batch_do_not_matter_to_one_another(network: Callable[[], Network], films: Tensor) -> None:
    predictor = made(network)
    torch.testing.assert_close(grad_cam(predictor, films)[1:2], grad_cam(predictor, films[1:2]))


@pytest.mark.parametrize("network", NETWORKS)
def test_predictor_is_left_as_it_was(network: Callable[[], Network], films: Tensor) -> None:
    predictor = made(network)
    before, answer = predictor.hash, predictor.predict(films).probability
    grad_cam(predictor, films)
    assert predictor.hash == before and not any(p.requires_grad for p in predictor.parameters())
    assert not any(module._forward_hooks or module._backward_hooks for module in predictor.modules())
    torch.testing.assert_close(predictor.predict(films).probability, answer)


class BrightRight:
    """Calls positive what is bright in the right half: an answer whose place is known."""

    def features(self, images: Tensor) -> Tensor:
        return interpolate(images, (4, 4), mode="area")

    def label_logits(self, features: Tensor) -> Tensor:
        return features[..., 2:].mean((1, 2, 3))


def test_map_lies_where_the_evidence_is() -> None:
    film = torch.zeros(1, 1, SIZE, SIZE)
    film[..., SIZE // 2 :] = 1
    (found,) = grad_cam(BrightRight(), film)
    left, right = found[:, : SIZE // 2].mean(), found[:, SIZE // 2 :].mean()
    assert right > 5 * left and found[:, -1].mean() == found.max()


def test_no_evidence_is_an_empty_map() -> None:
    assert not grad_cam(BrightRight(), torch.zeros(1, 1, SIZE, SIZE)).any()
