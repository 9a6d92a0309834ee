"""Training of the VAE whose latents the diffusion model works in (the paper takes SDXL's, trained by others)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor

from radedit.data.batches.cache import to_unit
from radedit.data.batches.module import ImageData, randn_at, step_generator
from radedit.models.bundle.bundle import Bundle
from radedit.models.bundle.local_autoencoder import LocalAutoencoder


class AutoencoderTraining(L.LightningModule):
    """Reconstruction in grey levels and in their differences, with a weak pull of the latents towards N(0, I).

    Args:
        vae: To be trained.
        lr: Learning rate of AdamW, with linear warm-up over `warmup` steps and cosine decay to a tenth.
        kl_weight: Weight of the Kullback–Leibler term, a mean per latent value.
        edge_weight: Weight of the error in horizontal and vertical differences; thin lines matter here.
        crop: Side of the random squares that all but the last steps learn from, px: more steps for the same work.
        full_steps: Last steps, which see whole images.
        seed: Names the noise and the crops.
    """

    def __init__(
        self,
        vae: AutoencoderKL | LocalAutoencoder,
        *,
        lr: float = 1e-3,
        warmup: int = 50,
        kl_weight: float = 5e-4,
        edge_weight: float = 1.0,
        crop: int | None = None,
        full_steps: int = 200,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.vae = vae
        self.lr, self.warmup, self.kl_weight, self.edge_weight, self.seed = lr, warmup, kl_weight, edge_weight, seed
        self.crop, self.full_steps = crop, full_steps

    def setup(self, stage: str) -> None:
        """A `LocalAutoencoder` begins with principal components of the training images' patches."""
        if stage == "fit" and isinstance(self.vae, LocalAutoencoder):
            data: ImageData = self.trainer.datamodule  # type: ignore[attr-defined]
            self.vae.fit_patches(2 * to_unit(data.images["train"].images[:256, :1]) - 1)

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        x = self._cropped(2 * batch["image"] - 1)
        posterior = self.vae.encode(x.repeat(1, self.vae.config["in_channels"], 1, 1)).latent_dist
        noise = randn_at(posterior.mean.shape, self.seed, self.global_step, self.global_rank, like=posterior.mean)
        x_hat = self.vae.decode(posterior.mean + posterior.std * noise).sample
        pixels, edges = reconstruction_errors(x_hat, x)
        kl = 0.5 * (posterior.mean**2 + posterior.var - 1 - posterior.logvar).mean()
        self.log_dict({"train/l1": pixels, "train/edges": edges, "train/kl": kl}, prog_bar=True)
        return pixels + self.edge_weight * edges + self.kl_weight * kl

    def _cropped(self, x: Tensor) -> Tensor:
        if self.crop is None or self.global_step >= self.trainer.max_steps - self.full_steps:
            return x
        generator = step_generator(self.seed, self.global_step, self.global_rank, 1)
        top, left = (int(torch.randint(0, side - self.crop + 1, (), generator=generator)) for side in x.shape[-2:])
        return x[..., top : top + self.crop, left : left + self.crop]

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        x = 2 * batch["image"] - 1
        x_hat = self.vae.decode(
            self.vae.encode(x.repeat(1, self.vae.config["in_channels"], 1, 1)).latent_dist.mode()
        ).sample
        pixels, edges = reconstruction_errors(x_hat, x)
        mse = ((x_hat.float().mean(1, keepdim=True) - x) / 2).pow(2).mean(dim=(1, 2, 3))
        psnr = (-10 * mse.log10()).mean()
        self.log_dict(
            {"val/l1": pixels, "val/edges": edges, "val/psnr": psnr, "val/loss": pixels + edges}, prog_bar=True
        )

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.vae.parameters(), lr=self.lr, betas=(0.9, 0.99), weight_decay=1e-4)
        scheduler = warmup_cosine(optimizer, self.warmup, self.trainer.max_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def export(self, data: ImageData, folder: Path) -> None:
        """Write `vae/` with the scaling factor that gives its latents unit variance, and how good its round trip is."""
        vae = self.vae.float().eval()
        images = to_unit(data.images["train"].images[:256, :1])
        vae.register_to_config(scaling_factor=measure_scale(vae, images.to(vae.device)))
        if isinstance(vae, LocalAutoencoder):
            unseen = to_unit(data.images["val"].images[:, :1]).to(vae.device)
            vae.register_to_config(psnr=round(measure_psnr(vae, unseen), 2))
        Bundle(vae=vae).save(folder)


def reconstruction_errors(x_hat: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean absolute error of grey levels (range 2) and of their differences along both axes."""
    error = x_hat.float().mean(1, keepdim=True) - x
    return error.abs().mean(), error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()


def warmup_cosine(optimizer: torch.optim.Optimizer, warmup: int, steps: int, floor: float = 0.1) -> Any:
    """Linear warm-up, then a cosine from 1 to `floor` at step `steps`."""

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        progress = min(1.0, (step - warmup) / max(1, steps - warmup))
        return floor + (1 - floor) * 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * progress))))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


@torch.no_grad()
def measure_psnr(vae: LocalAutoencoder, images: Tensor) -> float:
    """Mean PSNR of the round trip of images in [0, 1], dB."""
    errors = [((vae(2 * x - 1).clamp(-1, 1) / 2 + 0.5 - x) ** 2).mean(dim=(1, 2, 3)) for x in images.split(16)]
    return float((-10 * torch.cat(errors).clamp(min=1e-10).log10()).mean())


@torch.no_grad()
def measure_scale(vae: AutoencoderKL | LocalAutoencoder, images: Tensor) -> float:
    """Factor that gives the latents of these images (in [0, 1]) a standard deviation of 1."""
    modes = [
        vae.encode((2 * x - 1).repeat(1, vae.config["in_channels"], 1, 1)).latent_dist.mode() for x in images.split(16)
    ]
    return float(1 / torch.cat(modes).std())
