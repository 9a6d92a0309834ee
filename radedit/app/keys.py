"""What `conf/<command>.yaml` says of itself: its header, and each key with default and comment.

The comments of these files are the only place where keys are explained; the help of a command is made from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Key:
    """A key of a configuration file.

    Attributes:
        name: With the names of the tables that it lies in, as one types it: `edit.seed`.
        default: As it stands in the file; empty for a table.
        comment: Beside it, or above it; empty if there is none.
    """

    name: str
    default: str
    comment: str

    @property
    def depth(self) -> int:
        """1 for a key at the top."""
        return self.name.count(".") + 1


@dataclass(frozen=True)
class Choice:
    """A group of which a configuration takes a file: `editor: radedit` in its defaults list.

    Attributes:
        group: Folder of `conf/`, with the place where its content goes if that has another name: `editor@also.lance`.
        default: Name of the file that is taken; null for none.
        comment: Beside it.
    """

    group: str
    default: str
    comment: str


def header(file: Path) -> list[str]:
    """Lines of the comment that a file begins with, without their signs."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").removeprefix(" ").rstrip())
    return lines


def keys(file: Path) -> list[Key]:
    """Every key in the order of the file, but for `defaults`, Hydra's own, and those that begin with `_`."""
    text = file.read_text(encoding="utf-8")
    root = yaml.compose(text)
    return list(_keys(root, "", text.splitlines())) if isinstance(root, yaml.MappingNode) else []


def choices(file: Path) -> list[Choice]:
    """The groups of a file's defaults list."""
    return [
        Choice(key.value, item_value.value, _beside(lines, item_value))
        for lines, item in _defaults(file)
        if isinstance(item, yaml.MappingNode)
        for key, item_value in item.value
        if not key.value.startswith("override ")
    ]


def extends(file: Path) -> str | None:
    """The command whose configuration a file takes over, if there is one."""
    names = [item.value for _, item in _defaults(file) if isinstance(item, yaml.ScalarNode) and item.value != "_self_"]
    return names[0] if names else None


def _defaults(file: Path) -> Iterator[tuple[list[str], yaml.Node]]:
    text = file.read_text(encoding="utf-8")
    root = yaml.compose(text)
    if isinstance(root, yaml.MappingNode):
        for key, value in root.value:
            if key.value == "defaults":
                yield from ((text.splitlines(), item) for item in value.value)


def _keys(table: yaml.MappingNode, parent: str, lines: list[str]) -> Iterator[Key]:
    for key, value in table.value:
        name = f"{parent}{key.value}"
        if key.value.startswith("_") or name in ("defaults", "hydra"):
            continue
        is_table = isinstance(value, yaml.MappingNode) and not value.flow_style
        end = key if is_table or (isinstance(value, yaml.SequenceNode) and not value.flow_style) else value
        comment = _beside(lines, end) or _above(lines, key)
        yield Key(name, "" if is_table else _text(lines, value), comment)
        if is_table:
            yield from _keys(value, f"{name}.", lines)


def _text(lines: list[str], value: yaml.Node) -> str:
    """A value as it stands in the file, on one line."""
    start, end = value.start_mark, value.end_mark
    if start.line == end.line:
        return lines[start.line][start.column : end.column]
    return value.value.strip() if isinstance(value, yaml.ScalarNode) else "[…]"


def _beside(lines: list[str], node: yaml.Node) -> str:
    """The comment on the line where a value ends, and on lines below that have nothing but one in the same column."""
    number, column = node.end_mark.line, node.end_mark.column
    found = re.compile(r"(?:^|\s)(#.*)$").search(lines[number], column) if number < len(lines) else None
    if not found:
        return ""
    text = [found[1]]
    while (number := number + 1) < len(lines) and lines[number].startswith(f"{' ' * found.start(1)}#"):
        text.append(lines[number].strip())
    return " ".join(line.lstrip("#").strip() for line in text)


def _above(lines: list[str], key: yaml.Node) -> str:
    """The comment lines right above a key and in its column, but for those that the file begins with."""
    found: list[str] = []
    number = key.start_mark.line - 1
    while number >= 0 and lines[number].startswith(f"{' ' * key.start_mark.column}#"):
        found.insert(0, lines[number].strip().lstrip("#").strip())
        number -= 1
    return " ".join(found) if number >= 0 else ""
