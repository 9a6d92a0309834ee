"""The list of commands, and each of them as `radedit <command> …`."""

from __future__ import annotations

import importlib
import os
import sys

from radedit.app.configuration import CONF
from radedit.app.help import LINE, SHELL_FLAGS, command_and_line, is_query, purpose

GROUPS = {
    "Test a model": (
        "stress",
        "plan",
        "tune",
        "export",
        "runs",
        "sweep",
        "compare_models",
        "explain",
        "dossier",
    ),
    "Edit images, prepare data, train": ("edit", "prepare", "train", "examine", "phantoms", "bundle"),
    "Is the method right?": ("validity", "detection", "benchmark", "compare", "score"),
    "People and services": ("reader_study", "workspace"),
}
COMMANDS = tuple(command for commands in GROUPS.values() for command in commands)


def overview() -> str:
    """Every command with its purpose, in a line each."""
    width = max(map(len, COMMANDS))
    lines = ["Stress-test chest X-ray models by diffusion image editing.", "", "radedit <command> key=value …", ""]
    for title, commands in GROUPS.items():
        lines += [title, *(f"  {command:{width}}  {purpose(CONF, command)}" for command in commands), ""]
    lines += ["radedit <command> --help tells more; python -m radedit.<command> is the same.",
              "The first one to try: radedit stress +scenario=manifestation preset=demo"]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Run a command, or list them all."""
    arguments = sys.argv[1:]
    if is_query(arguments):
        _complete(arguments)
        return
    if SHELL_FLAGS & set(arguments[:1]):  # installs the completion, which is the same for each command
        arguments = ["stress", *arguments]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(overview())
        return
    command = arguments[0].replace("-", "_")
    if command not in COMMANDS:
        print(f"error: There is no command {arguments[0]!r}. Commands are: {', '.join(COMMANDS)}.", file=sys.stderr)
        raise SystemExit(2)
    _run(command, arguments[1:])


def _run(command: str, arguments: list[str]) -> None:
    sys.argv[:] = ["radedit", *arguments]  # the name that completion is installed for
    importlib.import_module(f"radedit.{command}").main()


def _complete(arguments: list[str]) -> None:
    """Print how the line that the shell left can go on."""
    command, line = command_and_line(os.environ[LINE])
    if command is None:
        print(" ".join(name for name in COMMANDS if name.startswith(line)))
    elif command.replace("-", "_") in COMMANDS:
        os.environ[LINE] = line
        _run(command.replace("-", "_"), arguments)


if __name__ == "__main__":
    main()
