"""Images become points of the joint space."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from radedit.models.encoders.image_encoder import ImageEncoder


@pytest.fixture(scope="module")
def encoder() -> ImageEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ImageEncoder(channels=(8, 8, 16, 16), projection_size=6).eval()


def images(height: int = 32, width: int = 32) -> Tensor:
    return torch.rand((3, 1, height, width), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 64), (48, 32)])
def test_images_of_any_size_lie_on_the_unit_sphere(encoder: ImageEncoder, height: int, width: int) -> None:
    embeddings = encoder(images(height, width))
    assert embeddings.shape == (3, 6)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(3))


def test_an_image_does_not_depend_on_its_batch(encoder: ImageEncoder) -> None:
    torch.testing.assert_close(encoder(images()), torch.cat([encoder(image[None]) for image in images()]))


@pytest.mark.parametrize("axis", [-1, -2])
def test_it_tells_left_from_right_and_top_from_bottom(encoder: ImageEncoder, axis: int) -> None:
    """A mirrored network on a mirrored image sees the same, but for the coordinates."""
    mirrored = ImageEncoder(channels=(8, 8, 16, 16), projection_size=6).eval()
    mirrored.load_state_dict(encoder.state_dict())
    for module in mirrored.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.weight.data = module.weight.data.flip(axis)
    odd = images(33, 33)  # so that strided convolutions meet the same pixels from either side
    assert (encoder(odd) - mirrored(odd.flip(axis))).abs().max() > 1e-3
    for network in (encoder, mirrored):
        assert network.trunk.conv1[0].in_channels == 3  # grey, x, y


def test_what_was_saved_comes_back_exactly(encoder: ImageEncoder, tmp_path: Path) -> None:
    encoder.save_pretrained(tmp_path / "image_encoder")
    again = ImageEncoder.from_pretrained(tmp_path / "image_encoder").eval()
    assert again.config == encoder.config
    assert torch.equal(again(images()), encoder(images()))
