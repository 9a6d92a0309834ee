"""A command's configuration composed for a call from Python, where Hydra did not start the program."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from radedit.app.arguments import as_typed, quoted
from radedit.app.configuration import CONF
from radedit.app.mistakes import choices_composed, explain
from radedit.app.quiet import quieten


@contextmanager
def configured(config_name: str, overrides: Sequence[str]) -> Iterator[DictConfig]:
    """A command's configuration, and inside everything that it may compute; afterwards Hydra is as it was.

    So it may be called from a program that is a command of Hydra's itself.

    Args:
        config_name: File of `conf/`, such as stress.
        overrides: As typed on the command line.

    Raises:
        ValueError: If one of them is not allowed, or something must be given; the message says what.
    """
    quieten()
    program, its_config = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    try:
        arguments = as_typed(overrides, lambda: choices_composed(config_name, overrides))
        GlobalHydra.instance().clear()
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            config = hydra.compose(config_name, arguments, return_hydra_config=True)
            HydraConfig.instance().set_config(config)
            with open_dict(config):
                del config["hydra"]
            yield config
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(explain(error, config_name, overrides) or str(error)) from error
    finally:
        GlobalHydra.instance().hydra, HydraConfig.instance().cfg = program, its_config


def override(key: str, value: object) -> str:
    """A value as one would type it: `n=null`, `prompt='Effusion, left.'`, `predictor.input.range=[0,1]`.

    Raises:
        ValueError: If it can't be typed.
    """
    return f"{key}={_typed(key, value)}"


def _typed(key: str, value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return repr(value)
    if isinstance(value, str):
        return quoted("", value.replace("${", "\\${"))[1:]
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{name}:{_typed(key, inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(_typed(key, inner) for inner in value) + "]"
    raise ValueError(f"{key} is {value!r}; allowed are text, numbers, truth values, None, and lists of them.")
