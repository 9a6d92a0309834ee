"""Tab completion, by Hydra's own: see docs/how-to/tab-completion.md."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

FLAGS = {"-sc", "--shell-completion"}
LINE = "COMP_LINE"  # where the shell leaves what has been typed


def line_for_hydra(line: str, needs: str | None, example: str | None) -> str:
    """A typed line in which everything is chosen that a configuration needs in order to be composed.

    Args:
        line: Program and arguments; the last one is being completed unless a space follows.
        needs: Group of which a file must be chosen, as in `+scenario=…`.
        example: File that will do until one was typed.
    """
    program, _, rest = line.partition(" ")
    finished = rest.rpartition(" ")[0]  # words before the one that is being completed
    if needs is None or example is None or f"+{needs}=" in finished:
        return line
    return f"{program} +{needs}={example} {rest}"


def command_and_line(line: str) -> tuple[str | None, str]:
    """The command of a line such as `radedit stress +sc`, and the line without it.

    The command is None while it is being typed itself; the line is then what there is of it.
    """
    program, _, rest = line.lstrip().partition(" ")
    command, space, arguments = rest.lstrip().partition(" ")
    return (command, f"{program} {arguments}") if space else (None, command)


def is_query(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a shell asks how a line could go on."""
    return bool(FLAGS & set(arguments)) and any(a.startswith("query=") for a in arguments) and LINE in environment
