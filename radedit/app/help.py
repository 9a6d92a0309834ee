"""What `--help` prints and tab completion is told; nothing is composed or imported for it.

Help is made from the comments of `conf/<command>.yaml`, completion is Hydra's own: docs/how-to/tab-completion.md.
"""

from __future__ import annotations

import os
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from radedit.app.keys import Choice, Key, choices, extends, header, keys

WIDEST = 110  # columns
NAMES = 30  # columns of keys and their defaults
MOST_OPTIONS = 10  # of a group that are listed by name
FLAGS = {
    "--cfg job": "print the configuration instead of running (--resolve fills in ${…})",
    "-v": "print the long tables, too",
    "-m": "sweep: key=a,b runs once for each value",
    "-sc install=bash": "tab completion, see docs/how-to/tab-completion.md",
}
SHELL_FLAGS = {"-sc", "--shell-completion"}
LINE = "COMP_LINE"  # where the shell leaves what has been typed


def help_text(conf: Path, command: str) -> str:
    """Purpose, the overrides that one needs, where to read on, then every choice and key with its comment.

    Args:
        conf: Folder of configurations.
        command: Name of one of its files.
    """
    file = conf / f"{command}.yaml"
    parts = ["\n".join(header(file))]
    if chosen := [_choice(conf, choice) for choice in choices(file)]:
        parts.append("Choices (key=option, a file of conf/<key>):\n" + "\n".join(chosen))
    if told := [_line(key.name, key.default, key.comment) for key in keys(file) if _worth_telling(key)]:
        parts.append("Keys (key=value; lists key=[a,b]):\n" + "\n".join(told))
    if base := extends(file):
        parts.append(f"All keys of `radedit {base}` may be given, too: radedit {base} --help")
    parts.append("Flags:\n" + "\n".join(_line(flag, "", text) for flag, text in FLAGS.items()))
    return "\n\n".join(parts)


def purpose(conf: Path, command: str) -> str:
    """The first sentence of a command's help."""
    text = " ".join(_until_blank(header(conf / f"{command}.yaml")))
    ends = [end for end in (text.find(sign + " ") for sign in ".?:") if end > 0]
    return text[: min(ends)] + text[min(ends)].replace(":", ".") if ends else text


def options(conf: Path, group: str) -> list[str]:
    """Names that can be chosen of a group: its files, or where they lie in folders, these."""
    folder = conf / group.partition("@")[0]
    files = sorted(path.stem for path in folder.glob("*.yaml"))
    return files or sorted(path.name + "/…" for path in folder.glob("*/"))


def _until_blank(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if not line.strip() or line.startswith("  "):
            return
        yield line.strip()


def _worth_telling(key: Key) -> bool:
    """Keys at the top, and what lies in them; deeper ones where they are explained."""
    return key.depth <= 2 or bool(key.comment)


def _choice(conf: Path, choice: Choice) -> str:
    names = options(conf, choice.group)
    listed = ", ".join(names[:MOST_OPTIONS]) + (", …" if len(names) > MOST_OPTIONS else "")
    return _line(choice.group, choice.default, f"{choice.comment}{'; ' if choice.comment else ''}one of: {listed}")


def _line(name: str, default: str, comment: str) -> str:
    left = f"  {name}={default}" if default else f"  {name}"
    width = min(WIDEST, max(60, shutil.get_terminal_size((100, 24)).columns))
    if not comment:
        return left
    wrapped = textwrap.wrap(comment, width - NAMES - 2)
    indent = "\n" + " " * (NAMES + 2)
    first = f"{left:<{NAMES}}  " if len(left) <= NAMES else left + indent
    return first + indent.join(wrapped)


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
    return bool(SHELL_FLAGS & set(arguments)) and any(a.startswith("query=") for a in arguments) and LINE in environment
