"""Batches, shared inversions and paired calls change nothing but the time: edits are those of the paper's own loops."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from radedit.editing import radedit
from radedit.editing.editor import Editor
from radedit.editing.noise import record_randn
from radedit.models.bundle.bundle import Bundle
from radedit.types import EditMasks
from tests.tiny_bundle import WORDS

IDS, W = ["a", "b", "c"], 2.0
SIDE = 16  # of the tiny bundle's latents


@pytest.fixture
def paper_loops(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The transcription that experiments/performance times ours against."""
    monkeypatch.syspath_prepend(repository / "experiments" / "performance")
    return import_module("paper_loops")


@pytest.fixture
def masks() -> EditMasks:
    """Other ones for each image, with a remainder that is neither edited nor kept."""
    edit, keep = torch.zeros(3, 1, SIDE, SIDE), torch.zeros(3, 1, SIDE, SIDE)
    for i in range(3):
        edit[i, :, : 4 * i + 2], keep[i, :, 12:] = 1, 1
    return EditMasks(edit, keep)


@pytest.mark.parametrize("T", [1, 6])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-8), (torch.float32, 1e-3)])
def test_edit_and_sham_are_those_of_the_papers_loops(
    dtype: torch.dtype, tolerance: float, T: int, paper_loops: Any, masks: EditMasks, tiny_bundle: Path
) -> None:
    bundle = Bundle.load(tiny_bundle, dtype=dtype)
    schedule = bundle.schedule(T)
    f_theta, c = bundle.predictor(schedule), bundle.embed_prompts(WORDS[:2])
    x_0 = torch.randn(3, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).to(dtype)
    prompts: dict[str, Tensor] = {"edit": c[:1], "sham": c[1:]}
    ours = Editor.of(partial(radedit.edit, w=W)).edits(f_theta, x_0, prompts, masks, schedule, record_randn(0, IDS))
    for kind, prompt in prompts.items():
        for i, name in enumerate(IDS):
            mine = EditMasks(masks.edit[i : i + 1], masks.keep[i : i + 1])
            theirs = paper_loops.algorithm_3(
                f_theta, x_0[i : i + 1], prompt, mine, schedule, record_randn(0, [name]), W
            )  # fmt: skip
            scale = float(theirs.std())
            assert (ours[kind][i : i + 1] - theirs).abs().max() < tolerance * scale
