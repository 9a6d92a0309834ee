"""A number with its interval."""

from __future__ import annotations

from dataclasses import asdict, dataclass

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; the bounds are None where fewer than two patients leave nothing to compare.

    Attributes:
        value, low, high: The number and the bounds of its interval.
        n: Records.
        n_effective: Independent records that these are worth, where it is known: fewer if patients or references recur.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    n_effective: float | None = None

    def dict(self) -> dict[str, float | int | None]:
        """As JSON has it."""
        return asdict(self)
