"""What independent classifiers see in edits of training images, beside what the oracle says: a line for each setting.

python -m radedit.tune +scenario=acquisition tune.n=96 'tune.w=[3,5,8]' 'tune.steps=[8,10]'
python experiments/independent.py acquisition outputs 0 0.5          # strengths of the shortcut in their worlds
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra.utils import instantiate

from radedit.app.configuration import composed
from radedit.data.image.files import read_image, read_mask
from radedit.data.stress_set import image_path, read_rows
from radedit.harness.evidence.checks import failed_edits
from radedit.harness.predictors.classify import kind_dataset, probabilities
from radedit.report.words.markdown import markdown
from radedit.studies.shared.cheap_predictors import Family, obtain

EACH = 4  # classifiers of each strength
FIRST_WORLD = 7000  # seeds that no other study uses


def main(scenario: str, out: Path, strengths: list[float]) -> None:
    """Print the table of all of a removal's stress sets of training images in the folder."""
    torch.set_num_threads(1)
    family: Family = instantiate(composed("detection", [f"scenario={scenario}"]).cheap.family, _convert_="all")
    worlds = [(strength, seed) for seed, strength in enumerate(np.repeat(strengths, EACH).tolist(), FIRST_WORLD)]
    members = [family.member(s, seed, replace(family.world_of(s), seed=seed)) for s, seed in worlds]
    networks = list(obtain(members, out / "predictors_cheap", out / "images").networks.values())
    lines = [["w", "T", "spacing", "free band, px", "keep_share", "kept, %",
              *(f"strength {s:g}: edits / truth called positive, %" for s in strengths),
              "finding left, %", "grey levels left"]]  # fmt: skip
    folders = (path.parent for path in (out / "stress_sets").glob(f"{scenario}-*/manifest.csv"))
    for setting, folder in sorted((_setting(one), one) for one in folders if _is_of_training_images(one)):
        edits = {row["attr_record"]: bool(row["kept"]) for row in read_rows(folder) if row["attr_kind"] == "edit"}
        kept = [record for record, one in edits.items() if one]
        positive = [_positive(networks, folder, kind, kept) for kind in ("edit", "counterfactual")]
        left = np.array([_left(folder, record) for record in kept])
        lines.append([
            *(f"{value:g}" for value in setting),
            f"{100 * len(kept) / len(edits):.0f}",
            *(f"{100 * edit:.1f} / {100 * truth:.1f}" for edit, truth in zip(*positive, strict=True)),
            f"{100 * np.mean(list((failed_edits(folder) or {}).values())):.1f}",
            f"{left.mean():+.1f} ± {left.std():.1f}",
        ])  # fmt: skip
    print(markdown(lines))


def _made_from(folder: Path) -> dict[str, Any]:
    """All that determines a stress set."""
    return dict(json.loads((folder / "meta.json").read_text(encoding="utf-8"))["fingerprint"])


def _is_of_training_images(folder: Path) -> bool:
    return bool(_made_from(folder)["data"]["source"]["namespace"] == "predictor-train")


def _setting(folder: Path) -> tuple[float, int, float, float, float]:
    """w, T, the steps' spacing, the free band in px at 512, and the least share of a latent cell that is kept."""
    made = _made_from(folder)
    free_px, keep_share = made["mask_strategy"].get("free_px", 0), made["edit"].get("keep_share", 0)
    return made["editor"]["w"], made["edit"]["steps"], made["edit"].get("spacing", 1), free_px, keep_share


def _positive(networks: list[torch.nn.Module], folder: Path, kind: str, records: list[str]) -> list[float]:
    """Shares of the images of a kind that the classifiers of each strength call positive."""
    dataset = kind_dataset(folder, kind)
    asked = {f"{record}/{kind}" for record in records}
    chosen = [record for record in dataset.records if record.id in asked]
    images = torch.stack([dataset.load(record).image for record in chosen])
    shares = [float((probabilities(network, images) >= 0.5).float().mean()) for network in networks]
    return [float(share) for share in np.reshape(shares, (-1, EACH)).mean(axis=1)]


def _left(folder: Path, record: str) -> float:
    """Grey levels by which an edit is brighter than the true counterfactual inside m_edit."""
    edit, truth = (read_image(folder / image_path(kind, record)).pixels[0] for kind in ("edit", "counterfactual"))
    inside = read_mask(folder / image_path("m_edit", record))[0]
    return float(255 * (edit - truth)[inside].mean())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), [float(strength) for strength in sys.argv[3:]])
