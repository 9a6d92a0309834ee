"""An autoencoder whose pixels depend on nearby latents only: an edit of one region can't change another one.

diffusers' `AutoencoderKL` normalises over the whole picture (GroupNorm), so that a change of a few latents moves pixels
everywhere; here nothing does, and `reach_px` says how far a latent is seen.
"""

from __future__ import annotations

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput, DiagonalGaussianDistribution
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn


class LocalAutoencoder(ModelMixin, ConfigMixin):
    """A linear transform of overlapping patches, corrected by a few convolutions without any normalisation.

    Args:
        sample_size: Side of the images that it was trained on, px.
        in_channels, out_channels: Of the images; 1.
        latent_channels: C, numbers that stand for a patch.
        patch_size: f, side of a patch, px; a multiple of 2.
        width: Channels of the encoder's and of the decoder's convolutions.
        blocks: Residual blocks of two convolutions, in encoder and decoder each.
        scaling_factor: Latents times this have unit variance.
        psnr: Of the round trip on validation images, dB; measured at the end of the training.
        noise: Standard deviation of the posterior, one number for all latents: the noise that the decoder learned with.
    """

    config_name = "config.json"  # type: ignore[assignment]  # diffusers declares None

    @register_to_config
    def __init__(
        self,
        sample_size: int = 128,
        in_channels: int = 1,
        out_channels: int = 1,
        latent_channels: int = 8,
        patch_size: int = 4,
        width: tuple[int, int] = (64, 96),
        blocks: int = 2,
        scaling_factor: float = 1.0,
        noise: float = 0.02,
        psnr: float | None = None,
    ) -> None:
        super().__init__()
        f, fine = patch_size, width[1] // 2
        self.analysis = nn.Conv2d(1, latent_channels, 2 * f, stride=f, padding=f // 2)
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(f), nn.Conv2d(f * f, width[0], 3, padding=1), *(Block(width[0]) for _ in range(blocks)),
            nn.SiLU(), _zero(nn.Conv2d(width[0], latent_channels, 3, padding=1)),
        )  # fmt: skip
        self.synthesis = nn.ConvTranspose2d(latent_channels, 1, 2 * f, stride=f, padding=f // 2)
        self.decoder = nn.Sequential(
            nn.Conv2d(latent_channels, width[1], 3, padding=1), *(Block(width[1]) for _ in range(blocks)), nn.SiLU(),
            nn.Conv2d(width[1], 4 * fine, 1), nn.PixelShuffle(2), Block(fine),
            nn.SiLU(), _zero(nn.Conv2d(fine, (f // 2) ** 2, 3, padding=1)), nn.PixelShuffle(f // 2),
        )  # fmt: skip

    @property
    def reach_px(self) -> int:
        """Farthest that a pixel can lie from the cell of a latent on which it depends."""
        f, blocks = self.config["patch_size"], self.config["blocks"]
        return f * (1 + 2 * blocks) + (f // 2) * 3

    def encode(self, x: Tensor) -> AutoencoderKLOutput:
        """Posterior of images, shape (B, 1, H, W), −1…1: latents of shape (B, C, H / f, W / f)."""
        mean = self.analysis(x) + self.encoder(x)
        logvar = torch.full_like(mean, 2 * torch.tensor(self.config["noise"]).log().item())
        return AutoencoderKLOutput(latent_dist=DiagonalGaussianDistribution(torch.cat([mean, logvar], dim=1)))

    def decode(self, z: Tensor) -> DecoderOutput:
        """Images of latents, −1…1, shape (B, 1, H, W)."""
        return DecoderOutput(sample=self.synthesis(z) + self.decoder(z))

    def forward(self, x: Tensor) -> Tensor:
        """The round trip."""
        return self.decode(self.encode(x).latent_dist.mode()).sample

    def enable_slicing(self) -> None:
        """Nothing: memory is small at any size."""

    @torch.no_grad()
    def fit_patches(self, x: Tensor, *, whiten: float = 0.5) -> None:
        """Begin with the best linear code of patches: principal components, which the convolutions then correct.

        Args:
            x: Images, shape (B, 1, H, W), −1…1; some hundred.
            whiten: How far the latents' variances are made alike: 0 leaves those of the components, 1 makes all one.
        """
        f, c = self.config["patch_size"], self.config["latent_channels"]
        patches = nn.functional.pixel_unshuffle(x, f).permute(0, 2, 3, 1).reshape(-1, f * f).double()
        mean = patches.mean(0)
        variance, components = torch.linalg.eigh(torch.cov((patches - mean).T))
        variance, components = variance.flip(0)[:c], components.flip(1)[:, :c].T.reshape(c, f, f)
        scale = variance.clamp(min=1e-8) ** (-whiten / 2)
        scale = scale / (variance * scale**2).mean().sqrt()
        inner = slice(f // 2, f // 2 + f)
        for layer, factor in ((self.analysis, scale), (self.synthesis, 1 / scale)):
            layer.weight.zero_()
            kernels = components * factor[:, None, None]
            layer.weight[:, 0, inner, inner] = kernels.float()  # (C, 1, 2f, 2f) of both
        code = (components.reshape(c, -1) @ mean) * scale
        assert self.analysis.bias is not None and self.synthesis.bias is not None
        self.analysis.bias.copy_(-code.float())
        self.synthesis.bias.copy_(mean.mean().float())  # the mean patch is grey all over


class Block(nn.Module):
    """x + two convolutions of x."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.SiLU(), nn.Conv2d(width, width, 3, padding=1), nn.SiLU(), _zero(nn.Conv2d(width, width, 3, padding=1))
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.convolutions(x)


def _zero(layer: nn.Conv2d) -> nn.Conv2d:
    """A layer that adds nothing at the beginning."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
