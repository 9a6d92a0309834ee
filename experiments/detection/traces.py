"""What unbiased predictors see in a removal's edits: how uneven these are beside the truth, who calls them positive.

python -m radedit.detection scenario=acquisition n=300 n_cells=300
python experiments/detection/traces.py outputs acquisition
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from radedit.data.image.files import read_image, read_mask
from radedit.data.stress_set import image_path, read_rows

WEAK = 0.5  # strength of the shortcut up to which hardly any predictor is biased
BRIGHTER = 12  # grey levels that a pixel is brighter than the truth


def main(out: Path, scenario: str) -> None:
    """Print the figures of the whole generator's stress set."""
    results = json.loads((out / "detection" / scenario / "detection.json").read_text(encoding="utf-8"))
    whole = results["generators"]["whole"]
    name = whole["stress_sets"][0]
    weak = [row["predictor"] for row in whole["rows"] if row["strength"] <= WEAK]
    answers = pd.DataFrame({key: _positive(out / "detection" / scenario / "predictions" / name / key) for key in weak})
    stress_set = out / "stress_sets" / name
    kept = [row["attr_record"] for row in read_rows(stress_set) if row["attr_kind"] == "edit" and row["kept"]]
    edits = pd.DataFrame([_beside_truth(stress_set, record) for record in kept], index=kept)
    positive = answers.loc[kept].mean(axis=1)
    print(f"{len(weak)} predictors call {100 * positive.mean():.0f} % of {len(kept)} kept edits positive")
    print(f"inside m_edit, grey levels: the finding adds {edits['finding'].mean():.1f}, of which edits leave ", end="")
    print(
        f"{edits['left'].mean():.1f} ± {edits['left'].std():.1f}; {100 * edits['brighter'].mean():.0f} % of the ",
        end="",
    )
    print(f"pixels are brighter than the truth by more than {BRIGHTER}")
    print(f"Spearman of that share and of who calls an edit positive: {spearmanr(edits['brighter'], positive)[0]:.2f}")


def _positive(folder: Path) -> pd.Series:
    """Record → whether its edit is called positive, at a probability of one half."""
    rows = pd.read_csv(folder / "edit.csv")
    return pd.Series((rows["probability"] >= 0.5).to_numpy(), index=rows["id"].str.rsplit("/", n=1).str[0])


def _beside_truth(stress_set: Path, record: str) -> dict[str, float]:
    edit, truth, source = (
        255 * read_image(stress_set / image_path(kind, record)).pixels[0].numpy()
        for kind in ("edit", "counterfactual", "source")
    )
    inside = read_mask(stress_set / image_path("m_edit", record))[0].numpy()
    left, finding = (edit - truth)[inside], (source - truth)[inside]
    return {"left": left.mean(), "finding": finding.mean(), "brighter": float(np.mean(left > BRIGHTER))}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
