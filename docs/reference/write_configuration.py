"""Write configuration.md from the comments in `conf/`: python docs/reference/write_configuration.py."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from radedit.app.keys import choices, extends, header, keys

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf"
PAGE = Path(__file__).with_suffix("").with_name("configuration.md")
INTRODUCTION = """# Configuration

Every key of every command, made from the comments in `conf/` by
`python docs/reference/write_configuration.py`; a test fails where this page is out of date. Keys are given as
`key=value`, groups as `group=choice`, and `python -m radedit.<command> … --cfg job` prints what comes of it. `???` is
what you must give, and `${…}` takes the value of another key. Where a comment is missing, the meaning is that of the
Python argument that the key is handed to.
"""


def page() -> str:
    """The whole page, in Markdown."""
    commands = sorted(path for path in CONF.glob("*.yaml"))
    groups = sorted({path.parent for path in CONF.rglob("*.yaml")} - {CONF})
    parts = [INTRODUCTION, "## Commands\n"]
    for path in commands:
        parts.append(f"### radedit.{path.stem}\n\n{_prose(header(path))}")
        if base := extends(path):
            parts.append(f"Also all keys of [radedit.{base}](#radedit{base}).\n")
        if taken := choices(path):
            rows = [(f"`{choice.group}`", f"`{choice.default}`", _sentence(choice.comment)) for choice in taken]
            parts.append(_table(("group", "default", "meaning"), rows))
        parts.append(_keys(path))
    parts.append("## Groups\n")
    for folder in groups:
        name = folder.relative_to(CONF).as_posix()
        files = sorted(folder.glob("*.yaml"))
        parts.append(f"### {name}\n")
        parts.append(_table(("choice", "what it is"), [(f"`{f.stem}`", _first_sentence(header(f))) for f in files]))
        parts += [f"**{name}/{file.stem}**\n\n{told}" for file in files if (told := _keys(file))]
    return "\n".join(part for part in parts if part)


def _keys(path: Path) -> str:
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    rows = []
    for key in keys(path):
        meaning = key.comment or _of_argument(content, key.name)
        if key.default or key.comment:
            default = f"`{key.default}`".replace("|", "\\|") if key.default else ""
            rows.append((f"`{key.name}`", default, _sentence(meaning)))
    return _table(("key", "default", "meaning"), rows) if rows else ""


def _of_argument(content: Any, name: str) -> str:
    """What the target that a key is handed to says of that argument; empty where it is not ours or does not say."""
    *parents, own = name.split(".")
    node = content
    for parent in parents:
        node = node.get(parent) if isinstance(node, dict) else None
    target = node.get("_target_", "") if isinstance(node, dict) else ""
    return arguments_of(target).get(own, "")


@functools.cache
def arguments_of(target: str) -> dict[str, str]:
    """Argument → meaning, from the docstring of one of our functions or classes, which is read but not imported."""
    module, _, name = target.rpartition(".")
    file = ROOT / f"{module.replace('.', '/')}.py"
    if not target.startswith("radedit.") or not file.is_file():
        return {}
    nodes = ast.parse(file.read_text(encoding="utf-8")).body
    found = [n for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == name]
    told: dict[str, str] = {}
    for node in found:
        inner = [n for n in getattr(node, "body", []) if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
        for documented in (*inner, node):
            for names, meaning in _described(ast.get_docstring(documented) or ""):
                told |= {one.strip(): meaning for one in names.split(",")}
    return told


def _described(docstring: str) -> Iterator[tuple[str, str]]:
    """Names and meanings in the sections Args and Attributes."""
    section = re.search(r"^(?:Args|Attributes):\n((?:(?: .*)?\n?)+)", docstring, re.MULTILINE)
    entries = re.split(r"\n    (?=\S)", "\n" + section[1]) if section else []
    for entry in entries:
        names, colon, meaning = entry.strip().partition(":")
        if colon and re.fullmatch(r"[\w, ]+", names):
            yield names, " ".join(meaning.split())


def _prose(lines: list[str]) -> str:
    """A header as Markdown: commands as code, the rest as text."""
    out, code = [], False
    for line in [line for line in lines if line != "@package _global_"]:
        if line.startswith("  ") != code:
            out += ["```", ""] if code else ["", "```bash"]
            code = not code
        out.append(line.strip() if code else line)
    return "\n".join([*out, *(["```"] if code else []), ""])


def _first_sentence(lines: list[str]) -> str:
    text = ""
    for line in lines:
        if line.startswith("  "):
            break
        if line != "@package _global_":
            text += " " + line.strip()
    return _sentence(re.split(r"(?<=[a-z0-9)`*])[.:](?:\s|$)", text.strip(), maxsplit=1)[0])


def _sentence(text: str) -> str:
    text = text.strip().rstrip(";:").replace("|", "\\|").replace("<", "&lt;")
    first = text.split(" ", 1)[0]
    text = text if re.search(r"[/_=.]\w", first) else text[:1].upper() + text[1:]
    return text + ("" if not text or text[-1] in ".?!" else ".")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "\n".join(["| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *rows)]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
