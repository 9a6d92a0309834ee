"""The user's own code and files are in the hash of what they make."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from radedit.app.own_code import own_code

CONFIG = {"_target_": "own_masks.around", "_partial_": True}


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("own_masks", "own_shapes"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "own_shapes.py").write_text("def disc(): return 1\n")
    path = tmp_path / "own_masks.py"
    path.write_text("from own_shapes import disc\n\ndef around(): return disc()\n")
    importlib.invalidate_caches()
    return path


@pytest.mark.parametrize("name", ["own_masks.py", "own_shapes.py"])
def test_edited_source_has_another_digest(name: str, source: Path) -> None:
    before = own_code(CONFIG)
    assert before == own_code(CONFIG) and list(before) == ["own_masks.around"]
    edited = source.with_name(name)
    edited.write_text(edited.read_text().replace("disc()", "disc()  # edited"))
    assert own_code(CONFIG) != before


def test_code_of_radedit_is_named_by_its_version() -> None:
    assert own_code({"_target_": "radedit.editing.radedit.edit", "w": 15.0}) == {}


def test_file_that_a_value_names_counts(tmp_path: Path) -> None:
    atlas = tmp_path / "atlas.png"
    atlas.write_bytes(b"one")
    config = {"_target_": "radedit.masks.x", "atlas": str(atlas)}
    before = own_code(config)
    atlas.write_bytes(b"two")
    assert before and own_code(config) != before


def test_code_without_a_source_is_never_found_again_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    config = {"_target_": "itertools.count"}
    assert own_code(config) != own_code(config) and "itertools.count has no source" in caplog.text
