"""Numbers of a configuration, checked before anything is loaded or edited."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf


class Allowed(NamedTuple):
    """Which numbers a key takes, both ends among them; `whole` ones only, and null where that means something."""

    low: float
    high: float = math.inf
    whole: bool = False
    null: bool = False

    def __str__(self) -> str:
        what = "a whole number" if self.whole else "a number"
        between = f"{self.low:g} or more" if self.high == math.inf else f"{self.low:g}…{self.high:g}"
        return f"{what}, {between}{', or null' if self.null else ''}"

    def has(self, value: Any) -> bool:
        """Whether it is one."""
        if value is None:
            return self.null
        kinds = int if self.whole else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool) and self.low <= value <= self.high


COUNT, NONE_TOO = Allowed(1, whole=True, null=True), Allowed(0, whole=True, null=True)
NUMBERS: Mapping[str, Allowed] = {
    "n": COUNT,
    "n_added": COUNT,
    "n_own": COUNT,
    "limit": COUNT,
    "n_cells": NONE_TOO,
    "n_also": Allowed(0, whole=True),
    "n_gallery": Allowed(0, whole=True),
    "edit.seed": Allowed(0, whole=True),
    "edit.steps": Allowed(1, whole=True),
    "edit.spacing": Allowed(1, 3),
    "edit.threshold": Allowed(-1, 1),
    "edit.max_lost": Allowed(0, 1),
    "edit.keep_share": Allowed(0, 1),
    "predictor.seed": Allowed(0, whole=True),
    "editor.w": Allowed(-1e6, 1e6),
    "blinding": Allowed(0, whole=True),
}
PREPARED: Mapping[str, Allowed] = {
    "size": Allowed(1, whole=True), "block": COUNT, "workers": NONE_TOO, "n_sheet": Allowed(0, whole=True),
}  # fmt: skip


def check_numbers(config: DictConfig, numbers: Mapping[str, Allowed] = NUMBERS) -> None:
    """See that the numbers of a configuration are some.

    Args:
        config: As `conf/stress.yaml` or one that extends it composes, at one point of its sweep; or another, with its
            own `numbers`.
        numbers: Key → what it may be.

    Raises:
        ValueError: If one is of another type or out of its range; all such are named.
    """
    if wrong := [*_wrong(config, numbers)]:
        raise ValueError(" ".join(wrong))
    if OmegaConf.select(config, "checks") is not None:
        instantiate(config.checks)  # has limits of its own


def _wrong(config: DictConfig, numbers: Mapping[str, Allowed]) -> Iterator[str]:
    nothing = object()
    for key, allowed in numbers.items():
        value = OmegaConf.select(config, key, default=nothing)
        if value is not nothing and not allowed.has(value):
            yield f"{key} is {value!r}; expected {allowed}."
