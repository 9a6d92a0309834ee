"""A user's folder: phantoms as PNG with masks and boxes, and the manifest that lists them."""

from __future__ import annotations

from pathlib import Path

from radedit.data.datasets.manifest.columns import manifest_columns
from radedit.data.datasets.phantom import PhantomDataset
from radedit.data.image.files import write_png
from radedit.data.io.table import write_table
from radedit.phantom.world import World
from tests.tiny_bundle import SIZE

MASKS = ("pneumothorax", "drain", "right_lung", "left_lung")
CASES: tuple[dict[str, int | str], ...] = (
    {"pneumothorax": 1, "drain": 1, "covid": 0},
    {"pneumothorax": 0, "drain": 0, "covid": 0},
    {"pneumothorax": 0, "drain": 1, "covid": 1, "hospital": "B"},
    {"pneumothorax": 1, "drain": 0, "covid": 0, "hospital": "B"},
)


def write_own_images(folder: Path, n: int = 3) -> Path:
    """Write `n` patients' images in each of four cases, and their manifest, whose path is returned."""
    rows: list[dict[str, str]] = []
    for c, case in enumerate(CASES):
        images = PhantomDataset(World(), f"own-{c}", n, SIZE, do=case)
        for record in images.records:
            sample, name = images.load(record), f"{c}-{len(rows)}"
            files = {"image": (f"images/{name}.png", sample.image)}
            drawn = {m: mask for m, mask in sample.masks.items() if m in MASKS and mask.any()}
            files |= {f"mask_{m}": (f"masks/{m}-{name}.png", mask) for m, mask in drawn.items()}
            for path, picture in files.values():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                write_png(folder / path, picture, text={})
            boxes = [" ".join(f"{side:g}" for side in box) for box in sample.boxes.get("opacities", [])]
            rows.append({
                "id": name, "patient_id": record.patient_id, "report": record.report,
                **{column: path for column, (path, _) in files.items()},
                **{f"label_{finding}": str(case[finding]) for finding in ("pneumothorax", "drain", "covid")},
                "label_hospital": str(int(case.get("hospital") == "B")), "box_opacities": "; ".join(boxes),
                "attr_view": "PA", "attr_sex": "FM"[len(rows) % 2],
            })  # fmt: skip
    write_table(folder / "my.csv", manifest_columns(rows), rows)
    return folder / "my.csv"
