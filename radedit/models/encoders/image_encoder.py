"""Image encoder of the joint image–text space: a timm ResNet and a projection."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn


class ImageEncoder(nn.Module):
    """Small ResNet over the image and its two coordinates, projected into the joint space.

    The coordinates (left to right, top to bottom, −1…1) let global pooling tell left from right.

    Args:
        channels: Width of each of the four stages.
        layers: Blocks in each stage.
        projection_size: Width of the joint space.
    """

    def __init__(
        self,
        channels: Sequence[int] = (24, 48, 96, 192),
        layers: Sequence[int] = (1, 1, 1, 1),
        projection_size: int = 128,
    ) -> None:
        super().__init__()
        self.config = {"channels": list(channels), "layers": list(layers), "projection_size": projection_size}
        self.trunk = ResNet(
            block=BasicBlock,  # type: ignore[arg-type]  # timm means the class, not an instance
            layers=tuple(layers), channels=tuple(channels), in_chans=3, num_classes=0,
            stem_width=channels[0] // 2, stem_type="deep",
        )  # fmt: skip
        self.projector = nn.Sequential(
            nn.Linear(channels[-1], projection_size), nn.GELU(), nn.Linear(projection_size, projection_size)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Embed images.

        Args:
            images: Grey levels in [0, 1], shape (B, 1, H, W).

        Returns:
            L2-normalised embeddings, shape (B, P).
        """
        height, width = images.shape[-2:]
        x = torch.linspace(-1, 1, width, device=images.device).expand(len(images), 1, height, width)
        y = torch.linspace(-1, 1, height, device=images.device)[:, None].expand(len(images), 1, height, width)
        features = self.trunk(torch.cat([2 * images - 1, x, y], dim=1))
        return nn.functional.normalize(self.projector(features), dim=-1)

    def save_pretrained(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(
            json.dumps({"architecture": "radedit.ImageEncoder", **self.config}, indent=2)
        )
        save_file(
            {name: tensor.contiguous() for name, tensor in self.state_dict().items()}, folder / "model.safetensors"
        )

    @classmethod
    def from_pretrained(cls, folder: Path) -> ImageEncoder:
        """Read what `save_pretrained` wrote."""
        config = json.loads((folder / "config.json").read_text())
        config.pop("architecture", None)
        encoder = cls(**config)
        encoder.load_state_dict(load_file(folder / "model.safetensors"))
        return encoder
