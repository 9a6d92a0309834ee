"""From JSON to typed nouns, with errors that say where."""

from __future__ import annotations

import math
import types
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", types.NoneType: "null"}


def decode(kind: Any, value: Any, where: str) -> Any:
    """Read `value`, as JSON has it, as a `kind`.

    Keys that a dataclass does not have are passed over, so that a newer run can be read. NaN counts as null. Null takes
    a field's default, and a dataclass whose fields all have one: nothing is known of it.

    Args:
        kind: A dataclass, str, int, float, bool, None, list[…], dict[str, …], a union of these, or Any.
        value: What `json.load` gave.
        where: Names the value in errors, e.g. `table[3].n`.

    Raises:
        ValueError: If `value` is not one; the message begins with the place.
    """
    if isinstance(value, float) and not math.isfinite(value):
        value = None
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _decode_dataclass(kind, value, where)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _decode_union(inner, value, where)
    if origin is list:
        if not isinstance(value, list):
            raise _unexpected(where, value, "a list")
        return [decode(inner[0], item, f"{where}[{i}]") for i, item in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise _unexpected(where, value, "an object")
        return {key: decode(inner[1], item, f"{where}.{key}") for key, item in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _unexpected(where, value, WORDS[kind])
    return value


def _decode_dataclass(kind: Any, value: Any, where: str) -> Any:
    names = [field.name for field in fields(kind)]
    optional = {f.name for f in fields(kind) if f.default is not MISSING or f.default_factory is not MISSING}
    if value is None and len(optional) == len(names):
        return kind()
    if not isinstance(value, dict):
        raise _unexpected(where, value, f"an object with {', '.join(names)}")
    if missing := [name for name in names if name not in value and name not in optional]:
        raise ValueError(f"{where}: {', '.join(missing)} missing; it has {', '.join(value) or 'nothing'}.")
    hints = get_type_hints(kind)
    prefix = f"{where}." if where else ""
    given = [name for name in names if name in value and not (value[name] is None and name in optional)]
    return kind(**{name: decode(hints[name], value[name], f"{prefix}{name}") for name in given})


def _decode_union(options: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and types.NoneType in options:
        return None
    errors = []
    for option in options:
        try:
            return decode(option, value, where)
        except ValueError as error:
            if option is not types.NoneType:
                errors.append(error)
    raise errors[0]


def _unexpected(where: str, value: Any, expected: str) -> ValueError:
    text = "null" if value is None else repr(value)
    return ValueError(f"{where or 'It'} is {text if len(text) < 60 else text[:57] + '…'}; expected {expected}.")
