"""What a configuration asks for, before anything is edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from radedit.app.configuration import composed
from radedit.app.stress_sets import requested


@pytest.mark.parametrize(
    ("editor", "put_back"), [("radedit", "contrast"), ("diffedit", "none"), ("lance", "none"), ("sdedit", "none")]
)
def test_nothing_is_put_back_for_an_editor_that_does_not_keep(
    editor: str, put_back: str, tiny_bundle: Path, tmp_path: Path
) -> None:
    words = ["+scenario=manifestation", "preset=demo", f"editor={editor}", f"generator.folder={tiny_bundle}", "n=2"]
    what = requested(composed("stress", [*words, f"out={tmp_path}"]))
    assert what.plan.paste_back == what.determines["edit"]["paste_back"] == put_back
