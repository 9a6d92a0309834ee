"""Options of readers, refused with what is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def check_option(name: str, given: Iterable[object], allowed: Sequence[object]) -> None:
    """Raise a `ValueError` if one of the given values is not allowed."""
    if unknown := [value for value in given if value not in allowed]:
        raise ValueError(f"{name} is {unknown[0]!r}. Allowed are {', '.join(map(str, allowed))}.")
