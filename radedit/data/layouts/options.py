"""Options of datasets, refused with what is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def several(name: str, given: str | Sequence[str] | None, allowed: Sequence[str]) -> tuple[str, ...]:
    """The values of an option that takes one or several; all that are allowed where None.

    Raises:
        ValueError: If one is not allowed.
    """
    values = tuple(allowed) if given is None else (given,) if isinstance(given, str) else tuple(given)
    check_option(name, values, allowed)
    return values


def check_option(name: str, given: Iterable[object], allowed: Sequence[object]) -> None:
    """Raise a `ValueError` if one of the given values is not allowed."""
    if unknown := [value for value in given if value not in allowed]:
        raise ValueError(f"{name} is {unknown[0]!r}. Allowed are {', '.join(map(str, allowed))}.")
