"""The documentation site builds without a warning and loads nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FETCHED = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^>]*>"
    r"|<link\b[^>]*\bhref=[\"']?(?:https?:)?//[^>]*>|url\([\"']?(?:https?:)?//[^)]*\)"
)
LOADED = re.compile(
    r"<(?:script|img)\b[^>]*\bsrc=\"([^\"]+)\"|<link\b[^>]*\brel=\"stylesheet\"[^>]*\bhref=\"([^\"]+)\""
)


def fetched(page: str) -> list[str]:
    """What a browser would load from another host when it opens a page."""
    return [hit for hit in FETCHED.findall(page) if 'rel="canonical"' not in hit]


@pytest.fixture(scope="module")
def site(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(
        command, cwd=repository, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    pages = [*site.rglob("*.html"), *site.rglob("*.css")]
    found = {page.name: fetched(page.read_text(encoding="utf-8")) for page in pages}
    assert len(pages) > 20 and not {name: hits for name, hits in found.items() if hits}
    # The theme fetches its drawing library where a page has such a drawing.
    assert not [page for page in site.rglob("*.html") if 'class="mermaid"' in page.read_text(encoding="utf-8")]


@pytest.mark.slow
def test_stylesheets_scripts_and_pictures_of_every_page_are_there(site: Path) -> None:
    missing = {
        (page.relative_to(site).as_posix(), place)
        for page in site.rglob("*.html")
        if page.name != "404.html"  # its links begin at the server's root
        for place in map("".join, LOADED.findall(page.read_text(encoding="utf-8")))
        if not place.startswith("data:") and not (page.parent / place.partition("?")[0]).is_file()
    }
    assert not missing


@pytest.mark.slow
def test_every_page_of_the_documentation_is_on_the_site(site: Path, repository: Path) -> None:
    pages = [*(repository / "docs").rglob("*.md"), *(repository / "experiments").rglob("README.md")]
    places = [page.relative_to(repository).as_posix().removeprefix("docs/") for page in pages]
    expected = {place.replace("README.md", "index.md").removesuffix(".md") + ".html" for place in places}
    assert expected <= {page.relative_to(site).as_posix() for page in site.rglob("*.html")}


def test_what_a_browser_would_fetch_is_found() -> None:
    assert fetched('<script src="https://a.b/c.js"></script><a href="https://a.b">link</a>')
    assert fetched('<link rel="stylesheet" href="//a.b/c.css">') and fetched("@font-face{src:url(https://a.b/c.woff)}")
    assert not fetched('<a href="https://a.b">link</a><img src="c.png"><p>https://a.b</p>')
