"""Section 5.1: training the denoising U-Net of a latent diffusion model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor, nn
from torchvision.utils import make_grid

from radedit.data.batches.latents import LatentData
from radedit.data.batches.module import randn_at
from radedit.models.bundle.bundle import Bundle, hash_folder
from radedit.models.encoders.text_encoder import tokenize
from radedit.training.draws import Draws


class DiffusionTraining(L.LightningModule):
    """ε-prediction on cached latents, conditioned on reports through a frozen text encoder.

    Only the U-Net is a submodule, so only it is averaged, checkpointed and optimised; VAE and text encoder stay in the
    bundle, outside. Texts are encoded at every step, each in an order of its own: at the paper's size that is 6 % of a
    step's arithmetic, where the embeddings of all reports in a single order would fill 96 GB.

    Args:
        bundle: Folder with `vae/`, `text_encoder/` and `tokenizer/`; `unet/` and `scheduler/` are written to it.
        unet: To be trained, or the path of one to go on from.
        scheduler: Noise levels; the released one is linear, trailing.
        lr: Learning rate of AdamW, fixed after `warmup` steps (App. A: 1e-4, fixed).
        cooldown: Last steps, over which the learning rate falls to 0.
        min_snr: γ of min-SNR weighting (Hang et al., 2023, arXiv:2303.09556): errors count min(SNR, γ) / SNR, so that
            steps of little noise, where it is hard to predict, do not dominate the training; None weighs all alike.
        dropout: Probability that a report is replaced by the empty string (App. A names it, not how often).
        seed: Names timesteps, noise, dropout and the order of sentences.
        sample_prompts: Drawn as a grid at every validation.
        sample_steps, sample_guidance: How.
        fused: Whether AdamW is one kernel for all weights; None: on a GPU, but for float16, whose scaling forbids it.
        compile: Whether to compile the U-Net for steps of training, which takes a minute or two: worth it on a GPU.
    """

    def __init__(
        self,
        bundle: str,
        unet: UNet2DConditionModel | str,
        scheduler: DDIMScheduler,
        *,
        lr: float = 1e-4,
        warmup: int = 0,
        cooldown: int = 0,
        min_snr: float | None = None,
        dropout: float = 0.1,
        seed: int = 0,
        sample_prompts: tuple[str, ...] = (),
        sample_steps: int = 25,
        sample_guidance: float = 4.0,
        fused: bool | None = None,
        compile: bool = False,
    ) -> None:
        super().__init__()
        frozen = Bundle.load(bundle)
        frozen.require("vae", "text_encoder", "tokenizer")
        self.vae_hash = hash_folder(Path(bundle) / "vae")
        self._outside = Outside(frozen)
        self.unet = (
            UNet2DConditionModel.from_pretrained(unet, low_cpu_mem_usage=False) if isinstance(unet, str) else unet
        )
        network: nn.Module = self.unet
        network.train().requires_grad_(True)
        if torch.cuda.is_available():  # a CPU trains as fast either way
            network.to(memory_format=torch.channels_last)
        if compile:
            network.compile(dynamic=False)  # calls of the network, not `forward`; names of weights stay as they are
        self.scheduler = scheduler
        self.noising = DDPMScheduler.from_config(scheduler.config)
        self.lr, self.warmup, self.cooldown, self.seed, self.fused = lr, warmup, cooldown, seed, fused
        self.min_snr = min_snr
        self.draw = Draws(frozen.tokenizer, int(self.noising.config["num_train_timesteps"]), dropout, seed)
        self.sample_prompts, self.sample_steps, self.sample_guidance = (
            tuple(sample_prompts),
            sample_steps,
            sample_guidance,
        )

    @property
    def frozen(self) -> Bundle:
        """VAE, text encoder and tokenizer."""
        return self._outside.bundle

    def setup(self, stage: str) -> None:
        self._place()

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch["latent"]))
        return loss

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        drawn = self.draw(batch, -1, batch_idx, dropout=0.0)
        # Not compiled: batches have other sizes here, and are few.
        loss = self.loss({name: part.to(self.device) for name, part in drawn.items()}, self.unet.forward)
        self.log("val/loss", loss, prog_bar=True, batch_size=len(batch["latent"]), sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        if self.sample_prompts and self.trainer.is_global_zero:
            grid = make_grid(self.sample(), nrow=len(self.sample_prompts))
            folder = Path(self.trainer.default_root_dir) / "samples"
            folder.mkdir(parents=True, exist_ok=True)
            from torchvision.utils import save_image

            save_image(grid, folder / f"step-{self.global_step:06d}.png")
            for logger in self.loggers:
                if hasattr(logger, "log_image"):
                    logger.log_image("samples", [grid], caption=[" | ".join(self.sample_prompts)])

    def loss(self, drawn: dict[str, Any], unet: Callable[..., Any] | None = None) -> Tensor:
        """Weighted mean squared error of the noise that `unet`, else our own, predicts for a batch of `Draws`."""
        x_t = self.noising.add_noise(drawn["latent"], drawn["noise"], drawn["t"])
        c = self.embed(drawn["tokens"])[drawn["text"]]
        eps = (unet or self.unet)(x_t, drawn["t"], c).sample
        errors = nn.functional.mse_loss(eps.float(), drawn["noise"].float(), reduction="none").mean(dim=(1, 2, 3))
        return (self._weights(drawn["t"]) * errors).mean()

    def _weights(self, t: Tensor) -> Tensor:
        """What the error at each timestep counts, shape (B,)."""
        if self.min_snr is None:
            return torch.ones(len(t), device=t.device)
        alpha_bar = self.noising.alphas_cumprod.to(t.device)[t]
        return (self.min_snr * (1 - alpha_bar) / alpha_bar).clamp(max=1)

    def embed(self, tokens: Tensor) -> Tensor:
        """Frozen embeddings of tokens (B, L), shape (B, L, D)."""
        assert self.frozen.text_encoder is not None
        with torch.no_grad():
            return self.frozen.text_encoder.hidden(tokens)

    def embed_prompts(self, prompts: Sequence[str]) -> Tensor:
        """The same of texts."""
        return self.embed(tokenize(self.frozen.tokenizer, prompts, self.device)[0])

    @torch.no_grad()
    def sample(self, n: int = 4) -> Tensor:
        """Draw `n` images for every sample prompt by DDIM, shape (n · prompts, 1, H, W)."""
        prompts = list(self.sample_prompts) * n
        c = self.embed_prompts([*prompts, *([""] * len(prompts))])
        latent = self.unet.config["sample_size"]
        x = randn_at((len(prompts), self.unet.config["in_channels"], latent, latent), self.seed, 0, 7, like=c)
        scheduler = DDIMScheduler.from_config(self.scheduler.config)
        scheduler.set_timesteps(self.sample_steps)
        for t in scheduler.timesteps:
            eps_cond, eps_uncond = self.unet.forward(torch.cat([x, x]), t, c).sample.float().chunk(2)
            x = scheduler.step(eps_uncond + self.sample_guidance * (eps_cond - eps_uncond), t, x).prev_sample
        return self.frozen.decode(x)

    def configure_optimizers(self) -> Any:
        half = self.trainer.precision == "16-mixed" if self._trainer else False
        fused = self._root_device().type == "cuda" and not half if self.fused is None else self.fused
        optimizer = torch.optim.AdamW(self.unet.parameters(), lr=self.lr, fused=fused)
        warm = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": warm, "interval": "step"}}

    def _rate(self, step: int) -> float:
        """Factor on the learning rate at a step."""
        left = self.trainer.max_steps - step if self.cooldown else 1
        return min(1.0, (step + 1) / max(1, self.warmup), left / max(1, self.cooldown))

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """By the norm. Lightning refuses it for a fused optimizer, which could hide gradients scaled for float16."""
        if gradient_clip_val and self.trainer.precision != "16-mixed":
            nn.utils.clip_grad_norm_(self.unet.parameters(), gradient_clip_val)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def prepare(self, data: LatentData) -> None:
        """Hand the frozen encoder and the draws to the data module."""

        def encode(images: Tensor) -> Tensor:
            self._place()
            return self.frozen.encode(images.to(self.frozen.device))

        data.use(encode, self.vae_hash, self.draw)

    def _place(self) -> None:
        """Move the frozen parts to where the U-Net will be; Lightning moves that itself, later."""
        parts: tuple[nn.Module | None, ...] = (self.frozen.vae, self.frozen.text_encoder)
        for part in parts:
            assert part is not None
            part.to(self._root_device())

    def _root_device(self) -> torch.device:
        attached = self._trainer is not None
        return self.trainer.strategy.root_device if attached else self.device

    def export(self, data: LatentData, folder: Path) -> None:
        """Write `unet/` (the averaged weights, if they were averaged) and `scheduler/`."""
        Bundle(unet=self.unet.float().eval(), scheduler=self.scheduler).save(folder)


class Outside:
    """Holds a bundle that copies of a module share, and whose networks Lightning does not take for the module's."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def __deepcopy__(self, memo: dict[int, Any]) -> Outside:
        return self
