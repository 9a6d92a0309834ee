"""What these experiments share: arguments, peaks of memory, tables and bars."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch


def arguments() -> dict[str, Any]:
    """`key=value` of the command line, whole numbers as such."""
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    return {key: int(value) if value.isdigit() else value for key, value in given.items()}


def forget_peak() -> None:
    """Start to look for a new peak of memory, on a GPU and, on Linux, of the process."""
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    Path("/proc/self/clear_refs").write_text("5")


def peak_mib() -> float:
    """Most memory since then, MiB: of the GPU where one is used, else of the process."""
    if torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """A table as CSV; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def draw_bars(
    names: Sequence[str], values: Sequence[float], said: Sequence[str], axis: str, about: str, path: Path
) -> None:
    """A bar for each method, ours in blue, with what is said of it."""
    figure, axes = plt.subplots(figsize=(7, 0.5 * len(names) + 1.2), layout="constrained")
    colours = ["#4477aa" if name.startswith("ours") else "#bbbbbb" for name in names]
    axes.bar_label(axes.barh(names, values, color=colours), said, padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.25)
    axes.set_xlabel(axis)
    axes.set_title(about, fontsize=8)
    figure.savefig(path, dpi=150)
