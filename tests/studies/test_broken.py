"""A generator that is broken on purpose differs in one thing only, and is never taken for the whole one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from radedit.editing import radedit
from radedit.editing.editor import Editor
from radedit.models.bundle.bundle import Bundle
from radedit.schedule import Schedule
from radedit.studies.shared import broken_editors
from radedit.studies.shared.broken_generators import NORMAL, blurred, opposite
from radedit.types import EditMasks


def test_decoder_blurs_and_all_else_is_as_it_was(tiny_bundle: Path) -> None:
    whole, broken = Bundle.load(tiny_bundle), blurred(tiny_bundle, sigma_px=2.0)
    images = torch.rand(2, 1, whole.size, whole.size, generator=torch.Generator().manual_seed(0))
    latents = whole.encode(images)
    assert torch.equal(broken.encode(images), latents)

    def roughness(x: torch.Tensor) -> float:
        return float(x.diff(dim=-1).abs().mean())

    assert roughness(broken.decode(latents)) < 0.5 * roughness(whole.decode(latents))


def test_its_stress_sets_have_another_name(tiny_bundle: Path) -> None:
    hashes = {Bundle.load(tiny_bundle).hash} | {blurred(tiny_bundle, sigma_px=s).hash for s in (1.0, 2.0)}
    assert len(hashes) == 3


def test_opposite_prompt_is_understood_by_the_network_and_not_by_the_score(tiny_bundle: Path) -> None:
    whole = Bundle.load(tiny_bundle)
    broken = opposite(tiny_bundle, asked="Oedema.", understood="Drain.")
    texts = ["Oedema.", "Pneumothorax."]
    assert torch.equal(broken.embed_prompts(texts), whole.embed_prompts(["Drain.", "Pneumothorax."]))
    assert torch.equal(broken.embed_text(texts), whole.embed_text(texts))
    assert opposite(tiny_bundle, asked="Oedema.").understood == NORMAL
    assert len({whole.hash, broken.hash, opposite(tiny_bundle, asked="Oedema.").hash}) == 3


def edited(edit: object, masks: EditMasks) -> torch.Tensor:
    """Latents (1, 1, 4, 4) after an edit towards 1 by a network whose noise is the prompt where there is one."""

    def f_theta(x_t: torch.Tensor, t: object, c: torch.Tensor | None) -> torch.Tensor:
        return torch.zeros_like(x_t) if c is None else c.mean() * torch.ones_like(x_t)

    editor = Editor.of(partial(edit, w=2.0))  # type: ignore[arg-type]
    x_0, schedule = torch.zeros(1, 1, 4, 4), Schedule.linear(4)

    def randn(shape: object) -> torch.Tensor:
        return torch.zeros(tuple(shape))  # type: ignore[arg-type]

    return editor.edits(f_theta, x_0, {"edit": torch.ones(1, 1, 1)}, masks, schedule, randn)["edit"]


@pytest.mark.parametrize(
    ("edit", "changed"),
    [
        (radedit.edit, [True, False, False, False]),
        (broken_editors.nothing, [False] * 4),
        (broken_editors.mirrored, [False, False, True, False]),
        (broken_editors.keep_ignored, [True, True, False, False]),
    ],
)
def test_each_editor_guides_where_it_should_not(edit: object, changed: list[bool]) -> None:
    """m_edit is the first column and m_keep the second; mirrored, m_edit is the last but for what is kept."""
    m_edit, m_keep = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    m_edit[..., :2], m_keep[..., 1:2] = 1, 1
    if edit is broken_editors.mirrored:
        m_edit, m_keep = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
        m_edit[..., 1:2], m_keep[..., 3:] = 1, 1
    guided = edited(edit, EditMasks(m_edit, m_keep)) - edited(radedit.edit, EditMasks(0 * m_edit, 0 * m_keep))
    assert (guided.abs() > 1e-6).any(dim=-2)[0, 0].tolist() == changed
