"""A generator bundle with random weights: every part of the real one, a few thousand parameters each."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from radedit.models.bundle.bundle import Bundle
from radedit.models.encoders.image_encoder import ImageEncoder
from radedit.models.encoders.text_encoder import CXRBert, CXRBertConfig, train_tokenizer

SIZE = 32  # px; 2 px a latent cell
WORDS = ["No acute cardiopulmonary process.", "Large left pneumothorax.", "Opacities. Chest tube in place."]


def save_tiny_bundle(folder: Path) -> Path:
    """Write a bundle for images of 32 px, the same one every time, and return its folder."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        bundle = _tiny_bundle()
    bundle.save(folder, dtype=torch.float32)
    return folder


def _tiny_bundle() -> Bundle:
    tokenizer = train_tokenizer(WORDS, max_length=16, vocabulary=160)
    text = CXRBertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=16, projection_size=8,
    )  # fmt: skip
    return Bundle(
        vae=AutoencoderKL(
            in_channels=1, out_channels=1, block_out_channels=(8, 8), layers_per_block=1, latent_channels=4,
            down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
            norm_num_groups=4, sample_size=SIZE, mid_block_add_attention=False,
        ),
        unet=UNet2DConditionModel(
            sample_size=SIZE // 2, in_channels=4, out_channels=4, block_out_channels=(8, 8), layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=16, attention_head_dim=2, norm_num_groups=4,
        ),
        scheduler=DDIMScheduler(
            beta_start=1e-4, beta_end=0.02, beta_schedule="linear", clip_sample=False, timestep_spacing="trailing"
        ),
        text_encoder=CXRBert(text),
        tokenizer=tokenizer,
        image_encoder=ImageEncoder(channels=(8, 8, 8, 8), projection_size=8),
        size=SIZE,
    )  # fmt: skip
