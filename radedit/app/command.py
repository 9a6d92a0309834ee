"""One way for every command: help, then the arguments, and only then what takes seconds to import."""

from __future__ import annotations

import functools
import os
import shlex
import sys
from collections.abc import Callable, Sequence

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from radedit.app.arguments import as_typed
from radedit.app.configuration import CONF, arguments_as
from radedit.app.help import LINE, SHELL_FLAGS, help_text, is_query, line_for_hydra
from radedit.app.mistakes import choices_composed, end, missing_choice
from radedit.app.quiet import quieten

Task = Callable[[DictConfig], None]

VERBOSE = "RADEDIT_VERBOSE"
TYPED = "RADEDIT_ARGUMENTS"  # in the environment, where jobs of a sweep that run in other processes find it
HELP = {"-h", "--help"}
MORE = {"-v", "--verbose"}
SHOWS = {*SHELL_FLAGS, "--cfg", "-c", "--info", "-i", "--hydra-help"}  # flags that show something instead of running
EXAMPLE = {"scenario": "manifestation"}  # what is shown of a configuration that needs a choice, where none was made


def entry_point(
    config_name: str, *, needs: str | None = None, one_job: bool = False
) -> Callable[[Task], Callable[[], None]]:
    """Make a function a command: Hydra composes `conf/<config_name>.yaml` for it.

    `--help` prints what that file's comments say. Arguments are checked before the function is called, which therefore
    imports by itself what takes seconds, such as torch: help, completion and misspelt keys need not wait for it.

    What a user can mend (a misspelt key, a missing file, a value that is not allowed) ends in one line on stderr and
    exit code 2. Anything else is our mistake and keeps its traceback; `RADEDIT_DEBUG=1` shows all of them. Ctrl-C ends
    with 130. Exit codes of its own a function raises as `SystemExit`.

    Text may be given as it is (`prompt=Effusion, left.`, `image=2024_01`): see `as_typed`.

    Args:
        config_name: The primary config, which the module is named after.
        needs: Group of which a file must be chosen, as in `+scenario=…`.
        one_job: Whether the command does at once what its scenario would sweep over.
    """

    def decorate(function: Task) -> Callable[[], None]:
        @functools.wraps(function)
        def task(config: DictConfig) -> None:
            quieten()
            try:
                function(config)
            except Exception as error:  # SystemExit passes Hydra, which would print more than the message
                end(error, config_name, list(HydraConfig.get().overrides.task))

        # Hydra composes once to learn the mode and once to run, and for each job of a sweep once to check it and once
        # to run it. It takes no composed configuration: a task that is called with one has neither folder nor log.
        command = hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(task)

        @functools.wraps(function)
        def main() -> None:
            typed = sys.argv[1:]
            if HELP & set(typed):
                print(help_text(CONF, config_name))
                return
            verbose = bool(MORE & set(typed))
            typed = [argument for argument in typed if argument not in MORE]
            example = EXAMPLE.get(needs or "")
            if is_query(typed):
                os.environ[LINE] = line_for_hydra(os.environ[LINE], needs, example)
            shows = any(argument.split("=")[0] in SHOWS for argument in typed)
            if needs and not any(argument.startswith(f"+{needs}=") for argument in typed):
                if not shows:
                    print(f"error: {missing_choice(needs, typed)}", file=sys.stderr)
                    raise SystemExit(2)
                if example and not SHELL_FLAGS & set(typed):
                    print(f"# No {needs} was given: this is what +{needs}={example} makes of it.", flush=True)
                    typed = [f"+{needs}={example}", *typed]
            arguments = as_typed(typed, lambda: choices_composed(config_name, typed))
            run(
                command,
                typed,
                [*arguments, *(["hydra.mode=RUN"] if one_job and not shows else [])],
                config_name,
                verbose,
            )

        return main

    return decorate


def run(
    command: Callable[[], None], typed: Sequence[str], arguments: Sequence[str], config_name: str, verbose: bool
) -> None:
    """Run a command of Hydra's, and end with one line where its user made a mistake."""
    environment = {
        "HYDRA_FULL_ERROR": "1",
        TYPED: shlex.join(typed),
        VERBOSE: "1" if verbose else "",
    }  # Hydra hands errors on instead of printing them
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        with arguments_as(arguments):
            command()
    except Exception as error:
        end(error, config_name, arguments)
    except KeyboardInterrupt:
        print("stopped: what is finished is kept; the same command goes on from there.", file=sys.stderr)
        raise SystemExit(130) from None
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def typed_command(name: str) -> str:
    """The command as one would type it again in a shell; also within a job that runs in another process.

    Args:
        name: Of the command, such as `stress`.
    """
    return f"python -m radedit.{name} {os.environ.get(TYPED, '')}".strip()


def is_verbose() -> bool:
    """Whether `-v` asks for the long tables."""
    return bool(os.environ.get(VERBOSE))
