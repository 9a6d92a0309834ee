"""Typed models from JSON files, with errors that name the place inside a damaged file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")
EXPECTED = {
    "string_type": "text", "int_type": "a whole number", "int_from_float": "a whole number",
    "float_type": "a number", "finite_number": "a number", "bool_type": "true or false", "list_type": "a list",
    "dict_type": "an object", "model_type": "an object", "dataclass_type": "an object",
}  # fmt: skip


def read_typed(kind: type[T], path: Path) -> T:
    """Read a JSON file as a pydantic model or a dataclass.

    Raises:
        ValueError: If the file is no JSON, or not what `kind` says; the message names file and place, e.g.
            `results.json: table[3].n is 'many'; expected a whole number.`
    """
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes(), strict=True)
    except ValidationError as error:
        raise ValueError(f"{path}: {first_mistake(error)}") from None


def first_mistake(error: ValidationError) -> str:
    """The first mistake in a sentence, beginning with its place."""
    found: Mapping[str, Any] = error.errors(include_url=False)[0]
    kind, given, where = str(found["type"]), found["input"], place(found["loc"])
    if kind == "missing":
        parent = place(found["loc"][:-1])
        return f"{f'{parent}: ' if parent else ''}{found['loc'][-1]} is missing."
    if kind == "extra_forbidden":
        return f"{where} is not known; radedit does not write it."
    if kind == "value_error":  # a check of ours, which names its place itself
        return f"{where}: {found['ctx']['error']}" if where else str(found["ctx"]["error"])
    if kind == "json_invalid":
        return f"It is not JSON: {found['ctx']['error']}."
    text = "null" if given is None else repr(given)
    expected = EXPECTED.get(kind) or str(found.get("ctx", {}).get("expected", found["msg"]))
    return f"{where or 'It'} is {text if len(text) < 60 else text[:57] + '…'}; expected {expected}."


def place(path: tuple[int | str, ...]) -> str:
    """`("table", 3, "n")` as `table[3].n`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")
