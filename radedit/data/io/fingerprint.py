"""One short name for everything that determines a result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Any


def content_hash(obj: object) -> str:
    """SHA-256 of an object's canonical JSON, 64 hexadecimal digits.

    Keys are sorted, tuples are lists, paths are text, and 15 and 15.0 are one number, because a config may be typed
    either way.

    Args:
        obj: Mappings with text keys, dataclasses, sequences, text, numbers, truth values and None, nested as needed.

    Returns:
        The digest.

    Raises:
        ValueError: If something else is in it, or a number that is not finite.
    """
    canonical = json.dumps(plain(obj), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def plain(obj: object, where: str = "") -> Any:
    """The object as dicts, lists and scalars that JSON writes in one way only; `where` names its place in errors."""
    if obj is None or isinstance(obj, bool | int | str):
        return obj
    if isinstance(obj, float) and abs(obj) < float("inf"):
        return int(obj) if obj.is_integer() else obj
    if isinstance(obj, PurePath):
        return obj.as_posix()
    if is_dataclass(obj) and not isinstance(obj, type):
        return plain({"class": type(obj).__name__} | {f.name: getattr(obj, f.name) for f in fields(obj)}, where)
    if isinstance(obj, Mapping) and all(isinstance(key, str) for key in obj):
        return {key: plain(value, f"{where}.{key}".lstrip(".")) for key, value in obj.items()}
    if isinstance(obj, Sequence) and not isinstance(obj, bytes | bytearray):
        return [plain(value, f"{where}[{i}]") for i, value in enumerate(obj)]
    raise ValueError(
        f"{where or 'The object'} is {obj!r} ({type(obj).__name__}), which has no canonical JSON. Allowed are mappings "
        "with text keys, dataclasses, sequences, text, finite numbers, truth values and None; for a file, its SHA-256."
    )
