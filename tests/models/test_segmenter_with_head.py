"""A U-Net over an EfficientNet with a classification layer at its lowest resolution (App. C)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from radedit.models.predictors import SegmenterWithHead

SIZE, BACKBONE = 64, "tinynet_e"  # which halves images five times, as an EfficientNet-B0 does


def make(decoder_channels: Sequence[int] = (8, 8, 8, 8), label: str | None = "pneumothorax") -> SegmenterWithHead:
    masks = ["pneumothorax", "drain"]
    return SegmenterWithHead(masks, label, size=SIZE, backbone=BACKBONE, decoder_channels=decoder_channels).eval()


@pytest.fixture(scope="module")
def network() -> SegmenterWithHead:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def images() -> Tensor:
    return torch.rand((2, 1, SIZE, SIZE), generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_the_label_is_read_off_the_coarsest_features(network: SegmenterWithHead) -> None:
    coarsest = network.encoder(2 * images() - 1)[-1]
    assert coarsest.shape[2:] == (SIZE // 32, SIZE // 32)
    assert network.head is not None
    expected = network.head(coarsest.mean(dim=(2, 3)))[:, 0]
    label, _ = network.logits(images())
    torch.testing.assert_close(label, expected)


@torch.no_grad()
def test_the_label_does_not_depend_on_the_decoder(network: SegmenterWithHead) -> None:
    other = make()
    other.load_state_dict(network.state_dict())
    for parameter in (*other.decoder.parameters(), *other.mask_head.parameters()):
        parameter.mul_(-2)
    (label, masks), (other_label, other_masks) = network.logits(images()), other.logits(images())
    torch.testing.assert_close(other_label, label)
    assert not torch.allclose(other_masks, masks)


def test_the_head_is_one_linear_layer(network: SegmenterWithHead) -> None:
    assert isinstance(network.head, nn.Linear)
    assert network.head.out_features == 1


def test_a_segmenter_without_label_has_no_head() -> None:
    network = make(label=None)
    assert network.head is None
    assert network.predict(images()).probability is None


@pytest.mark.parametrize("decoder_channels", [(8, 8), (8, 8, 8), (8, 8, 8, 8), (8, 8, 8, 8, 8)])
def test_masks_have_the_images_size_however_deep_the_decoder(decoder_channels: tuple[int, ...]) -> None:
    masks = make(decoder_channels).predict(images()).masks
    assert masks is not None
    assert masks.shape == (2, 2, SIZE, SIZE)


@pytest.mark.parametrize("decoder_channels", [(), (8,), (8,) * 6])
def test_a_decoder_that_does_not_fit_is_refused(decoder_channels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"has {len(decoder_channels)} widths; tinynet_e allows 2 to 5"):
        make(decoder_channels)


def test_a_size_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(ValueError, match="size is 100, but tinynet_e halves images down to 1/32"):
        SegmenterWithHead(["drain"], None, size=100, backbone=BACKBONE, decoder_channels=(8, 8))
