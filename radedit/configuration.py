"""What every entry point does with its configuration: say what is wrong or missing, and close what it opened."""

from __future__ import annotations

import difflib
import functools
import math
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
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
    InterpolationToMissingValueError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from radedit.processes import own_device
from radedit.training.precision import mixed_precision

CONF = Path(__file__).parent.parent / "conf"
WEIGHTS = Path(__file__).parent / "weights"

Task = Callable[[DictConfig], None]

# W&B goes online only for users who have a key.
OmegaConf.register_new_resolver("radedit.offline", lambda: not os.environ.get("WANDB_API_KEY"), replace=True)
# Shipped weights are found from any working directory.
OmegaConf.register_new_resolver("radedit.weights", lambda name: str(WEIGHTS / name), replace=True)
OmegaConf.register_new_resolver("radedit.device", lambda: device(), replace=True)
OmegaConf.register_new_resolver("radedit.precision", mixed_precision, replace=True)
# The paper counts epochs, Lightning steps.
OmegaConf.register_new_resolver(
    "radedit.steps", lambda epochs, n, batch: math.ceil(int(epochs) * int(n) / int(batch)), replace=True
)
# The released weights' model card tells the share of steps to skip, editors begin at a step.
OmegaConf.register_new_resolver(
    "radedit.after_skip", lambda steps, share: int(steps) - int(int(steps) * float(share)), replace=True
)


def device() -> str:
    """The device of this process: a GPU of its own, where several are at work on a machine."""
    return own_device(job=_job_beside_others())


def _job_beside_others() -> int | None:
    """Number of this job of a sweep, if its launcher runs several at a time."""
    if not HydraConfig.initialized():
        return None
    settings = HydraConfig.get()
    if str(settings.launcher["_target_"]).endswith(".BasicLauncher") or OmegaConf.is_missing(settings.job, "num"):
        return None
    return int(settings.job.num)


def entry_point(config_name: str) -> Callable[[Task], Callable[[], None]]:
    """Make a function a command: Hydra composes `conf/<config_name>.yaml` for it.

    What a user can mend (a misspelt key, a missing file, a value that is not allowed) ends in one line on stderr and
    exit code 2. Anything else is our mistake and keeps its traceback; `RADEDIT_DEBUG=1` shows all of them. Ctrl-C ends
    with 130. Exit codes of its own a function raises as `SystemExit`.

    Text with commas, accents or brackets may be given as it is (`prompt=Effusion, left.`): see `quote_text`.

    Args:
        config_name: The primary config, which the module is named after.
    """

    def decorate(function: Task) -> Callable[[], None]:
        @functools.wraps(function)
        def task(config: DictConfig) -> None:
            try:
                function(config)
            except Exception as error:  # SystemExit passes Hydra, which would print more than the message
                _exit(error, config_name)

        command = hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(task)

        @functools.wraps(function)
        def main() -> None:
            arguments, before = list(sys.argv), os.environ.get("HYDRA_FULL_ERROR")
            sys.argv[1:] = quote_text(arguments[1:])
            os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands errors on instead of printing them
            try:
                command()
            except Exception as error:
                _exit(error, config_name, arguments[1:])
            except KeyboardInterrupt:
                print("stopped: what is finished is kept; the same command goes on from there.", file=sys.stderr)
                raise SystemExit(130) from None
            finally:
                sys.argv[:] = arguments
                if before is None:
                    del os.environ["HYDRA_FULL_ERROR"]
                else:
                    os.environ["HYDRA_FULL_ERROR"] = before

        return main

    return decorate


def quote_text(arguments: Sequence[str]) -> list[str]:
    """Quote the values of a command line that Hydra's grammar can't read, so that they are taken as they stand.

    Such are accents, apostrophes and brackets, as in file names, and a comma in a sentence, which would make it a
    sweep. A comma without a space beside it still sweeps.

    Args:
        arguments: As typed, without the program's name.

    Returns:
        The same, with such values in quotes.
    """
    sweeps = bool({"-m", "--multirun"} & set(arguments))
    return [_quote(argument) if _needs_quotes(argument, sweeps) else argument for argument in arguments]


def name_missing_choice(config: DictConfig, group: str, key: str) -> None:
    """Exit with the choices of a group whose files fill `key`, if none was chosen.

    Raises:
        SystemExit: If `key` is still missing; its message lists what can be chosen.
    """
    if key in config and not OmegaConf.is_missing(config, key):
        return
    choices = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    raise SystemExit(f"No {group} was given. Say +{group}=… with one of: {', '.join(choices)}.")


@contextmanager
def arguments_as(arguments: Sequence[str]) -> Iterator[None]:
    """Let Hydra, which reads the command line itself, see other arguments; afterwards they are as typed."""
    before = list(sys.argv)
    sys.argv[1:] = arguments
    try:
        yield
    finally:
        sys.argv[:] = before


def close_logger(loggers: Sequence[Any]) -> None:
    """End the W&B run, so that the next job of a sweep starts its own."""
    if any(type(logger).__name__ == "WandbLogger" for logger in loggers):
        import wandb

        wandb.finish()


def _needs_quotes(argument: str, sweeps: bool) -> bool:
    key, equals, value = argument.partition("=")
    if argument.startswith("-") or not equals or not re.fullmatch(r"[+~]{0,2}[\w./@:-]+", key):
        return False
    try:
        override = OverridesParser.create().parse_override(argument)
    except HydraException:
        return len(value) < 2 or value[0] + value[-1] not in {"''", '""', "[]", "{}"}  # these were meant for Hydra
    return override.is_sweep_override() and not sweeps and " " in value


def _quote(argument: str) -> str:
    key, _, value = argument.partition("=")
    value = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + ("\\'" if m[2] else ""), value)  # Hydra's rules for quotes
    return f"{key}='{value}'"


def _exit(error: Exception, config_name: str, overrides: Sequence[str] = ()) -> None:
    """End with a message where the user can mend the error; raise it again where not."""
    if os.environ.get("RADEDIT_DEBUG", "0") not in {"", "0"}:
        raise error
    message = _explain(error, config_name, overrides)
    if message is None:
        raise error
    lines = [" ".join(line.split()) for line in message.split("\n- ")]  # one, or a list of errors
    print("error: " + "\n- ".join(lines), file=sys.stderr)
    raise SystemExit(2) from error


def _explain(error: BaseException, config_name: str, overrides: Sequence[str]) -> str | None:
    """What to tell the user, or None where the user is not to blame."""
    cause = error.__cause__
    if isinstance(error, InstantiationException):
        return str(cause) if isinstance(cause, TypeError) else _explain(cause or ValueError(error), config_name, ())
    if isinstance(error, MissingConfigException):
        return _explain_choice(error)
    if isinstance(error, OverrideParseException):
        wrong = error.override
        return f"The argument {wrong!r} can't be read. Arguments are key=value, such as seed=1, and lists key=[a,b]."
    if isinstance(error, ConfigCompositionException) and isinstance(cause, ConfigAttributeError | ConfigKeyError):
        return _explain_key(str(error), config_name, overrides)
    if isinstance(error, InterpolationToMissingValueError) and (
        gap := re.search(r"mandatory value: (\S+)", str(error))
    ):
        return _explain_gap(gap[1], config_name)
    if isinstance(error, MissingMandatoryValue):
        return _explain_gap(str(error.full_key or error.key), config_name)
    if isinstance(error, ValueError | OSError | HydraException | OmegaConfBaseException):
        name, number = getattr(error, "filename", None), getattr(error, "strerror", None)
        return f"{name}: {number}." if name and number else str(error)
    return None


def _explain_choice(error: MissingConfigException) -> str:
    """A group has no such option."""
    group, _, wrong = (error.missing_cfg_file or "").rpartition("/")
    options = sorted(error.options or [])
    return f"There is no {group or 'config'} {wrong!r}.{_near(wrong, options)}"


def _explain_key(message: str, config_name: str, overrides: Sequence[str]) -> str:
    """A config has no such key: name near ones, or all."""
    found = re.search(r"Could not override '([^']*)'", message)
    key = found[1] if found else ""
    parent, _, wrong = key.rpartition(".")
    config: Any = _compose(config_name, overrides)
    while parent and not isinstance(OmegaConf.select(config, parent, throw_on_missing=False), DictConfig):
        parent, _, wrong = parent.rpartition(".")
    node = OmegaConf.select(config, parent) if parent else config
    keys = [str(name) for name in node if not str(name).startswith("_")]
    return f"There is no {key!r} in conf/{config_name}.yaml.{_near(wrong, keys, f'{parent}.' if parent else '')}"


def composed(config_name: str, overrides: Sequence[str]) -> DictConfig:
    """Another command's configuration, from within a running one."""
    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            return hydra.compose(config_name, overrides=list(overrides))
    finally:
        GlobalHydra.instance().clear()
        if running is not None:
            GlobalHydra.instance().initialize(running)


def _compose(config_name: str, overrides: Sequence[str]) -> DictConfig:
    """The config with the choices of groups that were made, else without any."""
    GlobalHydra.instance().clear()
    chosen = [override for override in overrides if (CONF / _group(override)).is_dir()]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(config_name, overrides=chosen)


def _group(override: str) -> str:
    return override.partition("=")[0].lstrip("+~").partition("@")[0]


def _explain_gap(key: str, config_name: str) -> str:
    """A value is missing; the comment beside it in the config, or in the group that it is of, says what it is."""
    group = CONF / key.partition(".")[0]
    files = [CONF / f"{config_name}.yaml", *sorted((group if group.is_dir() else CONF).rglob("*.yaml"))]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    comment = re.search(rf"^\s*{re.escape(key.rpartition('.')[2])}:\s*\?\?\?\s*#\s*(.*)$", text, re.MULTILINE)
    return f"{key} was not given. Say {key}=…{f' ({comment[1].strip()})' if comment else ''}."


def _near(wrong: str, allowed: Sequence[str], prefix: str = "") -> str:
    near = [prefix + word for word in difflib.get_close_matches(wrong, allowed, n=3)]
    suggestion = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"{suggestion} Allowed are: {', '.join(prefix + word for word in allowed)}."
