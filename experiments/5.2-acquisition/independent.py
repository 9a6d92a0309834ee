"""What independent classifiers see in edits of training images, beside what the oracle says: a line for each setting.

python -m radedit.tune +scenario=acquisition tune.n=96 'tune.w=[3,5,8]' 'tune.steps=[8,10]'
python experiments/5.2-acquisition/independent.py outputs
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

STRENGTHS, EACH = (0.0, 0.5), 4  # of the shortcut in their worlds: hardly any goes by the hospital
FIRST_WORLD = 7000  # seeds that no other study uses


def main(out: Path) -> None:
    """Print the table of all stress sets of training images in the folder."""
    torch.set_num_threads(1)
    family: Family = instantiate(composed("detection", ["scenario=acquisition"]).cheap.family, _convert_="all")
    strengths = [strength for strength in STRENGTHS for _ in range(EACH)]
    worlds = [(strength, seed) for seed, strength in enumerate(strengths, FIRST_WORLD)]
    members = [family.member(s, seed, replace(family.world_of(s), seed=seed)) for s, seed in worlds]
    networks = list(obtain(members, out / "predictors_cheap", out / "images").networks.values())
    lines = [["w", "T", "free band, px", "kept, %", "called positive, %", "true counterfactuals", "finding left, %",
              "grey levels left"]]  # fmt: skip
    folders = (path.parent for path in (out / "stress_sets").glob("acquisition-*/manifest.csv"))
    for setting, folder in sorted((_setting(one), one) for one in folders if _is_of_training_images(one)):
        edits = {row["attr_record"]: bool(row["kept"]) for row in read_rows(folder) if row["attr_kind"] == "edit"}
        kept = [record for record, one in edits.items() if one]
        positive = {kind: _positive(networks, folder, kind, kept) for kind in ("edit", "counterfactual")}
        left = np.array([_left(folder, record) for record in kept])
        lines.append([
            *(f"{value:g}" for value in setting),
            f"{100 * len(kept) / len(edits):.0f}",
            *(f"{100 * share:.1f}" for share in positive.values()),
            f"{100 * np.mean(list((failed_edits(folder) or {}).values())):.1f}",
            f"{left.mean():+.1f} ± {left.std():.1f}",
        ])  # fmt: skip
    print(markdown(lines))


def _made_from(folder: Path) -> dict[str, Any]:
    """All that determines a stress set."""
    return dict(json.loads((folder / "meta.json").read_text(encoding="utf-8"))["fingerprint"])


def _is_of_training_images(folder: Path) -> bool:
    return bool(_made_from(folder)["data"]["source"]["namespace"] == "predictor-train")


def _setting(folder: Path) -> tuple[float, int, float]:
    """w, T and the free band's width, px at 512."""
    made = _made_from(folder)
    return made["editor"]["w"], made["edit"]["steps"], made["mask_strategy"].get("free_px", 0)


def _positive(networks: list[torch.nn.Module], folder: Path, kind: str, records: list[str]) -> float:
    """Share of the images of a kind that the classifiers call positive."""
    dataset = kind_dataset(folder, kind)
    asked = {f"{record}/{kind}" for record in records}
    chosen = [record for record in dataset.records if record.id in asked]
    images = torch.stack([dataset.load(record).image for record in chosen])
    return float(np.mean([(probabilities(network, images) >= 0.5).float().mean() for network in networks]))


def _left(folder: Path, record: str) -> float:
    """Grey levels by which an edit is brighter than the true counterfactual inside m_edit."""
    edit, truth = (read_image(folder / image_path(kind, record)).pixels[0] for kind in ("edit", "counterfactual"))
    inside = read_mask(folder / image_path("m_edit", record))[0]
    return float(255 * (edit - truth)[inside].mean())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
