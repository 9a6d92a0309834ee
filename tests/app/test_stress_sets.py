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


def test_a_set_of_even_steps_is_named_as_before_there_was_a_spacing(tiny_bundle: Path, tmp_path: Path) -> None:
    words = ["+scenario=manifestation", "preset=demo", f"generator.folder={tiny_bundle}", "n=2", f"out={tmp_path}"]
    even, integer, spaced = (
        requested(composed("stress", [*words, f"edit.spacing={spacing}"])) for spacing in ("1.0", "1", "1.5")
    )
    assert "spacing" not in even.determines["edit"] and even.hash == integer.hash
    assert spaced.determines["edit"]["spacing"] == spaced.plan.spacing == 1.5 and spaced.hash != even.hash
