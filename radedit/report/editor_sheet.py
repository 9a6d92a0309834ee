"""Pictures and table of the editor benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from torch import Tensor


def editor_sheet(pictures: Mapping[str, Tensor], path: Path, *, n: int) -> None:
    """One row for each film, one column for each editor or reference.

    Args:
        pictures: Name → films (B, 1, H, W) in [0, 1].
        path: PNG file.
        n: How many films.
    """
    shown = {name: films[:n] for name, films in pictures.items() if "mask" not in name}
    rows = min(n, min(len(films) for films in shown.values()))
    figure, axes = plt.subplots(rows, len(shown), figsize=(1.55 * len(shown), 1.6 * rows + 0.3), squeeze=False)
    for column, (name, films) in enumerate(shown.items()):
        for row in range(rows):
            axes[row, column].imshow(films[row, 0], cmap="gray", vmin=0, vmax=1, interpolation="bicubic")
            axes[row, column].set_axis_off()
        axes[0, column].set_title(name, fontsize=7)
    figure.subplots_adjust(0.003, 0.003, 0.997, 1 - 0.28 / (1.6 * rows + 0.3), wspace=0.02, hspace=0.02)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def editor_table(table: Sequence[Mapping[str, Any]]) -> str:
    """Markdown, a line for each editor, weight and mask."""
    head = (
        "| editor | w | mask | n | success, % | gone, % | kept, % | clean, % | gap closed, % "
        "| error in m_edit | in m_keep | border | elsewhere | variance ratio |"
    )
    lines = [head, "|---|" * 1 + "---|" * 13]
    for row in table:
        percent = [f"{100 * row[key]['value']:.0f}" for key in ("success", "gone", "kept", "clean")]
        errors = [f"{row[f'error_{key}']['value']:.2f}" for key in ("edit", "keep", "border", "elsewhere")]
        lines.append(
            f"| {row['editor']} | {'' if row['w'] is None else format(row['w'], 'g')} | {row['mask']} | {row['n']} | "
            + " | ".join(percent)
            + f" | {100 * row['gap_closed']:.0f} | "
            + " | ".join(errors)
            + f" | {row['variance_ratio']['value']:.2f} |"
        )
    return "\n".join(lines)
