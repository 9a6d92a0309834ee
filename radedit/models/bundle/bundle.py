"""The generator bundle: VAE, U-Net, scheduler, text encoder, tokenizer and image encoder in one folder.

    vae/ unet/ scheduler/ text_encoder/ tokenizer/ image_encoder/

in the formats of diffusers and transformers, with safetensors only. The phantom bundle and the published weights go
through this one code path; only sizes differ. Parts that are not there yet (a bundle is trained part by part) are None.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.utils import logging as diffusers_logging
from torch import Tensor, nn
from transformers import AutoTokenizer
from transformers.utils import logging as transformers_logging

from radedit.models.adapters.plain import check_local, read_plain
from radedit.models.bundle.latent_predictor import LatentPredictor, compile_network
from radedit.models.bundle.local_autoencoder import LocalAutoencoder
from radedit.models.encoders.biovil_image import BioVilImage
from radedit.models.encoders.image_encoder import ImageEncoder
from radedit.models.encoders.text_encoder import CXRBert, tokenize
from radedit.schedule import Schedule
from radedit.types import Randn

UNFINISHED = ".tmp"  # ends the name of a part's folder that is being written, or that a killed run was writing
PARTS = ("vae", "unet", "text_encoder", "image_encoder")
LARGE = 512  # px: a block of such images would not fit many a GPU, so that a VAE takes them one by one
AUTOCAST = {None: None, "bfloat16": torch.bfloat16}


@dataclass
class Bundle:
    """A latent diffusion model with the encoders of its editing score.

    Attributes:
        vae: Images ↔ latents.
        unet: Noise predictor.
        scheduler: Noise levels of training.
        text_encoder: Reports → tokens' embeddings and joint space.
        tokenizer: Its tokenizer.
        image_encoder: Images → joint space.
        size: Side of the images, px.
        attention_mask: Whether the U-Net's prompts are encoded with their padding masked; the released pipeline passes
            no mask.
        autocast: Type in which the U-Net multiplies matrices; its own where None.
        compiled: Whether the U-Net is compiled.
        hash: Names the weights and how they are run; empty for a bundle that was not loaded from a folder.
    """

    vae: AutoencoderKL | LocalAutoencoder | None = None
    unet: UNet2DConditionModel | None = None
    scheduler: DDIMScheduler | None = None
    text_encoder: CXRBert | None = None
    tokenizer: Any = None
    image_encoder: ImageEncoder | BioVilImage | None = None
    size: int = 128
    attention_mask: bool = False
    autocast: torch.dtype | None = None
    compiled: bool = False
    hash: str = ""

    @classmethod
    def load(
        cls, folder: str | Path, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32,
        autocast: str | None = None, compile: bool = False,
    ) -> Bundle:  # fmt: skip
        """Load every part that is in `folder`, in evaluation mode and frozen.

        Args:
            folder: Of the bundle.
            device: Where its networks run.
            dtype: Of their weights.
            autocast: "bfloat16" lets the U-Net multiply in that type, which takes half the time on a GPU or a CPU
                that knows it (avx512_bf16); edits are others then, and so is the hash. The autoencoder, a few calls
                of some hundred an image, stays precise: its images have more grey levels than bfloat16.
            compile: Whether to compile the U-Net, see `compile_network`; this too changes edits, and the hash.

        Raises:
            FileNotFoundError: If the folder has none of the parts.
            ValueError: If a part's files are damaged or incomplete, a configuration names something that would be
                fetched, or `autocast` is something else.
        """
        folder = Path(folder)
        if autocast not in AUTOCAST:
            raise ValueError(f"autocast is {autocast!r}; allowed are null and bfloat16.")
        if not any((folder / part).is_dir() for part in PARTS):
            raise FileNotFoundError(
                f"No generator bundle in {folder.resolve()}: none of {', '.join(f'{p}/' for p in PARTS)} is there. "
                "Train one (python -m radedit.train +experiment=autoencoder, joint, diffusion) or name another with "
                "generator.folder=…"
            )
        bundle = cls(autocast=AUTOCAST[autocast], hash=hash_folder(folder))
        if run_as := {**({"autocast": autocast} if autocast else {}), **({"compile": True} if compile else {})}:
            bundle.hash = hashlib.sha256(json.dumps([bundle.hash, run_as]).encode()).hexdigest()
        loaders: dict[str, Callable[[Path], Any]] = {
            "vae": _load_vae,
            "unet": partial(load_whole, UNet2DConditionModel),
            "scheduler": DDIMScheduler.from_pretrained,
            "text_encoder": partial(load_whole, CXRBert),
            "tokenizer": partial(AutoTokenizer.from_pretrained, local_files_only=True, trust_remote_code=False),
            "image_encoder": _load_image_encoder,
        }
        for name, loader in loaders.items():
            if (folder / name).is_dir():
                setattr(bundle, name, read_part(name, partial(_local, loader), folder / name, device, dtype))
        if compile:
            bundle.compile()
        if bundle.vae is not None:
            bundle.size = int(bundle.vae.config["sample_size"])
            if bundle.unet is not None and bundle.unet.config["sample_size"] is not None:
                bundle.size = bundle.factor * int(bundle.unet.config["sample_size"])  # a VAE may serve several sizes
            if bundle.size >= LARGE:
                bundle.vae.enable_slicing()
        return bundle

    def save(
        self, folder: str | Path, *, dtype: torch.dtype = torch.float16, parts: Sequence[str] | None = None
    ) -> None:
        """Write the parts that are there (or only those named), weights as safetensors of `dtype`."""
        for name in ("vae", "unet", "scheduler", "text_encoder", "tokenizer", "image_encoder"):
            part = getattr(self, name)
            if part is None or (parts is not None and name not in parts):
                continue
            with _quietly():
                kept: Any = deepcopy(part).to(dtype) if isinstance(part, nn.Module) else part  # ours stays precise
                with _whole_folder(Path(folder) / name) as temporary:
                    kept.save_pretrained(temporary)

    def compile(self) -> None:
        """Have torch compile the U-Net, if there is one: see `compile_network`."""
        if self.unet is not None:
            compile_network(self.unet)
        self.compiled = True

    def require(self, *parts: str) -> None:
        """Raise if a part is missing, before long work starts."""
        if missing := [part for part in parts if getattr(self, part) is None]:
            raise ValueError(
                f"The generator bundle lacks {', '.join(missing)}; train it (python -m radedit.train +experiment=…)."
            )

    @property
    def device(self) -> torch.device:
        """Where the first part lies."""
        module = next(p for p in (self.vae, self.unet, self.text_encoder) if p is not None)
        return next(module.parameters()).device

    @property
    def factor(self) -> int:
        """Pixels a latent cell covers along each side."""
        self.require("vae")
        assert self.vae is not None
        if isinstance(self.vae, LocalAutoencoder):
            return int(self.vae.config["patch_size"])
        return int(2 ** (len(self.vae.config["block_out_channels"]) - 1))

    @property
    def psnr(self) -> float | None:
        """Of the autoencoder's round trip on images as it was trained on, dB, by its own configuration."""
        found = self.vae.config.get("psnr") if isinstance(self.vae, LocalAutoencoder) else None
        return None if found is None else float(found)

    @torch.no_grad()
    def encode(self, images: Tensor, randn: Randn | None = None) -> Tensor:
        """Latents of images: the posterior's mode, or a draw from it, scaled.

        Args:
            images: Grey levels in [0, 1], shape (B, 1, H, W).
            randn: Source of the draw, asked for the latents' shape; the mode where None.

        Returns:
            Shape (B, C, H / factor, W / factor).
        """
        assert self.vae is not None
        pixels = (2 * images - 1).to(self.vae.dtype).repeat(1, self.vae.config["in_channels"], 1, 1)
        posterior = self.vae.encode(pixels).latent_dist
        latents = posterior.mode()
        if randn is not None:
            latents = latents + posterior.std * randn(latents.shape).to(latents)
        return latents * self.vae.config["scaling_factor"]

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Images of latents, grey levels in [0, 1], shape (B, 1, H, W)."""
        assert self.vae is not None
        pixels = self.vae.decode(latents.to(self.vae.dtype) / self.vae.config["scaling_factor"]).sample
        return (pixels.mean(dim=1, keepdim=True) / 2 + 0.5).clamp(0, 1).float()

    @torch.no_grad()
    def embed_prompts(self, prompts: Sequence[str]) -> Tensor:
        """Token embeddings that condition the U-Net, shape (B, L, D); ∅ is the encoded empty string."""
        assert self.text_encoder is not None
        input_ids, attention_mask = tokenize(self.tokenizer, prompts, self.text_encoder.device)
        return self.text_encoder.hidden(input_ids, attention_mask if self.attention_mask else None)

    @torch.no_grad()
    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """Texts in the joint space, L2-normalised, shape (B, P)."""
        assert self.text_encoder is not None
        return self.text_encoder.project(*tokenize(self.tokenizer, texts, self.text_encoder.device)).float()

    @torch.no_grad()
    def embed_image(self, images: Tensor) -> Tensor:
        """Images in the joint space, L2-normalised, shape (B, P)."""
        assert self.image_encoder is not None
        return self.image_encoder(images.to(next(self.image_encoder.parameters()).dtype))

    def schedule(self, T: int, spacing: float = 1) -> Schedule:  # noqa: N803 — the paper's symbol
        """Noise levels for T inference steps; `spacing` is that of `Schedule.from_diffusers`."""
        self.require("scheduler")
        assert self.scheduler is not None
        return Schedule.from_diffusers(self.scheduler, T, spacing)

    def predictor(self, schedule: Schedule) -> LatentPredictor:
        """f_θ for that schedule."""
        self.require("unet", "text_encoder", "tokenizer")
        return LatentPredictor(self, schedule)


def read_part(
    name: str, loader: Callable[[Path], Any], path: Path, device: str | torch.device, dtype: torch.dtype
) -> Any:
    """One part of a bundle; a network in evaluation mode and frozen.

    Raises:
        ValueError: If its files are damaged, incomplete or another network's.
    """
    try:
        with _quietly():
            part = loader(path)
            if isinstance(part, nn.Module):
                part = part.to(device=device, dtype=dtype).eval().requires_grad_(False)
                if name in ("vae", "unet"):
                    part.to(memory_format=torch.channels_last)  # a quarter less time, on a CPU as on a GPU
    except Exception as error:  # each library raises its own
        raise ValueError(
            f"Part {name!r} of the bundle in {path} can't be read: {error}. Fetch or train it again."
        ) from error
    return part


def _local(loader: Callable[[Path], Any], folder: Path) -> Any:
    """A part of a folder whose configurations name nothing that would be fetched.

    Code that one names (`auto_map`, as the published text encoder's does) is not looked at: the classes are ours.
    """
    for file in sorted(folder.glob("*config.json")):
        check_local({key: value for key, value in read_plain(file).items() if key != "auto_map"}, file)
    return loader(folder)


def load_whole(kind: Any, folder: Path) -> Any:
    """A network of diffusers or transformers, which would fill weights that are not there at random."""
    network, found = kind.from_pretrained(folder, output_loading_info=True, use_safetensors=True, local_files_only=True)
    if missing := sorted(found["missing_keys"]):
        raise ValueError(f"{len(missing)} of its weights are missing: {', '.join(missing[:3])}")
    return network


def _load_vae(folder: Path) -> AutoencoderKL | LocalAutoencoder:
    """Ours or diffusers'; its configuration says which."""
    kinds: dict[str, type[AutoencoderKL] | type[LocalAutoencoder]] = {
        kind.__name__: kind for kind in (AutoencoderKL, LocalAutoencoder)
    }
    name = json.loads((folder / "config.json").read_text()).get("_class_name", "AutoencoderKL")
    if name not in kinds:
        raise ValueError(f"its class is {name!r}; allowed are {', '.join(kinds)}")
    return load_whole(kinds[name], folder)


def _load_image_encoder(folder: Path) -> ImageEncoder | BioVilImage:
    """Ours or BioViL-T's; its configuration says which."""
    kinds: dict[str, type[ImageEncoder] | type[BioVilImage]] = {
        "radedit.ImageEncoder": ImageEncoder,
        "radedit.BioVilImage": BioVilImage,
    }
    architecture = json.loads((folder / "config.json").read_text()).get("architecture", "radedit.ImageEncoder")
    if architecture not in kinds:
        raise ValueError(f"its architecture is {architecture!r}; allowed are {', '.join(kinds)}")
    return kinds[architecture].from_pretrained(folder)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the libraries' progress bars and advice, which say nothing about a bundle."""
    verbosities = diffusers_logging.get_verbosity(), transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    diffusers_logging.set_verbosity_error()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        diffusers_logging.set_verbosity(verbosities[0])
        transformers_logging.set_verbosity(verbosities[1])
        if bars:
            transformers_logging.enable_progress_bar()


def adopt(source: Path, folder: Path, parts: Sequence[str]) -> None:
    """Copy parts of another bundle, byte by byte, into a bundle that has none of its own.

    Raises:
        FileNotFoundError: If `source` lacks one of the parts.
    """
    for part in parts:
        if not (source / part).is_dir():
            raise FileNotFoundError(f"The bundle in {source} has no {part}/, so it can't be taken from there.")
    for part in lacking(folder, parts):
        with _whole_folder(folder / part) as temporary:
            shutil.copytree(source / part, temporary)


@contextmanager
def _whole_folder(path: Path) -> Iterator[Path]:
    """A folder to write to, which takes the place of `path` at the end: a part is whole or absent, never half there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}{UNFINISHED}")
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def lacking(folder: Path, parts: Sequence[str]) -> list[str]:
    """Those of `parts` that a bundle does not have."""
    return [part for part in parts if not (folder / part).is_dir()]


def hash_folder(folder: Path) -> str:
    """SHA-256 over names and contents of a folder's weights and configurations."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix in {".safetensors", ".json", ".txt"})
    finished = [p for p in paths if p.parent.suffix != UNFINISHED]
    return hash_files({str(path.relative_to(folder)): path for path in finished})


def hash_files(paths: Mapping[str, Path]) -> str:
    """SHA-256 over names and contents."""
    digest = hashlib.sha256()
    for name, path in paths.items():
        digest.update(name.encode())
        with path.open("rb") as file:
            while chunk := file.read(2**24):  # weights may be larger than the memory
                digest.update(chunk)
    return digest.hexdigest()
