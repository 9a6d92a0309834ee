"""Contact sheets: rows of films on black, a caption to each row."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from PIL import Image
from torch import Tensor

SIDE_IN = 1.35  # of a film, inches
DPI = 110


def sheet(rows: Mapping[str, Tensor], path: Path, *, columns: Sequence[str] = ()) -> None:
    """Draw films row by row.

    Args:
        rows: Caption → films, shape (n, H, W), grey levels in [0, 1]; every row has as many.
        path: PNG file.
        columns: Captions of the columns; none where empty.
    """
    n = max(len(films) for films in rows.values())
    head, margin = (0.28 if columns else 0.06), 1.25
    width, height = margin + SIDE_IN * n, head + SIDE_IN * len(rows)
    figure, axes = plt.subplots(len(rows), n, figsize=(width, height), squeeze=False, facecolor="black")
    for line, (caption, films) in zip(axes, rows.items(), strict=True):
        for axis, film in zip(line, films, strict=True):
            axis.imshow(film, cmap="gray", vmin=0, vmax=1, interpolation="bicubic")
            axis.set_axis_off()
        line[0].text(
            -0.06, 0.5, textwrap.fill(caption, 17), transform=line[0].transAxes, color="white", fontsize=8,
            ha="right", va="center",
        )  # fmt: skip
    for axis, caption in zip(axes[0], columns, strict=False):
        axis.set_title(caption, color="white", fontsize=8, pad=4)
    figure.subplots_adjust(margin / width, 0.005, 0.997, 1 - head / height, wspace=0.02, hspace=0.02)
    figure.savefig(path, dpi=DPI, facecolor="black")
    plt.close(figure)
    Image.open(path).convert("L").save(path, optimize=True)  # a third of the bytes
