"""BioViL-T's image encoder takes the published checkpoint and images as its publishers do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms import CenterCrop, Compose, Resize, ToTensor

from radedit.models.bundle.bundle import Bundle
from radedit.models.encoders.biovil_image import BioVilImage, published_input
from tests.published import IMAGE_FILE, image_shapes, image_weights


@pytest.fixture(scope="module")
def encoder(published: Path) -> BioVilImage:
    return BioVilImage.from_checkpoint(published / "biovil-t" / IMAGE_FILE).eval().requires_grad_(False)


def grey(height: int, width: int, low: int = 0, high: int = 255) -> NDArray[np.uint8]:
    """A smooth image with texture, from `low` to `high`."""
    rows, columns = np.mgrid[:height, :width]
    image = np.sin(rows / 17) * np.cos(columns / 23) + 0.1 * np.random.default_rng(0).random((height, width))
    image = (image - image.min()) / (image.max() - image.min())
    return np.round(low + (high - low) * image).astype(np.uint8)


def as_image(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pixels).float()[None, None] / 255


def by_the_publishers(pixels: NDArray[np.uint8]) -> Tensor:
    """Their preprocessing, by the library that they use: min–max to uint8, then of PIL images."""
    levels = pixels.astype(float)
    levels -= levels.min()
    levels /= levels.max()
    levels *= 255
    one = Compose([Resize(512), CenterCrop(448), ToTensor()])(Image.fromarray(levels.astype(np.uint8)))
    assert isinstance(one, Tensor)
    return one.repeat(3, 1, 1)[None]


def test_the_published_names_and_shapes_are_all_there_and_no_others() -> None:
    ours = {name: tuple(tensor.shape) for name, tensor in BioVilImage().state_dict().items()}
    assert ours == image_shapes() and len(ours) == 372


@pytest.mark.parametrize(
    ("height", "width", "low", "high"),
    [(512, 512, 0, 255), (512, 512, 10, 200), (448, 512, 0, 255), (128, 128, 0, 255), (700, 600, 3, 240)],
)
def test_images_are_prepared_as_published(height: int, width: int, low: int, high: int) -> None:
    pixels = grey(height, width, low, high)
    ours, theirs = published_input(as_image(pixels)), by_the_publishers(pixels)
    assert ours.shape == (1, 3, 448, 448)
    # PIL rounds after each of two passes. At the generator's own 512 px nothing is resampled.
    tolerance = 1e-6 if (height, width, low) == (512, 512, 0) else 1.01 / 255
    torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance)


def test_the_largest_change_of_one_pixel_changes_all_of_them() -> None:
    """The trap of stretching each image by itself."""
    image = as_image(grey(512, 512, 0, 200))
    brighter = image.clone()
    brighter[..., 256, 256] = 1
    assert ((published_input(brighter) - published_input(image)).abs() > 1 / 255).float().mean() > 0.9


def test_an_image_without_any_contrast_is_black() -> None:
    assert (published_input(torch.full((1, 1, 64, 64), 0.7)) == 0).all()


@pytest.mark.slow
def test_images_lie_on_the_unit_sphere_and_do_not_depend_on_their_batch(encoder: BioVilImage) -> None:
    images = torch.cat([as_image(grey(96, 96)), as_image(grey(96, 96).T.copy())])
    embeddings = encoder(images)
    assert embeddings.shape == (2, 128)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(embeddings, torch.cat([encoder(image[None]) for image in images]))


@pytest.mark.slow
def test_every_weight_that_a_single_image_meets_counts(encoder: BioVilImage) -> None:
    """The parts that are only held are ResNet's classifier and the comparison of two images."""
    pixels = torch.rand((1, 3, 448, 448), generator=torch.Generator().manual_seed(0))
    trainable = BioVilImage().eval()
    trainable.load_state_dict(encoder.state_dict())
    trainable.embed(pixels).square().sum().backward()
    unused = {name for name, weight in trainable.named_parameters() if weight.grad is None}
    held = ("encoder.vit_pooler.", "encoder.encoder.fc.")
    assert unused == {name for name in image_shapes() if name.startswith(held)}


@pytest.mark.parametrize("change", ["lacks", "adds", "reshapes"])
def test_a_checkpoint_that_is_another_networks_is_refused(tmp_path: Path, change: str) -> None:
    weights, name = image_weights(), "encoder.missing_previous_emb"
    if change == "lacks":
        del weights[name]
    elif change == "adds":
        weights["classifier.weight"] = torch.zeros(1)
    else:
        weights[name] = weights[name][:, :8]
    torch.save(weights, tmp_path / IMAGE_FILE)
    with pytest.raises(RuntimeError, match="classifier.weight" if change == "adds" else name):
        BioVilImage.from_checkpoint(tmp_path / IMAGE_FILE)


def test_a_bundle_keeps_it_as_safetensors(encoder: BioVilImage, tmp_path: Path) -> None:
    Bundle(image_encoder=encoder).save(tmp_path, dtype=torch.float32)
    again = Bundle.load(tmp_path).image_encoder
    assert isinstance(again, BioVilImage)
    image = as_image(grey(64, 64))
    assert torch.equal(again(image), encoder(image))


def test_it_is_the_publishers_own_model(encoder: BioVilImage) -> None:
    pytest.importorskip("SimpleITK")  # which hi-ml-multimodal imports, and does not need here
    model = pytest.importorskip("health_multimodal.image.model.model")
    theirs = model.ImageModel(img_encoder_type="resnet50_multi_image", joint_feature_size=128).eval()
    theirs.load_state_dict(encoder.state_dict())
    pixels = torch.rand((2, 3, 448, 448), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(encoder.embed(pixels), theirs(pixels).projected_global_embedding, rtol=0, atol=1e-5)
