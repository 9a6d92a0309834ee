"""What a user can mend, in one line: what was wrong, what is allowed, what to type."""

from __future__ import annotations

import difflib
import functools
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationKeyError,
    InterpolationToMissingValueError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from radedit.app.configuration import CONF
from radedit.app.help import options
from radedit.app.keys import choices, extends


def end(error: Exception, config_name: str, overrides: Sequence[str] = ()) -> None:
    """End with a message and exit code 2 where the user can mend the error; raise it again where not.

    Args:
        error: What a command or Hydra raised.
        config_name: The command's configuration.
        overrides: As Hydra had them.
    """
    if os.environ.get("RADEDIT_DEBUG", "0") not in {"", "0"}:
        raise error
    message = explain(error, config_name, overrides)
    if message is None:
        raise error
    lines = [" ".join(line.split()) for line in message.split("\n- ")]  # one, or a list of errors
    print("error: " + "\n- ".join(lines), file=sys.stderr)
    raise SystemExit(2) from error


def missing_choice(group: str, typed: Sequence[str]) -> str:
    """What to say where a group of which one file is needed has none, or has it without the plus sign."""
    allowed = ", ".join(options(CONF, group))
    for argument in typed:
        if argument.startswith(f"{group}="):
            return f"{group} is not chosen by default: say +{argument}. Allowed are: {allowed}."
    return f"No {group} was given. Say +{group}=… with one of: {allowed}."


def explain(error: BaseException, config_name: str, overrides: Sequence[str]) -> str | None:
    """What to tell the user, or None where the user is not to blame."""
    cause = error.__cause__
    if isinstance(error, InstantiationException):
        return str(cause) if isinstance(cause, TypeError) else explain(cause or ValueError(error), config_name, ())
    if isinstance(error, MissingConfigException):
        return _explain_choice(error, overrides)
    if isinstance(error, OverrideParseException):
        wrong = error.override
        return f"The argument {wrong!r} can't be read. Arguments are key=value, such as seed=1, and lists key=[a,b]."
    if isinstance(error, ConfigCompositionException):
        return _explain_composition(error, config_name, overrides)
    if isinstance(error, InterpolationToMissingValueError) and (
        gap := re.search(r"mandatory value: (\S+)", str(error))
    ):
        return _explain_gap(gap[1], config_name, overrides)
    if isinstance(error, InterpolationKeyError) and (gap := re.search(r"Interpolation key '([^']*)'", str(error))):
        wanted = f"${{{gap[1]}}}"
        return f"{error.full_key} refers to {wanted}, which there is not. To mean these signs as text, type \\{wanted}."
    if isinstance(error, TypeError) and (added := re.search(r"unexpected keyword argument '(\w+)'", str(error))):
        return f"There is no key {added[1]!r}: {error}." if _was_added(added[1]) else None
    if isinstance(error, MissingMandatoryValue):
        return _explain_gap(str(error.full_key or error.key), config_name, overrides)
    if isinstance(error, ValueError | OSError | HydraException | OmegaConfBaseException):
        name, number = getattr(error, "filename", None), getattr(error, "strerror", None)
        return f"{name}: {number}." if name and number else str(error)
    return None


def _was_added(key: str) -> bool:
    """Whether the command line adds a key of that name, as in `+edit.sed=1`."""
    typed = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    return any(re.match(rf"\+[\w.]*\b{key}=", override) for override in typed)


def _explain_choice(error: MissingConfigException, overrides: Sequence[str]) -> str:
    """A group has no such option, or there is no such group."""
    group, _, wrong = (error.missing_cfg_file or "").rpartition("/")
    allowed = sorted(error.options or []) or sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    if not allowed and group and not (CONF / group).is_dir():  # dataset: ${setting}/${scenario}
        parent, _, part = group.rpartition("/")
        allowed, group, wrong = sorted(path.name for path in (CONF / parent).glob("*/")), parent, part
    return f"There is no {group or 'config'} {wrong!r}.{_near(wrong, allowed)}"


def _explain_composition(error: Exception, config_name: str, overrides: Sequence[str]) -> str:
    """Hydra found no place for an override."""
    message, cause = str(error), error.__cause__
    if isinstance(cause, ConfigAttributeError | ConfigKeyError):
        return _explain_key(message, config_name, overrides)
    if re.search(r"Could not override '([^']*)'", message):  # a group that the defaults list does not have
        return _explain_key(message, config_name, overrides)
    if found := re.search(r"(?:already at|Multiple values for) '?([^'\s]+)'?", message):
        return f"{found[1]} is there already: say it without the plus sign, {found[1]}=…."
    return message


def _explain_key(message: str, config_name: str, overrides: Sequence[str]) -> str:
    """A config has no such key: name near ones, or all; and how to add one where new ones have a place."""
    found = re.search(r"Could not (?:override|append to config\.?.*?) ?'([^']*)'", message)
    key = found[1] if found else ""
    if _is_group(key):
        return _explain_group(key.partition("@")[0], config_name)
    parent, _, wrong = key.rpartition(".")
    config: Any = choices_composed(config_name, overrides)
    deepest = parent
    while parent and not isinstance(OmegaConf.select(config, parent, throw_on_missing=False), DictConfig):
        parent, _, wrong = parent.rpartition(".")
    node = OmegaConf.select(config, parent) if parent else config
    names = [str(name) for name in node if not str(name).startswith("_")]
    prefix = f"{parent}." if parent else ""
    near = _near(wrong, names, prefix) if names else ""
    value = next((o.partition("=")[2] for o in overrides if o.partition("=")[0].lstrip("+~") == key), "…")
    takes_new = parent and parent == deepest and (not len(node) or "_target_" in node)
    remedy = f" To add a key that is not there, say +{key}={value}." if takes_new else ""
    return f"There is no {key!r} in conf/{config_name}.yaml.{near}{remedy}"


def _explain_group(group: str, config_name: str) -> str:
    """A group of `conf/` that this command has not, or not with the choices that were made."""
    has = _groups_of(config_name)
    if group == "dataset" and "shift" in has:
        return (
            "A stress test's images are not chosen by dataset=… but by setting=…, or by "
            f"shift=<setting>/<scenario> with one of: {', '.join(options(CONF, 'shift'))}. Images of your own: "
            "setting=manifest manifest=my.csv."
        )
    if group in ("scenario", "experiment"):
        return f"{group} is not chosen by default: say +{group}=… with one of: {', '.join(options(CONF, group))}."
    brings = [
        f"+{kind}={file.stem}"
        for kind in ("scenario", "experiment")
        for file in sorted((CONF / kind).glob("*.yaml"))
        if re.search(rf"^  - /{re.escape(group)}:", file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    owner = f" It comes with {' or '.join(brings)}." if brings else ""
    return f"radedit.{config_name} has no group {group!r}.{owner} Its groups are: {', '.join(has)}."


def _groups_of(config_name: str) -> list[str]:
    """Groups that a command's defaults list has, and those of the one that it takes over."""
    file = CONF / f"{config_name}.yaml"
    own = [choice.group for choice in choices(file) if "@" not in choice.group]
    base = extends(file)
    return own + (_groups_of(base) if base else [])


def _is_group(key: str) -> bool:
    return bool(key) and (CONF / key.partition("@")[0]).is_dir()


def choices_composed(config_name: str, overrides: Sequence[str]) -> DictConfig:
    """A command's configuration with the choices of groups that were made, and none of the other overrides.

    What reads the arguments and what explains a mistake in them share it: it is not to be changed.
    """
    chosen = (override for override in overrides if _is_group(override.partition("=")[0].lstrip("+~")))
    return _composed(config_name, *chosen)


@functools.lru_cache(maxsize=1)
def _composed(config_name: str, *chosen: str) -> DictConfig:
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            return hydra.compose(config_name, overrides=list(chosen))
    finally:
        GlobalHydra.instance().clear()


def _explain_gap(key: str, config_name: str, overrides: Sequence[str]) -> str:
    """A value is missing; the comment beside it in the config, or in the group that it is of, says what it is."""
    group = CONF / key.partition(".")[0]
    chosen = [
        option for name, _, option in (each.lstrip("+").partition("=") for each in overrides) if name == group.name
    ]
    files = [
        CONF / f"{config_name}.yaml",
        *(path for option in chosen if (path := group / f"{option}.yaml").is_file()),
        *sorted((group if group.is_dir() else CONF).rglob("*.yaml")),
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    comment = re.search(rf"^\s*{re.escape(key.rpartition('.')[2])}:\s*\?\?\?\s*#\s*(.*)$", text, re.MULTILINE)
    return f"{key} was not given. Say {key}=…{f' ({comment[1].strip()})' if comment else ''}."


def _near(wrong: str, allowed: Sequence[str], prefix: str = "") -> str:
    near = [prefix + word for word in difflib.get_close_matches(wrong, allowed, n=3)]
    suggestion = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"{suggestion} Allowed are: {', '.join(prefix + word for word in allowed)}."
