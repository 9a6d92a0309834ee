"""The published weights in the commands: random ones of the same format, in each way of calling them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from radedit import edit, stress
from radedit.data.stress_set import read_rows
from radedit.models.bundle.bundle import Bundle
from radedit.types import Randn
from tests.commands import run
from tests.published import SIZE, overrides

CALLS = {"card": (7.5, 7), "paper": (15.0, None)}  # w, and the step of 10 from which the reverse process begins
both_ways = pytest.mark.parametrize("sampling", CALLS)


@pytest.fixture
def image() -> list[str]:
    """Arguments that name an image and its masks, which lie in the working folder."""
    rows, columns = np.mgrid[:96, :80]
    Image.fromarray((40 + rows + 60 * np.sin(columns / 9) ** 2).astype(np.uint8)).save("image.png")
    for name, where in (("edit", np.s_[20:60, 8:36]), ("keep", np.s_[30:80, 48:70])):
        mask = np.zeros((96, 80), dtype=np.uint8)
        mask[where] = 255
        Image.fromarray(mask).save(f"{name}.png")
    return ["image=image.png", "edit_mask=edit.png", "keep_mask=keep.png", "prompt=No acute process.", "out=out"]


def note() -> Any:
    return json.loads(Path("out/image.json").read_text())


@both_ways
def test_an_image_is_edited_as_the_release_is_called(published: Path, image: list[str], sampling: str) -> None:
    assert run(edit.main, [*image, *overrides(published), f"sampling={sampling}", "steps=10"]) == 0
    w, start = CALLS[sampling]
    found = note()
    assert found["editor"] == {"name": "radedit", "w": w, "start": start}
    assert (found["steps"], found["inversion_prompt"], found["size"]["generator"]) == (10, None, SIZE)
    assert found["change"]["square_to_vae_round_trip"]["edit_mask"]["mean"] > 0


@pytest.mark.slow
def test_a_stress_set_is_made_and_scored_as_the_model_card_has_it(published: Path) -> None:
    arguments = ["+scenario=manifestation", "preset=smoke", "logger=csv", "run=[generate]", "seeds='0'"]
    small = [f"size={SIZE}", "n=1", "n_also=1", "edit.block=1", "edit.max_lost=1", "anatomy=null", "steps=10"]
    assert run(stress.main, [*arguments, *small, *overrides(published), "sampling=card"]) == 0
    (stress_set,) = Path("outputs/stress_sets").iterdir()
    fingerprint = json.loads((stress_set / "meta.json").read_text())["fingerprint"]
    assert (fingerprint["editor"]["w"], fingerprint["editor"]["start"], fingerprint["edit"]["steps"]) == (7.5, 7, 10)
    (row,) = [row for row in read_rows(stress_set) if row["attr_kind"] == "edit"]
    assert -1 <= float(row["cosine"]) <= 1


@pytest.mark.slow
@pytest.mark.parametrize(("editor", "draws"), [("radedit", False), ("released_compat", True)])
def test_only_the_released_editor_draws_its_latents(
    tiny_bundle: Path, image: list[str], monkeypatch: pytest.MonkeyPatch, editor: str, draws: bool
) -> None:
    asked, encode = [], Bundle.encode

    def noting(bundle: Bundle, images: Tensor, randn: Randn | None = None) -> Tensor:
        asked.append(randn is not None)
        return encode(bundle, images, randn)

    monkeypatch.setattr(Bundle, "encode", noting)
    generator = [f"generator.folder={tiny_bundle}", f"editor={editor}"]
    assert run(edit.main, [*image, *generator, "steps=2"]) == 0
    small = ["+scenario=manifestation", "preset=smoke", "logger=csv", "run=[generate]", "seeds='0'", "size=32"]
    small += ["n=1", "n_also=0", "edit.block=1", "edit.max_lost=1", "anatomy=null", "edit.steps=2"]
    assert run(stress.main, [*small, *generator]) == 0
    assert len(asked) >= 2 and set(asked) == {draws}


def test_a_missing_licence_ends_in_one_line_before_any_image_is_read(
    image: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(edit.main, [*image, "generator=radedit_hub"]) == 2
    error = capsys.readouterr().err
    assert "https://huggingface.co/microsoft/radedit" in error and "hf auth login" in error and "Traceback" not in error
