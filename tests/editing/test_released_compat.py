"""The released code's two mistakes, each of which Algorithm 3 does not make."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor

from radedit.editing import radedit, released_compat
from radedit.editing.inversion import invert
from radedit.types import EditMasks

if TYPE_CHECKING:
    from tests.editing.conftest import Toy


def edit(editor: ModuleType, toy: Toy, masks: EditMasks, **changes: Any) -> Tensor:
    edited = editor.edit(*toy.case, masks, toy.schedule, toy.randn(0), **({"w": 7.5} | changes))
    assert isinstance(edited, Tensor)
    return edited


def outside(toy: Toy) -> Tensor:
    return (1 - toy.m).expand_as(toy.x_0).bool()


def complementary(toy: Toy) -> EditMasks:
    return EditMasks(toy.m, 1 - toy.m)


def test_outside_the_mask_is_the_first_noisy_latent_and_not_the_original(toy: Toy) -> None:
    x_hat = invert(toy.f_theta, toy.x_0, toy.c_inv, toy.schedule, toy.randn(0)).x_hat
    edited = edit(released_compat, toy, complementary(toy))
    assert torch.equal(edited[outside(toy)], x_hat[1][outside(toy)])
    assert torch.equal(edit(radedit, toy, complementary(toy))[outside(toy)], toy.x_0[outside(toy)])


def test_error_outside_the_mask_falls_with_the_number_of_steps(make_toy: Callable[..., Toy]) -> None:
    """As reported of the release: 41.8 grey levels at 4 steps, 17.2 at 8, 7.8 at 16."""
    errors = []
    for T in (4, 8, 16):
        toy = make_toy(T=T, batch=8, height=8, width=8)
        errors.append((edit(released_compat, toy, complementary(toy)) - toy.x_0).abs()[outside(toy)].mean().item())
    assert errors[0] > 1.5 * errors[1] > 2 * errors[2] > 0


@pytest.mark.parametrize("start", [None, 4])
def test_keep_mask_is_ignored(toy: Toy, start: int | None) -> None:
    nothing = EditMasks(toy.m, torch.zeros_like(toy.m))
    assert torch.equal(
        edit(released_compat, toy, complementary(toy), start=start), edit(released_compat, toy, nothing, start=start)
    )
    difference = edit(radedit, toy, complementary(toy), start=start) - edit(radedit, toy, nothing, start=start)
    assert difference.abs().max() > 0.1


def test_inside_the_mask_it_departs_from_algorithm_3_only_through_what_surrounds_it(toy: Toy) -> None:
    everywhere = EditMasks(torch.ones_like(toy.m), torch.zeros_like(toy.m))
    torch.testing.assert_close(edit(released_compat, toy, everywhere), edit(radedit, toy, everywhere))


def test_replay_is_the_edit_with_empty_prompts(toy: Toy) -> None:
    masks = toy.masks
    replayed = released_compat.replay(toy.f_theta, toy.x_0, None, masks, toy.schedule, toy.randn(0), w=7.5, start=4)
    expected = released_compat.edit(toy.f_theta, toy.x_0, None, None, masks, toy.schedule, toy.randn(0), w=7.5, start=4)
    assert torch.equal(replayed, expected)
