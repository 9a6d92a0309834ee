"""Paths and links in the documentation lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from radedit.__main__ import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([
    ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "radedit/weights/README.md",
    *(ROOT / "docs").rglob("*.md"), *(ROOT / "experiments").rglob("*.md"),
])  # fmt: skip
NAMED = re.compile(r"(?<![\w/.-])(?:radedit/[\w/]+\.py|conf/[\w/]+\.yaml|tests/[\w/]+\.py|docs/[\w/.-]+\.\w+)\b")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")

BLOCK = re.compile(r"^```(?:shell|bash)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def missing(page: Path) -> list[str]:
    """What a page names or links to, and is not there."""
    text = page.read_text(encoding="utf-8")
    named = {path: ROOT / path for path in NAMED.findall(text)}
    links = {link: page.parent / link for link in LINK.findall(text) if "://" not in link}
    return sorted(name for name, path in (named | links).items() if not path.exists())


def unknown(page: Path) -> list[str]:
    """Commands and choices in a page's shell blocks that radedit does not have."""
    text = page.read_text(encoding="utf-8")
    shown = "\n".join(re.sub(r"(^|\s)#.*", "", block, flags=re.MULTILINE) for block in BLOCK.findall(text))
    called = re.findall(r"-m radedit\.(\w+)|^radedit (\w+)", shown, re.MULTILINE)
    commands = {one or two for one, two in called} - set(COMMANDS)
    choices = {
        f"{group}={choice}"
        for group, choice in re.findall(r"(?<=[\s+])(\w+)=(\w+)(?![\w…./-])", shown)
        if (ROOT / "conf" / group).is_dir()
        and choice not in ("true", "false", "null")  # a key of the same name
        and not any(ROOT.glob(f"conf/{group}/**/{choice}.yaml"))
        and f"conf/{group}/{choice}.yaml" not in text  # a file of one's own, which a how-to writes
    }
    return sorted(commands | choices)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_and_choice_that_a_page_shows_exists(page: Path) -> None:
    assert not unknown(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_path_and_link_of_a_page_exists(page: Path) -> None:
    assert not missing(page)


def test_architecture_names_the_modules_of_its_walks() -> None:
    text = (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8")
    assert len(set(NAMED.findall(text))) > 30


def test_a_path_or_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("`radedit/types.py`, `radedit/gone.py`, `conf/gone.yaml`, [here](gone.md#head), [web](https://a.b)")
    assert missing(page) == ["conf/gone.yaml", "gone.md", "radedit/gone.py"]


def test_a_command_or_choice_that_does_not_exist_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```shell\npython -m radedit.stress +scenario=gone\nradedit break  # setting=gone\n```\n")
    assert unknown(page) == ["break", "scenario=gone"]
