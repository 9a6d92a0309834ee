"""Draw twelve edits of a stress set beside their images and true counterfactuals: the first twelve, none chosen.

python -m radedit.stress +scenario=manifestation preset=demo n=12 n_also=0
python experiments/draw_edits.py outputs/stress_sets/manifestation-… experiments/5.3-manifestation/edits.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from radedit.data.image.files import read_image, read_mask
from radedit.data.stress_set import image_path, read_rows, require_whole_set
from radedit.report.images.pictures import contours

N, COLUMNS = 12, 6
SIDE, LEFT, TOP, GAP = 168, 92, 20, 6  # px
ROWS = {"source": "image, m_edit, m_keep", "edit": "edit", "counterfactual": "true counterfactual"}


def main(stress_set: Path, path: Path) -> None:
    """Write the picture as a PNG of few colours."""
    require_whole_set(stress_set)
    rows = [row for row in read_rows(stress_set) if row["attr_kind"] == "edit"][:N]
    height = TOP + len(ROWS) * SIDE + GAP
    size = LEFT + COLUMNS * (SIDE + GAP), -(-len(rows) // COLUMNS) * height
    sheet, font = Image.new("RGB", size, "white"), ImageFont.load_default(12)
    ink = ImageDraw.Draw(sheet)
    for i, row in enumerate(rows):
        line, column = divmod(i, COLUMNS)
        left, top = LEFT + column * (SIDE + GAP), line * height + TOP
        score = "score undefined" if row["cosine"] is None else f"score {row['cosine']:.2f}"
        ink.text((left, top - 16), f"{score}, {'kept' if row['kept'] else 'rejected'}", fill="#455a64", font=font)
        for place, (kind, name) in enumerate(ROWS.items()):
            picture = _picture(stress_set, kind, row["attr_record"])
            sheet.paste(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC), (left, top + place * SIDE))
            if column == 0:
                ink.multiline_text((4, top + place * SIDE + 6), name.replace(" ", "\n"), fill="#455a64", font=font)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(200, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)


def _picture(stress_set: Path, kind: str, record: str) -> Image.Image:
    """An image of a record, the source with the outlines of both masks."""
    grey = read_image(stress_set / image_path(kind, record)).pixels[0].numpy()
    masks: dict[str, np.ndarray] = {}
    if kind == "source":
        masks = {name: read_mask(stress_set / image_path(f"m_{name}", record))[0].numpy() for name in ("edit", "keep")}
    return contours(grey, masks)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
