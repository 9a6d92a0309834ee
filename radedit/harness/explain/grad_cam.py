"""Where in an image a classifier's prediction comes from: Grad-CAM, a complement to stress tests (Section 4.3).

Selvaraju et al., "Grad-CAM: Visual explanations from deep networks via gradient-based localization", ICCV 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn.functional import interpolate

LEAST_CELLS = 7  # ResNet-50's last map of a picture of 224 px, on which Grad-CAM was shown; fewer say only "somewhere"


@runtime_checkable
class Localises(Protocol):
    """A network whose prediction is a function of feature maps; see `radedit.models.predictors.Network`."""

    def stages(self, images: Tensor) -> Sequence[Tensor]: ...

    def label_logits(self, features: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Layer:
    """Which feature map a Grad-CAM is of.

    Attributes:
        stage: Its number, from 1.
        of: How many stages the network has.
        height, width: Of the map, in cells.
    """

    stage: int
    of: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"stage {self.stage} of {self.of}, {self.height} × {self.width} cells"


@dataclass(frozen=True)
class Evidence:
    """The evidence for the label that a predictor finds in each place of images.

    Attributes:
        maps: Shape (B, H, W), 0 and up, in the units of log-odds times activation. They are not scaled to each image's
            own largest value, as is usual, so that images can be compared: an image without evidence has an empty map.
        layer: Where it was measured.
    """

    maps: Tensor
    layer: Layer


def grad_cam(predictor: Localises, images: Tensor) -> Evidence:
    """Weigh the last feature map that has at least 7 × 7 cells by the gradient of the label's log-odds.

    Where every map is smaller, the largest is taken. Maps are interpolated with cubic splines, cell on cell.

    Args:
        predictor: Classifies; in evaluation mode.
        images: Grey levels in [0, 1], shape (B, 1, H, W).
    """
    with torch.enable_grad():
        stages = predictor.stages(images.detach().clone().requires_grad_())
        sides = [min(stage.shape[-2:]) for stage in stages]
        chosen = max(range(len(sides)), key=lambda i: (min(sides[i], LEAST_CELLS), i))
        (gradient,) = torch.autograd.grad(predictor.label_logits(stages[-1]).sum(), stages[chosen])
    height, width = stages[chosen].shape[-2:]
    maps = (gradient.mean((2, 3), keepdim=True) * stages[chosen].detach()).sum(1, keepdim=True).relu()  # Eqs 1, 2
    smooth = interpolate(maps, images.shape[-2:], mode="bicubic", align_corners=False).relu()
    return Evidence(smooth[:, 0].cpu(), Layer(chosen + 1, len(stages), height, width))
