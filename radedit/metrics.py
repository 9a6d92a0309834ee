"""How well a segmentation agrees with the truth (Section 5.4), so that a structure that was missed counts as missed.

Masks are bool tensors of shape (B, K, H, W). Distances are in pixels of these masks.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import torch
from monai.metrics.hausdorff_distance import compute_hausdorff_distance
from monai.metrics.surface_distance import compute_average_surface_distance
from torch import Tensor


def dice(predicted: Tensor, truth: Tensor) -> Tensor:
    """Dice's coefficient of each structure, shape (B, K), 0…1; 1 where both are empty."""
    both = (predicted & truth).sum(dim=(-2, -1)).double()
    sizes = (predicted.sum(dim=(-2, -1)) + truth.sum(dim=(-2, -1))).double()
    return torch.where(sizes > 0, 2 * both / sizes.clamp(min=1), 1.0)


def missed(predicted: Tensor, truth: Tensor) -> Tensor:
    """Where one of the two is empty and the other is not: there is no distance between them. Bool, shape (B, K)."""
    return predicted.flatten(-2).any(-1) != truth.flatten(-2).any(-1)


def hausdorff95(predicted: Tensor, truth: Tensor) -> Tensor:
    """95th percentile of the Hausdorff distance, the larger of both directions, px, shape (B, K).

    Note:
        The paper's "95th percentile AHD" mixes two names; this is the percentile, `average_surface_distance` the
        average. MONAI gives NaN or infinity where a structure is empty, and its own mean leaves these out, so that a
        structure that was missed would improve it. Here it counts as the image's diagonal, as far as anything can be.
    """
    return _distance(predicted, truth, lambda p, t: compute_hausdorff_distance(p, t, True, percentile=95))


def average_surface_distance(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean distance of both outlines' points to the other outline, px, shape (B, K); missed as in `hausdorff95`."""
    return _distance(predicted, truth, lambda p, t: compute_average_surface_distance(p, t, True, symmetric=True))


def _distance(predicted: Tensor, truth: Tensor, measure: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    if predicted.shape != truth.shape:
        raise ValueError(f"Predicted masks are {tuple(predicted.shape)}, true ones {tuple(truth.shape)}.")
    distance = torch.zeros(predicted.shape[:2], dtype=torch.float64)
    distance[missed(predicted, truth)] = math.hypot(*predicted.shape[-2:])
    there = predicted.flatten(-2).any(-1) & truth.flatten(-2).any(-1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # MONAI's advice to itself
        for image, structure in there.nonzero().tolist():
            where = (slice(image, image + 1), slice(structure, structure + 1))
            distance[image, structure] = measure(predicted[where].float(), truth[where].float()).item()
    return distance
