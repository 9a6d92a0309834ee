"""Paths and links in the documentation lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown.extensions.toc import slugify

from radedit.__main__ import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([
    ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", ROOT / "radedit/weights/README.md",
    *(ROOT / "docs").rglob("*.md"), *(ROOT / "experiments").rglob("*.md"),
])  # fmt: skip
NAMED = re.compile(r"(?<![\w/.-])(?:radedit/[\w/]+\.py|conf/[\w/]+\.yaml|tests/[\w/]+\.py|docs/[\w/.-]+\.\w+)\b")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
ANCHOR = re.compile(r"\]\(([^)#\s:]*\.md|)#((?!radedit\.)[^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+?)\s*$", re.MULTILINE)

BLOCK = re.compile(r"^```(?:shell|bash)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def missing(page: Path) -> list[str]:
    """What a page names or links to, and is not there."""
    text = page.read_text(encoding="utf-8")
    named = {path: ROOT / path for path in NAMED.findall(text)}
    links = {link: page.parent / link for link in LINK.findall(text) if "://" not in link}
    return sorted(name for name, path in (named | links).items() if not path.exists())


def without_heading(page: Path) -> list[str]:
    """Links to a part of a page that has no such heading on the documentation's site, or none where code is hosted.

    The two make names of headings differently ("w = 4" is `w-4` on the site, `w--4` elsewhere). Links to objects,
    `#radedit.…`, exist on the site only, whose build checks them.
    """
    wrong = []
    for path, anchor in ANCHOR.findall(page.read_text(encoding="utf-8")):
        target = page.parent / path if path else page
        headings = [
            re.sub(r"[`*]|\]\(.*?\)|\[", "", one) for one in HEADING.findall(target.read_text(encoding="utf-8"))
        ]
        on_site = {slugify(one, "-") for one in headings}
        hosted = {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}
        if anchor not in on_site & hosted:
            wrong.append(f"{path}#{anchor}")
    return wrong


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
    assert not without_heading(page)


def test_architecture_names_the_modules_of_its_walks() -> None:
    text = (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8")
    assert len(set(NAMED.findall(text))) > 30


def test_a_path_or_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("`radedit/types.py`, `radedit/gone.py`, `conf/gone.yaml`, [here](gone.md#head), [web](https://a.b)")
    assert missing(page) == ["conf/gone.yaml", "gone.md", "radedit/gone.py"]


def test_a_link_to_a_heading_that_has_two_names_or_is_not_there_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Why w = 4\n\n## `make` it\n\n[a](#why-w-4) [b](#why-w--4) [c](page.md#make-it) [d](page.md#gone)\n"
    )
    assert without_heading(page) == ["#why-w-4", "#why-w--4", "page.md#gone"]


def test_a_command_or_choice_that_does_not_exist_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```shell\npython -m radedit.stress +scenario=gone\nradedit break  # setting=gone\n```\n")
    assert unknown(page) == ["break", "scenario=gone"]
