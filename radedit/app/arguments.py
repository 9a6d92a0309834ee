"""The command line as its user means it: text stays text, character by character."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf

Defaults = Callable[[], DictConfig]

KEY = re.compile(r"[+~]{0,2}[\w./@:-]+")
MEANT_FOR_HYDRA = {"''", '""', "[]", "{}"}  # first and last sign of a value
NEVER_SWEPT = {"out", "seeds", "additions"}  # a folder, and what a scenario itself makes a sweep of
PLAIN = re.compile(r"[^\[\]{}'\"\\()$,=:]*")  # an element of a list that can be told from its neighbours by commas


def as_typed(arguments: Sequence[str], defaults: Defaults | None = None) -> list[str]:
    """The arguments as Hydra must see them in order that text arrives as it was typed.

    Accents, apostrophes and brackets, as in file names, are quoted, and so is a comma in a sentence, which would make
    it a sweep; a comma without a space beside it still sweeps. Where `defaults` says that a key holds text, a value
    that looks like a number is quoted, too, if the number would be written otherwise: a folder `2024_01` is not
    202401. `~/` is the user's home, and `${` begins a reference only where a name and `}` follow.

    Args:
        arguments: As typed, without the program's name.
        defaults: Composes the command's configuration with the choices that were made; asked only if it matters.

    Returns:
        The same, with such values in quotes.
    """
    sweeps = bool({"-m", "--multirun"} & set(arguments))
    kinds = _Kinds(defaults)
    return [_as_typed(argument, sweeps, kinds) for argument in arguments]


class _Kinds:
    """Which keys hold text, by what they hold where nothing is given."""

    def __init__(self, defaults: Defaults | None) -> None:
        self.defaults = defaults

    @cached_property
    def config(self) -> DictConfig:
        """What there is where nothing is given."""
        return OmegaConf.create() if self.defaults is None else self.defaults()

    @property
    def sweep(self) -> bool:
        """Whether a comma may mean a sweep without `-m`, as a scenario has it."""
        return self.defaults is None or "scenario" in self.config

    def is_text(self, key: str) -> bool:
        """Whether a key holds text, nothing, or what its user must give; or is new in a table without keys."""
        name = key.lstrip("+~")
        parent, _, last = name.rpartition(".")
        table: Any = OmegaConf.select(self.config, parent, throw_on_missing=False) if parent else self.config
        if not isinstance(table, DictConfig):
            return False
        if last not in table.keys():  # noqa: SIM118 — `in table` leaves out what must be given
            return bool(parent) and not len(table)
        value = table._get_node(last)
        if isinstance(value, ListConfig):
            return all(isinstance(item, str) for item in value._iter_ex(resolve=False))
        if isinstance(value, DictConfig):
            return False
        raw = None if value is None else value._value()
        if raw == "???" or not str(raw).startswith("${"):
            return raw is None or isinstance(raw, str)
        try:
            return isinstance(table[last], str)
        except Exception:  # it refers to what is known while a command runs only
            return False


def _as_typed(argument: str, sweeps: bool, kinds: _Kinds) -> str:
    key, equals, value = argument.partition("=")
    if argument.startswith("-") or not equals or not KEY.fullmatch(key):
        return argument
    if value == "~" or value.startswith("~/"):
        value = str(Path(value).expanduser())
        argument = f"{key}={value}"
    text = re.sub(r"(?<!\\)\$\{(?![\w.:@/,-]+\})", r"\\${", value)
    if text != value:
        return quoted(key, text)
    override = _parsed(argument)
    if override is None:
        is_hydras = len(value) > 1 and value[0] + value[-1] in MEANT_FOR_HYDRA
        return argument if is_hydras else quoted(key, value)
    if override.is_sweep_override():
        if key in NEVER_SWEPT or (not sweeps and (" " in value or (not kinds.sweep and kinds.is_text(key)))):
            return quoted(key, value)
        return f"{key}={_each(value, key, kinds)}"
    parsed = override.value()
    if isinstance(parsed, list) and value.startswith("["):
        return f"{key}=[{_each(value[1:-1], key, kinds)}]"
    return quoted(key, value) if _looks_otherwise(parsed, value) and kinds.is_text(key) else argument


def _each(values: str, key: str, kinds: _Kinds) -> str:
    """Elements of a list or of a sweep, with those in quotes that need them."""
    elements = values.split(",")
    if not all(PLAIN.fullmatch(element) for element in elements):
        return values
    found = []
    for element in elements:
        override = _parsed(f"{key.lstrip('+~')}={element.strip()}")
        other = override is not None and _looks_otherwise(override.value(), element.strip())
        found.append(f"'{element.strip()}'" if other and kinds.is_text(key) else element)
    return ",".join(found)


def _parsed(argument: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(argument)
    except HydraException:
        return None


def _looks_otherwise(parsed: Any, typed: str) -> bool:
    """Whether a number or a truth value would be written in another way than it was typed."""
    return isinstance(parsed, bool | int | float) and str(parsed) != typed


def quoted(key: str, value: str) -> str:
    """An argument whose value Hydra takes as text."""
    value = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + ("\\'" if m[2] else ""), value)  # Hydra's rules for quotes
    return f"{key}='{value}'"
