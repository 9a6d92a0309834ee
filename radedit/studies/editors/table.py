"""Table of the editor benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def editor_table(table: Sequence[Mapping[str, Any]]) -> str:
    """Markdown, a line for each editor, weight and mask; errors in grey levels of 255."""
    errors = {
        "error_edit": "error in m_edit",
        "error_border": "border",
        "error_elsewhere": "elsewhere",
        "change_keep": "change in m_keep",
    }
    head = ["editor", "w", "mask", "n", "success, %", "gone, %", "kept, %", "clean, %", "gap closed, %"]
    lines = [[*head, *errors.values(), "variance ratio"]]
    lines.append(["---"] * len(lines[0]))
    for row in table:
        success = row["success"]
        interval = "" if success["low"] is None else f" ({100 * success['low']:.0f}–{100 * success['high']:.0f})"
        lines.append(
            [
                row["editor"],
                "" if row["w"] is None else f"{row['w']:g}",
                row["mask"],
                str(row["n"]),
                f"{100 * success['value']:.0f}{interval}",
                *(f"{100 * row[key]['value']:.0f}" for key in ("gone", "kept", "clean")),
                f"{100 * row['gap_closed']:.0f}",
                *(f"{row[key]['value']:.2f}" for key in errors),
                f"{row['variance_ratio']['value']:.2f}",
            ]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
