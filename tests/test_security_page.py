"""Every line of the pages on security, and on attacks and faults, names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [(ROOT / f"docs/explanation/{name}.md").read_text("utf-8") for name in ("security", "attacks-and-faults")]
HEADS = ("| what", "| attack", "| kind")
ROWS = [line for page in PAGES for line in page.splitlines() if line.startswith("| ") and not line.startswith(HEADS)]


@pytest.mark.parametrize("row", ROWS)
def test_line_of_the_security_page_has_its_test(row: str) -> None:
    named = re.findall(r"`(test_\w+)`", row.rsplit("|", 2)[1])
    known = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert named and all(f"def {name}(" in known for name in named)
