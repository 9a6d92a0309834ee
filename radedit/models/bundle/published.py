"""The published weights as one bundle: RadEdit's U-Net, the SDXL autoencoder and BioViL-T's encoders."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from radedit.models.bundle.bundle import Bundle, hash_files, load_whole, read_part
from radedit.models.bundle.hub import Release
from radedit.models.encoders.biovil_image import BioVilImage
from radedit.models.encoders.text_encoder import CXRBert, published_tokenizer

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load(
    unet: Release | None, vae: Release, text_encoder: Release, image_encoder: Release, scheduler: DDIMScheduler, *,
    size: int = 512, dtype: str = "bfloat16", vae_dtype: str = "float32", attention_mask: bool = False,
    max_length: int = 128, device: str | torch.device = "cpu", compile: bool = False,
) -> Bundle:  # fmt: skip
    """Put the published parts together.

    No code of the publishers' is run, and nothing is unpickled but tensors. What the parts are made of (channels,
    attention, the factor that scales latents) is read from their own configurations.

    Args:
        unet: Where RadEdit's files are; None leaves it out, for who trains one and needs the other parts only.
        vae: Where the SDXL autoencoder's are.
        text_encoder: Where those of BioViL-T's text encoder and tokenizer are.
        image_encoder: Where the checkpoint of BioViL-T's image encoder is.
        scheduler: Noise levels; the release has no file of them.
        size: Side of the images, px.
        dtype: Of U-Net and text encoder: float32, bfloat16 or float16.
        vae_dtype: Of the autoencoder: float32 or bfloat16.
        attention_mask: See `Bundle`.
        max_length: Tokens of a prompt.
        device: For all of them.
        compile: See `Bundle.load`.

    Raises:
        FileNotFoundError: If a file can't be had; the message says how to get it.
        ValueError: If a file is another than published, damaged, or does not fit the other parts.
    """
    for key, value, allowed in (("dtype", dtype, list(DTYPES)), ("vae_dtype", vae_dtype, ["float32", "bfloat16"])):
        if value not in allowed:
            reason = ": the SDXL autoencoder overflows in float16, and gives NaN" if value == "float16" else ""
            raise ValueError(f"generator.{key} is {value!r}{reason}. Allowed are {', '.join(allowed)}.")
    releases = {} if unet is None else {"unet": unet}
    releases |= {"vae": vae, "text_encoder": text_encoder, "image_encoder": image_encoder}
    # What the user named is checked before anything is downloaded.
    order = sorted(releases, key=lambda part: releases[part].folder is None)
    files = {part: releases[part].locate(part) for part in order}
    configuration = {part: _configuration(files[part]) for part in releases if part != "image_encoder"}
    (checkpoint,) = files["image_encoder"].values()
    _check_scaling(configuration["vae"])
    sources: dict[str, tuple[Callable[[Path], Any], Path, str]] = {
        "vae": (partial(load_whole, AutoencoderKL), configuration["vae"].parent, vae_dtype),
        "text_encoder": (partial(load_whole, CXRBert), configuration["text_encoder"].parent, dtype),
        "tokenizer": (
            partial(published_tokenizer, max_length=max_length), configuration["text_encoder"].parent, dtype
        ),
        "image_encoder": (BioVilImage.from_checkpoint, checkpoint, "float32"),
    }  # fmt: skip
    if "unet" in configuration:
        sources["unet"] = (partial(load_whole, UNet2DConditionModel), configuration["unet"].parent, dtype)
    parts = {
        name: read_part(name, loader, path, device, DTYPES[kind]) for name, (loader, path, kind) in sources.items()
    }
    bundle = Bundle(**parts, scheduler=scheduler, size=size, attention_mask=attention_mask)
    _check_fit(bundle)
    assert bundle.vae is not None
    if compile:
        bundle.compile()
    bundle.vae.enable_slicing()  # one image at a time: a block of them at 512 px would not fit many a GPU
    noise = {key: value for key, value in scheduler.config.items() if not key.startswith("_")}
    options = [size, dtype, vae_dtype, attention_mask, max_length, noise, *(["compile"] if compile else [])]
    weights = hash_files({f"{part}/{file}": path for part in releases for file, path in files[part].items()})
    bundle.hash = hashlib.sha256(json.dumps([weights, options], sort_keys=True).encode()).hexdigest()
    return bundle


def _configuration(files: dict[str, Path]) -> Path:
    return next(path for path in files.values() if path.name == "config.json")


def _check_scaling(path: Path) -> None:
    """Refuse an autoencoder's configuration for which diffusers would take another autoencoder's scaling factor."""
    try:
        known = "scaling_factor" in json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} can't be read as JSON: {error}. Fetch it again.") from error
    if not known:
        raise ValueError(f"{path} has no scaling_factor, and without it another autoencoder's would be used.")


def _check_fit(bundle: Bundle) -> None:
    """Refuse parts of different models before anything is edited with them."""
    assert bundle.vae is not None and bundle.text_encoder is not None
    assert isinstance(bundle.image_encoder, BioVilImage)
    text = bundle.text_encoder.config
    pairs = [
        ("The text encoder's projection_size and the image encoder's",
         text.projection_size, bundle.image_encoder.config["projection_size"]),
    ]  # fmt: skip
    if bundle.unet is not None:
        attended = bundle.unet.config["cross_attention_dim"]
        pairs += [
            ("The autoencoder's latent_channels and the U-Net's in_channels",
             bundle.vae.config["latent_channels"], bundle.unet.config["in_channels"]),
            ("The text encoder's hidden_size and the U-Net's cross_attention_dim",
             text.hidden_size, attended[0] if isinstance(attended, list | tuple) else attended),
        ]  # fmt: skip
    for what, one, other in pairs:
        if one != other:
            raise ValueError(f"{what} differ, {one} and {other}: these parts do not belong together.")
    if len(bundle.tokenizer) > text.vocab_size:
        raise ValueError(
            f"The tokenizer has {len(bundle.tokenizer)} words, but the text encoder knows {text.vocab_size}: these "
            "parts do not belong together."
        )
