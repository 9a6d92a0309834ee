"""Configurations that came with a model: read as data, and refused where they would fetch or run something."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from radedit.models.adapters.loaded import first_line

LARGEST = 4_000_000  # bytes of a configuration; one of transformers with a thousand classes has 40,000
DEEPEST = 40  # levels
CODE = ("auto_map", "trust_remote_code")  # keys that name code to be imported
FETCHING = ("pretrained", "pretrained_url", "use_pretrained_backbone", "path_or_repo_id")  # unless false or null
ELSEWHERE = ("hf-hub:", "hf_hub:", "local-dir:", "://")  # parts of names that timm and others fetch


def read_plain(path: Path) -> dict[str, Any]:
    """A JSON or YAML file whose top level is a mapping. Nothing in it is built, imported or followed.

    Raises:
        ValueError: If it is too large or too deep, no JSON or YAML of plain values, or has YAML aliases, by which a
            small file can unfold into a large one or into a circle.
    """
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path} has {path.stat().st_size:,} bytes; a configuration has at most {LARGEST:,}.")
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() in (".yaml", ".yml"):
            if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=yaml.SafeLoader)):
                raise ValueError("it has YAML aliases (*name), which are not followed: write the values in their place")
            found = yaml.safe_load(text)
        else:
            found = json.loads(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise ValueError(
            f"{path} can't be read: {first_line(error)}. If it is damaged, fetch or write it again."
        ) from error
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise ValueError(f"{path} holds a {type(found).__name__}; expected a mapping of names to values.")
    if next((depth for depth, _, _ in _items(found) if depth > DEEPEST), None):
        raise ValueError(f"{path} is nested more than {DEEPEST} levels deep.")
    return found


def check_local(settings: Mapping[str, Any], path: Path) -> None:
    """Refuse a configuration by which a library would import the file's own code, or fetch weights or code.

    Args:
        settings: Its plain values.
        path: Whose they are, for the message.

    Raises:
        ValueError: If it is one.
    """
    for _, key, value in _items(settings):
        if key in CODE and value:
            raise ValueError(
                f"{path} has {key!r}, which names code of its own. It is not run; save the model without it."
            )
        if key in FETCHING and value not in (None, False, ""):
            raise ValueError(f"{path} has {key}={value!r}, by which weights would be fetched. Set it to false.")
        if (
            isinstance(value, str)
            and key != "_name_or_path"
            and (named := next((part for part in ELSEWHERE if part in value), None))
        ):
            raise ValueError(
                f"{path} has {key}={value[:80]!r}: {named!r} names something elsewhere, which is not fetched. "
                "Download it yourself, and name the network by its plain name."
            )


def _items(node: Any, depth: int = 0, key: str = "") -> Iterator[tuple[int, str, Any]]:
    """Depth, key and value of everything in a configuration, down to one level more than is allowed."""
    if depth > DEEPEST + 1:
        return
    inner = node.items() if isinstance(node, Mapping) else ((key, value) for value in node)
    for name, value in inner:
        yield depth, str(name), value
        if isinstance(value, Mapping | list):
            yield from _items(value, depth + 1, str(name))
