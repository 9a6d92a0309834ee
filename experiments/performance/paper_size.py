"""A bundle of the paper's size with random weights, which takes as long as the trained one, and needs no files."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel

from radedit.models.bundle.bundle import Bundle
from radedit.models.encoders.image_encoder import ImageEncoder
from radedit.models.encoders.text_encoder import CXRBert, CXRBertConfig, train_tokenizer

SIZE = 512  # px
CHANNELS = (128, 256, 512, 768, 1024)  # Appendix A: base 128, × (1, 2, 4, 6, 8)
HEAD = 32  # dimensions of an attention head, Appendix A
WORDS = ["No acute cardiopulmonary process.", "Large left pneumothorax.", "Opacities. Chest tube in place."]


def paper_size(
    device: str, *, size: int = SIZE, dtype: torch.dtype = torch.float32, compile: bool = False, seed: int = 0
) -> Bundle:
    """U-Net of Appendix A (548.8 M parameters), an autoencoder as SDXL's, a text encoder as BioViL-T's.

    Args:
        device: Where they are made and run.
        size: Side of the images, px.
        dtype: Of U-Net and text encoder; the autoencoder stays float32, as with the published weights.
        compile: See `Bundle.load`.
        seed: Of the weights.
    """
    tokenizer = train_tokenizer(WORDS, max_length=128, vocabulary=500)
    torch.manual_seed(seed)
    with torch.device(device):
        unet = UNet2DConditionModel(
            sample_size=size // 8, block_out_channels=CHANNELS, layers_per_block=2, cross_attention_dim=768,
            attention_head_dim=tuple(c // HEAD for c in CHANNELS),  # diffusers' name for their number
            down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * 4),
            up_block_types=(*("CrossAttnUpBlock2D",) * 4, "UpBlock2D"),
        )  # fmt: skip
        vae = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512), layers_per_block=2, sample_size=size, scaling_factor=0.13025,
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        )  # fmt: skip
        text = CXRBert(CXRBertConfig(vocab_size=30522, hidden_size=768, intermediate_size=3072))
        image = ImageEncoder(channels=(8, 8, 8, 8), projection_size=128)
    for part, kind in ((unet, dtype), (vae, torch.float32), (text, dtype), (image, torch.float32)):
        part.to(device=device, dtype=kind).eval().requires_grad_(False)
    for part in (unet, vae):
        part.to(memory_format=torch.channels_last)
    vae.enable_slicing()
    scheduler = DDIMScheduler(
        beta_start=1e-4, beta_end=0.02, beta_schedule="linear", clip_sample=False, timestep_spacing="trailing"
    )
    bundle = Bundle(vae, unet, scheduler, text, tokenizer, image, size=size)
    if compile:
        bundle.compile()
    return bundle
