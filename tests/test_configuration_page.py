"""docs/reference/configuration.md says every key, default and meaning of conf/, as the files do."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from radedit.app.keys import choices, keys


@pytest.fixture(scope="module")
def writer(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("writer", repository / "docs/reference/write_configuration.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_files_say(writer: ModuleType) -> None:
    is_fresh = writer.PAGE.read_text(encoding="utf-8") == writer.page()
    assert is_fresh, "run python docs/reference/write_configuration.py"


def test_every_key_and_group_of_a_command_is_explained(repository: Path) -> None:
    bare = [
        f"{path.name}: {name}"
        for path in sorted((repository / "conf").glob("*.yaml"))
        for name, comment in [
            *((key.name, key.comment) for key in keys(path) if key.depth == 1),
            *((choice.group, choice.comment) for choice in choices(path) if "@" not in choice.group),
        ]
        if not comment
    ]
    assert not bare, f"Say in a comment beside the key what it is: {bare}"


def test_meanings_without_a_comment_come_from_the_argument(writer: ModuleType) -> None:
    told = writer.arguments_of("radedit.training.classifier.ClassifierTraining")
    assert told["weight_decay"].startswith("Of AdamW")
    assert writer.arguments_of("lightning.Trainer") == {}
