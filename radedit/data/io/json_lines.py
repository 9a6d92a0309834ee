"""Rows as JSON, one per line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def json_line(row: Mapping[str, Any], what: str) -> str:
    """One line of JSON; a `ValueError` beginning with `what` if `row` holds something that JSON does not."""
    try:
        return json.dumps(dict(row), ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{what} cannot be written as JSON: {error}. Allowed are text, finite numbers, truth values, None, "
            "and lists or dicts of them; write None for what is undefined."
        ) from error


def read_json_lines(file: Path) -> list[dict[str, Any]]:
    """The rows of a file written with `json_line`."""
    # Not splitlines(), which also cuts at characters that JSON leaves as they are, such as U+2028.
    lines = file.read_text(encoding="utf-8").split("\n")
    return [parse_json(line, file) for line in lines if line]


def parse_json(text: str, file: Path) -> dict[str, Any]:
    """The object that `text` from `file` holds."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{file} is damaged: {error}. Restore it, or delete its folder and run again.") from error
    if not isinstance(value, dict):
        raise ValueError(f"{file} holds {text[:40]!r} where an object is expected. Restore the file.")
    return value
