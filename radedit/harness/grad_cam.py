"""Where in a film a classifier's answer comes from: Grad-CAM, a complement to stress tests (Section 4.3).

Selvaraju et al., "Grad-CAM: Visual explanations from deep networks via gradient-based localization", ICCV 2017.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from monai.visualize.class_activation_maps import GradCAM
from torch import Tensor, nn
from torch.nn.functional import interpolate


@runtime_checkable
class Localises(Protocol):
    """A network whose answer is a function of one feature map; see `radedit.models.predictors.Network`."""

    def features(self, images: Tensor) -> Tensor: ...

    def label_logits(self, features: Tensor) -> Tensor: ...


def grad_cam(predictor: Localises, films: Tensor) -> Tensor:
    """The evidence for the label that a predictor finds in each place of a film.

    Args:
        predictor: Classifies; in evaluation mode.
        films: Grey levels in [0, 1], shape (B, 1, H, W).

    Returns:
        Maps, shape (B, H, W), 0 and up, in the units of log-odds times activation. They are not scaled to each film's
        own largest value, as is usual, so that films can be compared: a film without evidence has an empty map.
    """
    with torch.enable_grad():
        network = _Watched(predictor)
        cam = GradCAM(network, "last", upsampler=_Upsample, postprocessing=lambda x: x)
        maps = cam(films.detach().clone().requires_grad_(), class_idx=0)
    return maps[:, 0].detach().cpu()


class _Watched(nn.Module):
    """A predictor with a layer `last`, whose output is the feature map that MONAI's hooks watch."""

    def __init__(self, predictor: Localises) -> None:
        super().__init__()
        self.predictor = predictor  # a module, so registered; hooks are only on `last`, which goes with this object
        self.last = nn.Identity()
        self.eval()

    def forward(self, films: Tensor) -> Tensor:
        return self.predictor.label_logits(self.last(self.predictor.features(films).contiguous()))[:, None]


class _Upsample(nn.Module):
    """To the film's size, cell on cell. MONAI's own aligns corners, which moves a 4 × 4 map by half a cell."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = tuple(size)

    def forward(self, maps: Tensor) -> Tensor:
        return interpolate(maps, self.size, mode="bilinear", align_corners=False)
