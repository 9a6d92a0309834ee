"""Contact sheets: rows of images on black, a caption to each row."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from PIL import Image
from torch import Tensor

from radedit.data.io.atomic import whole_file

SIDE_IN = 1.35  # of an image, inches
DPI = 110


def sheet(rows: Mapping[str, Tensor], path: Path, *, columns: Sequence[str] = ()) -> None:
    """Draw images row by row.

    Args:
        rows: Caption → images, shape (n, H, W), grey levels in [0, 1]; every row has as many.
        path: PNG file.
        columns: Captions of the columns; none where empty.
    """
    n = max(len(images) for images in rows.values())
    head, margin = (0.28 if columns else 0.06), 1.25
    width, height = margin + SIDE_IN * n, head + SIDE_IN * len(rows)
    figure, axes = plt.subplots(len(rows), n, figsize=(width, height), squeeze=False, facecolor="black")
    for line, (caption, images) in zip(axes, rows.items(), strict=True):
        for axis, image in zip(line, images, strict=True):
            axis.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="bicubic")
            axis.set_axis_off()
        line[0].text(
            -0.06, 0.5, textwrap.fill(caption, 17), transform=line[0].transAxes, color="white", fontsize=8,
            ha="right", va="center",
        )  # fmt: skip
    for axis, caption in zip(axes[0], columns, strict=False):
        axis.set_title(caption, color="white", fontsize=8, pad=4)
    figure.subplots_adjust(margin / width, 0.005, 0.997, 1 - head / height, wspace=0.02, hspace=0.02)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI, facecolor="black")
    plt.close(figure)
    with whole_file(path) as temporary:
        Image.open(drawn).convert("L").save(temporary, "png", optimize=True)  # a third of the bytes
