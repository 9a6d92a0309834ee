"""The local autoencoder: nothing far from a changed latent moves, and its linear code is that of the patches."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from radedit.models.bundle.bundle import Bundle
from radedit.models.bundle.local_autoencoder import LocalAutoencoder


@pytest.fixture
def vae() -> LocalAutoencoder:
    torch.manual_seed(0)
    vae = LocalAutoencoder(sample_size=64, width=(8, 8), blocks=1)
    for parameter in vae.parameters():  # a new one adds nothing to its linear part
        torch.nn.init.normal_(parameter, std=0.2)
    return vae.eval()


@torch.no_grad()
def test_a_latent_moves_no_pixel_farther_away_than_it_says(vae: LocalAutoencoder) -> None:
    z = torch.randn(1, 8, 32, 32)
    changed = z.clone()
    changed[..., 16, 16] += 10.0
    moved = (vae.decode(changed).sample - vae.decode(z).sample)[0, 0].abs() > 0
    rows, columns = moved.nonzero().T
    first, last = 16 * 4, 16 * 4 + 3  # the pixels of the cell itself
    farthest = max(first - rows.min(), rows.max() - last, first - columns.min(), columns.max() - last)
    assert 0 < farthest <= vae.reach_px


@torch.no_grad()
def test_crops_are_encoded_as_the_whole_image_is(vae: LocalAutoencoder) -> None:
    x = torch.randn(1, 1, 128, 128)
    whole = vae.encode(x).latent_dist.mode()
    crop = vae.encode(x[..., 32:96, 32:96]).latent_dist.mode()
    torch.testing.assert_close(crop[..., 5:-5, 5:-5], whole[..., 13:19, 13:19], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_all_components_of_the_patches_give_the_image_back() -> None:
    vae = LocalAutoencoder(sample_size=32, latent_channels=16, width=(8, 8), blocks=1)
    x = torch.rand(8, 1, 32, 32)
    x = x - x.mean(0)  # patches of mean 0, as the code has one bias for all pixels of a patch
    vae.fit_patches(x)
    torch.testing.assert_close(vae(x), x, rtol=0, atol=0.1)
    latents = vae.encode(x).latent_dist.mode()
    assert float(latents.var(dim=(0, 2, 3)).mean()) == pytest.approx(1.0, rel=0.05)


def test_a_bundle_knows_it_from_the_libraries_own(vae: LocalAutoencoder, tmp_path: Path) -> None:
    Bundle(vae=vae).save(tmp_path, dtype=torch.float32)
    loaded = Bundle.load(tmp_path)
    assert isinstance(loaded.vae, LocalAutoencoder)
    assert (loaded.factor, loaded.size) == (4, 64)
    x = torch.rand(2, 1, 64, 64)
    torch.testing.assert_close(
        loaded.decode(loaded.encode(x)), Bundle(vae=vae).decode(Bundle(vae=vae).encode(x)), rtol=1e-4, atol=1e-4
    )


def test_another_class_is_refused(vae: LocalAutoencoder, tmp_path: Path) -> None:
    Bundle(vae=vae).save(tmp_path)
    config = tmp_path / "vae" / "config.json"
    config.write_text(config.read_text().replace("LocalAutoencoder", "Autoencoder9"))
    with pytest.raises(ValueError, match="its class is 'Autoencoder9'; allowed are AutoencoderKL, LocalAutoencoder"):
        Bundle.load(tmp_path)
