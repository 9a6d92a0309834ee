"""Which part of the edits classifiers take for a healthier lung than the true one: a line for each part.

Run after `radedit.tune` and `experiments/independent.py`, whose classifiers it asks:

python experiments/5.3-manifestation/where.py outputs outputs/stress_sets/manifestation-…
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from radedit.data.image.files import read_image, read_mask
from radedit.data.stress_set import image_path, read_rows
from radedit.harness.predictors.classify import probabilities
from radedit.masks import dilate
from radedit.models.predictors import Network, load_predictor
from radedit.report.words.markdown import markdown

AROUND_PX = 12.0  # of the drain, in pixels of an image of 512
SMOOTH_PX = 4.0  # σ of what is called brightness


def main(out: Path, folder: Path) -> None:
    """Print what classifiers call positive where a part of the true counterfactual is exchanged for the edit's."""
    torch.set_num_threads(1)
    kept = [row["attr_record"] for row in read_rows(folder) if row["attr_kind"] == "edit" and row["kept"]]

    def stacked(kind: str, read: Callable[[Path], Tensor]) -> Tensor:
        return torch.stack([read(folder / image_path(kind, record)) for record in kept])

    edits, truth = (stacked(kind, lambda path: read_image(path).pixels.float()) for kind in ("edit", "counterfactual"))
    edited, drain = (stacked(kind, read_mask) for kind in ("m_edit", "m_keep"))
    near = torch.stack([dilate(mask, AROUND_PX) for mask in drain])
    lung = edited & ~near
    brightness = torch.stack([_smooth(change) for change in edits - truth])
    parts = {
        "nothing (the true counterfactual)": truth,
        "the drain": torch.where(drain, edits, truth),
        "what is around it": torch.where(near & ~drain, edits, truth),
        "the rest of m_edit": torch.where(lung, edits, truth),
        "its brightness only": torch.where(lung, (truth + brightness).clamp(0, 1), truth),
        "its texture only": torch.where(lung, (edits - brightness).clamp(0, 1), truth),
        "all else": torch.where(edited | near, truth, edits),
        "everything (the edit)": edits,
    }
    networks: dict[str, list[Network]] = {}
    for path in sorted((out / "predictors_cheap").glob("manifestation-*")):
        networks.setdefault(path.name.split("-")[1], []).append(load_predictor(path))
    lines = [["exchanged for the edit's", *(f"strength {float(strength):g}, %" for strength in networks)]]
    lines += [
        [part, *(f"{100 * _positive(of, images):.1f}" for of in networks.values())] for part, images in parts.items()
    ]
    print(markdown(lines))
    for name, images in {"true": truth, "edited": edits}.items():
        fine = [
            255 * float((image - _smooth(image, 1.0))[inside].std()) for image, inside in zip(images, lung, strict=True)
        ]
        level = [255 * float(image[inside].mean()) for image, inside in zip(images, lung, strict=True)]
        print(f"{name}: {np.mean(level):.1f} grey levels on average, fine texture {np.mean(fine):.1f}")


def _smooth(image: Tensor, sigma_px: float = SMOOTH_PX) -> Tensor:
    return torch.from_numpy(gaussian_filter(image[0].numpy(), sigma_px))[None]


def _positive(networks: list[Network], images: Tensor) -> float:
    return float(np.mean([float((probabilities(network, images) >= 0.5).float().mean()) for network in networks]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
