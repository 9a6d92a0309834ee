"""BioViL-T's image encoder: the published weights in a small module of our own, for one image at a time.

Bannur et al., "Learning to exploit temporal structure for biomedical vision–language processing", CVPR 2023. Names of
weights are those of the published checkpoint, so that it loads whole and strictly.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision.models import resnet50
from torchvision.transforms.functional import center_crop, resize

RESIZE, CROP = 512, 448  # px, as published
WIDTH = 256  # channels of an image's patches, and as many of what changed since the image before
ROUNDING = 1e-3  # of a grey level: float32 does not hold k / 255 exactly, and the published code cuts off


class BioVilImage(nn.Module):
    """ResNet-50, its patches beside "no image before", and a projection into the joint space.

    Args:
        projection_size: Width of the joint space; published is 128.
    """

    def __init__(self, projection_size: int = 128) -> None:
        super().__init__()
        self.config = {"projection_size": projection_size}
        self.encoder = _MultiImageEncoder()
        self.projector = nn.ModuleDict({"model": _projector(2 * WIDTH, projection_size)})

    def forward(self, images: Tensor) -> Tensor:
        """Embed images.

        Args:
            images: Grey levels in [0, 1], shape (B, 1, H, W).

        Returns:
            L2-normalised embeddings, shape (B, P).
        """
        return nn.functional.normalize(self.embed(published_input(images).to(images.dtype)), dim=-1)

    def embed(self, pixels: Tensor) -> Tensor:
        """What the publishers call `projected_global_embedding`: mean of the projected patches.

        Args:
            pixels: From `published_input`, shape (B, 3, 448, 448).

        Returns:
            Shape (B, P), not normalised.
        """
        return self.projector["model"](self.encoder(pixels)).mean(dim=(2, 3))

    def save_pretrained(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors`, as a bundle keeps them."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(
            json.dumps({"architecture": "radedit.BioVilImage", **self.config}, indent=2)
        )
        save_file(
            {name: tensor.contiguous() for name, tensor in self.state_dict().items()}, folder / "model.safetensors"
        )

    @classmethod
    def from_pretrained(cls, folder: Path) -> BioVilImage:
        """Read what `save_pretrained` wrote."""
        config = json.loads((folder / "config.json").read_text())
        config.pop("architecture", None)
        return cls._of(load_file(folder / "model.safetensors"), **config)

    @classmethod
    def from_checkpoint(cls, path: Path) -> BioVilImage:
        """Read the published `biovil_t_image_model_proj_size_128.pt`: tensors only, no code in it is run."""
        return cls._of(torch.load(path, map_location="cpu", weights_only=True))

    @classmethod
    def _of(cls, weights: dict[str, Tensor], **config: int) -> BioVilImage:
        with torch.device("meta"):  # without drawing 27 million random numbers first
            encoder = cls(**config)
        encoder.load_state_dict(weights, assign=True)
        return encoder


def published_input(images: Tensor) -> Tensor:
    """Images as BioViL-T was trained on them: whole grey levels from black to white, 512 px, its centre of 448 px.

    Args:
        images: Grey levels, shape (B, 1, H, W).

    Returns:
        In [0, 1], float32, shape (B, 3, 448, 448).

    Note:
        Each image is stretched to its own darkest and brightest pixel. An edit that changes either one therefore
        changes all grey levels, and the whole embedding, also outside its mask.
    """
    images = images.double()
    low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    levels = (255 * (images - low) / (high - low).clamp(min=1e-12) + ROUNDING).floor().byte()
    levels = resize(levels, RESIZE, antialias=True)
    return (center_crop(levels, CROP).float() / 255).repeat(1, 3, 1, 1)


class _MultiImageEncoder(nn.Module):
    """Patches of an image, 14 × 14, and beside them the one embedding that stands for "there is no image before"."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = resnet50(weights=None)  # with its classification layer, which is published but not used
        self.backbone_to_vit = nn.Conv2d(2048, WIDTH, kernel_size=1, bias=False)
        self.vit_pooler = _Comparison()
        self.missing_previous_emb = nn.Parameter(torch.zeros(1, WIDTH, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        trunk = self.encoder
        x = trunk.maxpool(trunk.relu(trunk.bn1(trunk.conv1(pixels))))
        x = self.backbone_to_vit(trunk.layer4(trunk.layer3(trunk.layer2(trunk.layer1(x)))))
        return torch.cat([x, self.missing_previous_emb.expand_as(x)], dim=1)


class _Comparison(nn.Module):
    """Weights of the transformer that compares two images; held, so that a checkpoint loads whole, and never called."""

    def __init__(self) -> None:
        super().__init__()
        self.type_embed = nn.Parameter(torch.zeros(2, 1, WIDTH))
        self.blocks = nn.ModuleList(_block() for _ in range(3))
        self.norm_post = nn.LayerNorm(WIDTH)


def _block() -> nn.ModuleDict:
    attention = {name: nn.Linear(WIDTH, WIDTH, bias=False) for name in ("proj_q", "proj_k", "proj_v")}
    return nn.ModuleDict({
        "norm1": nn.LayerNorm(WIDTH),
        "attn": nn.ModuleDict({**attention, "proj": nn.Linear(WIDTH, WIDTH)}),
        "norm2": nn.LayerNorm(WIDTH),
        "mlp": nn.ModuleDict({"fc1": nn.Linear(WIDTH, WIDTH), "fc2": nn.Linear(WIDTH, WIDTH)}),
    })  # fmt: skip


def _projector(width: int, projection_size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, projection_size, kernel_size=1, bias=False),
        nn.BatchNorm2d(projection_size),
        nn.ReLU(),
        nn.Conv2d(projection_size, projection_size, kernel_size=1),
    )
