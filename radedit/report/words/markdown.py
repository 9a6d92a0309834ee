"""Tables in Markdown, and numbers in them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

MINUS = "\N{MINUS SIGN}"


def markdown(lines: Sequence[Sequence[str]], *, aligned: bool = False) -> str:
    """A table whose first line is its head; `aligned` makes columns that also a terminal shows as such."""
    cells = [[_cell(text) for text in line] for line in lines]
    widths = [max(map(len, column)) if aligned else 0 for column in zip(*cells, strict=True)]
    rule = ["-" * max(3, width) for width in widths]
    cells = [cells[0], rule, *cells[1:]]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |" for line in cells
    )


def _cell(text: str) -> str:
    """Text that neither ends its cell or line, nor is a mention or formula where the table is pasted."""
    text = " ".join(text.split()).replace("|", "\\|")
    return f"\\{text}" if re.match(r"[=@]|[+-](?![\d.])", text) else text


def number(value: float, digits: int, *, sign: bool = True) -> str:
    """With its sign, and a true minus."""
    text = f"{value + 0.0:{'+' if sign else ''}.{digits}f}"
    return text.lstrip("+-") if not text.strip("+-0.") else text.replace("-", MINUS)


def with_interval(estimate: Mapping[str, Any], unit: float, digits: int, *, sign: bool = True) -> str:
    """`0.021` as `+2.1 (0.4 to 3.8)`, in points where the unit is 100."""
    text = number(unit * estimate["value"], digits, sign=sign)
    if estimate["low"] is None or estimate["high"] is None:
        return text
    low, high = (number(unit * estimate[key], digits, sign=sign) for key in ("low", "high"))
    return f"{text} ({low} to {high})"
