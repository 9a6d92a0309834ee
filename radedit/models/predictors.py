"""The models under test: a classifier and a segmenter with a classification layer, and what the harness sees of both.

A predictor is a folder: `config.json` and `model.safetensors` (half precision), and the `card.json` of its training.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import timm
import torch
from monai.networks.nets.flexible_unet import SegmentationHead, UNetDecoder
from safetensors.torch import load_file, save_file
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from radedit.models.adapters.loaded import first_line
from radedit.models.adapters.plain import check_local, read_plain

CARD = "card.json"  # what a predictor learned from and how well, and the hash that it had then


class Prediction(NamedTuple):
    """The prediction for a batch.

    Attributes:
        probability: Of the label, shape (B,), 0…1; None for a predictor that does not classify.
        masks: Probability of every mask in every pixel, shape (B, K, H, W), 0…1; None for one that does not segment.
    """

    probability: Tensor | None
    masks: Tensor | None


class Predictor(Protocol):
    """A model under test. It is handed images and never learns whether they were edited.

    Attributes:
        label: What it detects; None if it does not classify.
        masks: What it segments, in the order of `Prediction.masks`; empty if it does not segment.
        size: Side of its images, px.
    """

    label: str | None
    masks: tuple[str, ...]
    size: int

    @property
    def hash(self) -> str:
        """Names architecture and weights; the same before saving and after loading."""
        ...

    def predict(self, images: Tensor) -> Prediction:
        """Predict images, grey levels in [0, 1], shape (B, 1, size, size)."""
        ...


class Network(nn.Module):
    """A predictor with weights: `logits` is the network, the rest is what every network does with them.

    Args:
        label: What it detects, or None.
        masks: What it segments.
        size: Side of its images, px.
        config: Further arguments of its constructor, as JSON keeps them.
    """

    def __init__(self, label: str | None, masks: Sequence[str], size: int, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.label, self.masks, self.size = label, tuple(masks), size
        self.config = {"architecture": f"radedit.{type(self).__name__}", "label": label, "size": size, **config}

    def logits(self, images: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Log-odds of the label, shape (B,), and of the masks, shape (B, K, H, W); None for what it does not tell."""
        raise NotImplementedError

    def stages(self, images: Tensor) -> Sequence[Tensor]:
        """Feature maps, each of shape (B, C, h, w), from fine to coarse; `label_logits` is a function of the last."""
        raise NotImplementedError

    def label_logits(self, features: Tensor) -> Tensor:
        """Log-odds of the label, shape (B,); only for a network that has one."""
        raise NotImplementedError

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        """Predict images, in evaluation mode (in which it stays) and without gradients.

        Args:
            images: Grey levels in [0, 1], shape (B, 1, size, size).

        Returns:
            Probabilities, on the network's device.

        Raises:
            ValueError: If the images have another shape.
        """
        if images.ndim != 4 or images.shape[1:] != (1, self.size, self.size):
            raise ValueError(
                f"This predictor takes images (B, 1, {self.size}, {self.size}); these are {tuple(images.shape)}. "
                "Preprocess them to its size; see radedit.data.image.transforms.preprocess."
            )
        self.eval()
        label, masks = self.logits(images.to(next(self.parameters()).device))
        return Prediction(None if label is None else label.sigmoid(), None if masks is None else masks.sigmoid())

    @property
    def hash(self) -> str:
        """SHA-256 of the configuration and of the weights in half precision, as `save_pretrained` writes them."""
        digest = hashlib.sha256(json.dumps(self.config, sort_keys=True).encode())
        for name, tensor in sorted(self._half().items()):
            digest.update(name.encode() + tensor.numpy().tobytes())
        return digest.hexdigest()

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `config.json` and `model.safetensors` (half precision).

        Raises:
            ValueError: If a weight is not finite in half precision.
        """
        folder, weights = Path(folder), self._half()
        if broken := [name for name, tensor in weights.items() if not tensor.isfinite().all()]:
            raise ValueError(f"Weights {broken[:3]} are not finite in half precision: the training has diverged.")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(self.config, indent=2) + "\n")
        save_file(weights, folder / "model.safetensors")

    def _half(self) -> dict[str, Tensor]:
        return {
            name: (tensor.half() if tensor.is_floating_point() else tensor).detach().cpu().contiguous()
            for name, tensor in self.state_dict().items()
        }


class Classifier(Network):
    """A ResNet with one output.

    Args:
        label: What it detects.
        size: Side of its images, px.
        network: Name of a timm model (App. B: `resnet50`), or `channels` and `layers` of a small ResNet's four stages.
        shrink: Images are averaged over this many pixels in each direction first: 2 takes a quarter of the time.
        pretrained: Begin with timm's weights, which are downloaded; only where `network` is a name.
    """

    def __init__(
        self,
        label: str,
        *,
        size: int,
        network: str | Mapping[str, Sequence[int]] = "resnet50",
        shrink: int = 1,
        pretrained: bool = False,
    ) -> None:
        kept = network if isinstance(network, str) else {key: list(value) for key, value in network.items()}
        super().__init__(label, (), size, {"network": kept} | ({"shrink": shrink} if shrink > 1 else {}))
        self.shrink = shrink
        if isinstance(network, str):
            self.network: Any = timm.create_model(network, pretrained=pretrained, in_chans=1, num_classes=1)
        else:
            channels, layers = (tuple(network[key]) for key in ("channels", "layers"))
            self.network = ResNet(
                BasicBlock,  # type: ignore[arg-type]  # timm means the class, not an instance
                layers, channels=channels, in_chans=1, num_classes=1, stem_type="deep", stem_width=channels[0] // 2,
            )  # fmt: skip
        self.to(memory_format=torch.channels_last)  # half as long on a CPU

    def logits(self, images: Tensor) -> tuple[Tensor, None]:
        return self.label_logits(self.network.forward_features(self._scaled(images))), None

    def stages(self, images: Tensor) -> Sequence[Tensor]:
        last, stages = self.network.forward_intermediates(self._scaled(images), norm=True)
        return [*stages[:-1], last]

    def _scaled(self, images: Tensor) -> Tensor:
        return avg_pool2d(2 * images - 1, self.shrink)

    def label_logits(self, features: Tensor) -> Tensor:
        return self.network.forward_head(features)[:, 0]


class SegmenterWithHead(Network):
    """A U-Net over an EfficientNet, with a single classification layer at its lowest resolution (App. C).

    Args:
        masks: What it segments.
        label: What its classification layer detects; None for a segmenter without one (App. D).
        size: Side of its images, px; a multiple of 32 × `shrink`.
        backbone: Name of a timm model (`efficientnet_b0`; `tinynet_e` is one scaled down).
        shrink: Images are averaged over this many pixels in each direction first: 2 takes a quarter of the time.
        decoder_channels: Width of the decoder at each resolution, from coarse to fine. With one fewer than the backbone
            has resolutions, masks are drawn at half the image's size and interpolated.
        pretrained: Begin with timm's weights of the backbone, which are downloaded.

    Raises:
        ValueError: If `size` or the number of `decoder_channels` does not fit the backbone.
    """

    def __init__(
        self,
        masks: Sequence[str],
        label: str | None,
        *,
        size: int,
        backbone: str = "efficientnet_b0",
        decoder_channels: Sequence[int] = (256, 128, 64, 32, 16),
        shrink: int = 1,
        pretrained: bool = False,
    ) -> None:
        kept = {"masks": list(masks), "backbone": backbone, "decoder_channels": list(decoder_channels)}
        super().__init__(label, masks, size, kept | ({"shrink": shrink} if shrink > 1 else {}))
        self.shrink = shrink
        self.encoder = timm.create_model(backbone, features_only=True, in_chans=1, pretrained=pretrained)
        resolutions: Any = self.encoder.feature_info
        channels, reductions = [1, *resolutions.channels()], [1, *resolutions.reduction()]
        if not 2 <= len(decoder_channels) < len(channels):
            raise ValueError(
                f"decoder_channels has {len(decoder_channels)} widths; {backbone} allows 2 to {len(channels) - 1}."
            )
        if size % (shrink * reductions[-1]):
            raise ValueError(
                f"size is {size}, but {backbone} halves images down to 1/{shrink * reductions[-1]}: take a multiple."
            )
        self.finest = len(channels) - 1 - len(decoder_channels)
        self.decoder = UNetDecoder(
            spatial_dims=2,
            encoder_channels=channels[self.finest :],
            decoder_channels=list(decoder_channels),
            act=("relu", {"inplace": True}),
            norm=("batch", {"eps": 1e-3, "momentum": 0.1}),
            dropout=0.0,
            bias=False,
            upsample="nontrainable",
            pre_conv="default",
            interp_mode="nearest",
            align_corners=None,
            is_pad=False,
        )  # as in monai's FlexibleUNet
        self.mask_head = SegmentationHead(
            2, decoder_channels[-1], len(masks), scale_factor=shrink * reductions[self.finest]
        )
        self.head = nn.Linear(channels[-1], 1) if label else None
        self.to(memory_format=torch.channels_last)

    def logits(self, images: Tensor) -> tuple[Tensor | None, Tensor]:
        x = avg_pool2d(2 * images - 1, self.shrink)
        features = [x, *self.encoder(x)][self.finest :]
        masks = self.mask_head(self.decoder(features, skip_connect=len(features) - 2))
        return self.label_logits(features[-1]) if self.head else None, masks

    def stages(self, images: Tensor) -> Sequence[Tensor]:
        return self.encoder(avg_pool2d(2 * images - 1, self.shrink))

    def label_logits(self, features: Tensor) -> Tensor:
        assert self.head is not None
        return self.head(features.mean(dim=(2, 3)))[:, 0]


def load_predictor(folder: str | Path, *, device: str | torch.device = "cpu") -> Network:
    """Read what `save_pretrained` wrote, frozen and in evaluation mode.

    Nothing is fetched, and no code of the folder is run.

    Raises:
        FileNotFoundError: If `folder` is not a predictor's.
        ValueError: If its configuration or its weights can't be read, do not fit one another, or are not those of its
            `card.json`; or if its configuration names something that would be fetched.
    """
    folder = Path(folder)
    file = folder / "config.json"
    if missing := [name for name in ("config.json", "model.safetensors") if not (folder / name).is_file()]:
        raise FileNotFoundError(
            f"No predictor in {folder.resolve()}: {' and '.join(missing)} missing. "
            "Train one, e.g. python -m radedit.train +experiment=ptx_confounded_classifier."
        )
    architectures = {f"radedit.{kind.__name__}": kind for kind in (Classifier, SegmenterWithHead)}
    config = read_plain(file)
    check_local(config, file)
    for name in ("network", "backbone"):
        if isinstance(config.get(name), str) and not timm.is_model(config[name]):
            raise ValueError(f"{file} has {name}={config[name]!r:.80}, which is no network of timm.")
    try:
        predictor = architectures[config.pop("architecture")](**config)
        predictor.load_state_dict(load_file(folder / "model.safetensors"))
    except Exception as error:  # timm, safetensors and torch each raise their own
        said = first_line(error)
        raise ValueError(f"The predictor in {folder} is damaged: {said}. Fetch or train it again.") from error
    if broken := [name for name, tensor in predictor.state_dict().items() if not bool(tensor.isfinite().all())]:
        raise ValueError(f"The predictor in {folder} is damaged: {broken[0]} is not finite. Fetch or train it again.")
    _check_card(folder, predictor.hash)
    return predictor.to(device).eval().requires_grad_(False)


def _check_card(folder: Path, hash_: str) -> None:
    """Refuse weights that are not those of which the folder's card tells."""
    card = folder / CARD
    named = read_plain(card).get("hash") if card.is_file() else None
    if named is not None and named != hash_:
        raise ValueError(
            f"The predictor in {folder} is not the one of its {CARD}: its hash is {hash_}, and the card names "
            f"{named!s:.80}. Its weights or its configuration are damaged or exchanged: fetch or train it again."
        )
