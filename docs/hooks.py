"""What mkdocs.yml needs besides: pages outside of docs/ join the site, and a notebook becomes a page.

Every page is known by its path in the repository, so that links lead on the site where they lead in a checkout.
"""

from __future__ import annotations

import json
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "radedit/weights/README.md", "docs/**/*.md", "experiments/**/*.md")
BESIDE = (
    "radedit/weights/*.png", "docs/**/*.png", "docs/**/*.svg", "docs/**/*.json", "docs/**/*.css", "docs/**/*.ipynb",
    "experiments/**/*.png", "experiments/**/*.csv",
)  # fmt: skip


def on_config(config: MkDocsConfig) -> None:
    """Put all pages of a folder where `nav` names the folder: index or README first, the rest by name."""
    config.nav = [
        {title: _pages(entry) if isinstance(entry, str) and entry.endswith("/") else entry}
        for section in config.nav or []
        for title, entry in section.items()
    ]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Return the theme's files and the repository's pages, pictures and tables."""
    taken = Files([file for file in files if file.src_dir != config.docs_dir])
    for path in _found(*PAGES, *BESIDE):
        taken.append(File(path, str(ROOT), config.site_dir, False, dest_uri=_place(path)))
    for path in _found("docs/**/*.ipynb"):
        page = File.generated(config, f"{path}.md", content=markdown(ROOT / path))
        page.dest_uri = _place(f"{path}.md")
        taken.append(page)
    return taken


def markdown(notebook: Path) -> str:
    """Return a notebook as Markdown: texts, code, and what the code printed; a link to the file comes last."""
    parts = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
        for output in cell.get("outputs", []):
            shown = "".join(output.get("text", output.get("data", {}).get("text/plain", [])))
            parts.append(f"```text\n{shown.rstrip()}\n```")
    parts.append(f"[This page as a notebook]({notebook.name})")
    return "\n\n".join(parts) + "\n"


def _pages(folder: str) -> list[str]:
    found = [*_found(f"{folder}**/*.md"), *(f"{path}.md" for path in _found(f"{folder}**/*.ipynb"))]
    first = {f"{folder}index.md": -2, f"{folder}README.md": -1}
    return sorted(found, key=lambda path: (first.get(path, 0), path))


def _found(*patterns: str) -> list[str]:
    return sorted({path.relative_to(ROOT).as_posix() for pattern in patterns for path in ROOT.glob(pattern)})


def _place(path: str) -> str:
    """Return where a file lies on the site, which has no folder docs/."""
    place = path.removeprefix("docs/").replace("README.md", "index.md").replace(".ipynb.md", ".md")
    return f"{place.removesuffix('.md')}.html" if place.endswith(".md") else place
