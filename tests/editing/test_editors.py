"""What must hold of the editors whatever the network: Algorithms 2 and 3, their replays, and the two without masks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from radedit.editing import diffedit, lance, radedit, released_compat, sdedit
from radedit.editing.inversion import invert, invert_ddim
from radedit.types import EditMasks

if TYPE_CHECKING:
    from tests.editing.conftest import Counted, Toy

EDITORS = [radedit, diffedit, lance, sdedit, released_compat]
MASKED = [radedit, diffedit]
sizes = st.fixed_dictionaries(
    {name: st.integers(1, 4) for name in ("batch", "channels", "height", "width")}
    | {"T": st.integers(1, 8), "seed": st.integers(0, 99)}
)


def short(module: object) -> str | None:
    return module.__name__.rpartition(".")[2] if isinstance(module, ModuleType) else None


every_editor = pytest.mark.parametrize("editor", EDITORS, ids=short)
every_masked_editor = pytest.mark.parametrize("editor", MASKED, ids=short)


def edit(editor: ModuleType, toy: Toy, masks: EditMasks | None = None, **changes: Any) -> Tensor:
    """Edit the toy batch, with w = 15 unless told otherwise."""
    given: dict[str, Any] = {"w": 15.0} | changes
    case = [given.pop(name, value) for name, value in zip(("f_theta", "x_0", "c_inv", "c"), toy.case, strict=True)]
    edited = editor.edit(*case, masks or toy.masks, toy.schedule, toy.randn(0), **given)
    assert isinstance(edited, Tensor)
    return edited


def replay(editor: ModuleType, toy: Toy, masks: EditMasks | None = None, **changes: Any) -> Tensor:
    given: dict[str, Any] = {"w": 15.0} | changes
    case = [given.pop(name, value) for name, value in (("f_theta", toy.f_theta), ("x_0", toy.x_0), ("c_inv", None))]
    replayed = editor.replay(*case, masks or toy.masks, toy.schedule, toy.randn(0), **given)
    assert isinstance(replayed, Tensor)
    return replayed


def ones(toy: Toy) -> Tensor:
    return torch.ones_like(toy.m)


@given(sizes, st.floats(-20, 20))
@settings(max_examples=20)
def test_radedit_with_complementary_masks_is_diffedit(
    make_toy: Callable[..., Toy], size: dict[str, int], w: float
) -> None:
    toy = make_toy(**size)
    masks = EditMasks(toy.m, 1 - toy.m)
    torch.testing.assert_close(edit(radedit, toy, masks, w=w), edit(diffedit, toy, masks, w=w))


def test_radedit_without_limits_is_diffedit_everywhere(toy: Toy) -> None:
    masks = EditMasks(ones(toy), 0 * ones(toy))
    torch.testing.assert_close(edit(radedit, toy, masks), edit(diffedit, toy, masks))


def test_radedit_with_a_free_region_is_not_diffedit(toy: Toy) -> None:
    difference = (edit(radedit, toy) - edit(diffedit, toy)).abs()
    free = (1 - toy.masks.edit) * (1 - toy.masks.keep)
    assert (difference * free).max() > 0.1


@given(sizes)
@settings(max_examples=20)
def test_what_is_kept_is_the_original_exactly(make_toy: Callable[..., Toy], size: dict[str, int]) -> None:
    toy = make_toy(**size)
    m_keep = toy.masks.keep.expand_as(toy.x_0).bool()
    assert torch.equal(edit(radedit, toy)[m_keep], toy.x_0[m_keep])


def test_keeping_everything_returns_the_original(toy: Toy) -> None:
    assert torch.equal(edit(radedit, toy, EditMasks(ones(toy), ones(toy))), toy.x_0)


def test_diffedit_returns_the_original_outside_its_mask(toy: Toy) -> None:
    outside = (1 - toy.m).expand_as(toy.x_0).bool()
    assert torch.equal(edit(diffedit, toy)[outside], toy.x_0[outside])


def test_editing_nowhere_ignores_prompt_and_weight(toy: Toy) -> None:
    masks = EditMasks(0 * ones(toy), toy.masks.keep)
    assert torch.equal(edit(radedit, toy, masks), edit(radedit, toy, masks, c=toy.c.flip(0) + 1, w=3.0))


def test_editing_nowhere_with_an_empty_inversion_prompt_replays_the_original(toy: Toy) -> None:
    masks = EditMasks(0 * ones(toy), toy.masks.keep)
    edited = edit(radedit, toy, masks, c_inv=None)
    torch.testing.assert_close(edited, replay(radedit, toy, masks), rtol=1e-8, atol=1e-8)


def test_editing_nowhere_with_an_inversion_prompt_still_moves_the_free_region(toy: Toy) -> None:
    masks = EditMasks(0 * ones(toy), 0 * ones(toy))
    assert (edit(radedit, toy, masks) - replay(radedit, toy, masks)).abs().max() > 0.01


@every_editor
def test_prompt_changes_the_image(editor: ModuleType, toy: Toy) -> None:
    difference = edit(editor, toy, c_inv=None) - replay(editor, toy)
    assert (difference * toy.masks.edit).abs().max() > 0.1


@every_editor
def test_guidance_of_zero_is_no_prompt(editor: ModuleType, toy: Toy) -> None:
    torch.testing.assert_close(edit(editor, toy, w=0.0), edit(editor, toy, c=None))


@every_editor
def test_guidance_of_one_is_the_prompt_by_itself(editor: ModuleType, toy: Toy) -> None:
    def prompted(x_t: Tensor, t: int | Tensor, c: Tensor | None) -> Tensor:
        return toy.f_theta(x_t, t, toy.c)

    everywhere = EditMasks(ones(toy), 0 * ones(toy))
    # Inverted with the same network, so that only the way there is compared.
    by_itself = edit(editor, toy, everywhere, f_theta=prompted, c=None)
    torch.testing.assert_close(edit(editor, toy, everywhere, w=1.0, c_inv=toy.c), by_itself)


@every_editor
def test_batch_size_and_order_change_nothing(editor: ModuleType, toy: Toy) -> None:
    together = edit(editor, toy)
    reversed_ = edit(editor, toy.rows([2, 1, 0])).flip(0)
    one_by_one = torch.cat([edit(editor, toy.rows([i])) for i in range(3)])
    torch.testing.assert_close(reversed_, together, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(one_by_one, together, rtol=1e-8, atol=1e-8)


@every_editor
def test_inversion_made_earlier_is_the_one_made_here(editor: ModuleType, toy: Toy) -> None:
    if editor is lance:
        trajectory = invert_ddim(toy.f_theta, toy.x_0, toy.c_inv, toy.schedule)
    else:
        trajectory = invert(toy.f_theta, toy.x_0, toy.c_inv, toy.schedule, toy.randn(0))
    for start in (2, 6):
        shared = edit(editor, toy, start=start, trajectory=trajectory, c_inv=None)
        assert torch.equal(shared, edit(editor, toy, start=start))


@every_editor
def test_inversion_of_the_wrong_kind_is_refused(editor: ModuleType, toy: Toy) -> None:
    ddim = invert_ddim(toy.f_theta, toy.x_0, None, toy.schedule)
    ddpm = invert(toy.f_theta, toy.x_0, None, toy.schedule, toy.randn(0))
    wrong, right = (ddpm, "ddim") if editor is lance else (ddim, "ddpm")
    for function in (edit, replay):
        with pytest.raises(ValueError, match=f"kind '{wrong.kind}', but this editor needs '{right}'"):
            function(editor, toy, trajectory=wrong)


@every_editor
@pytest.mark.parametrize("start", [0, -1, 7])
def test_start_that_is_no_step_is_refused(editor: ModuleType, toy: Toy, start: int) -> None:
    for function in (edit, replay):
        with pytest.raises(ValueError, match="1…6"):
            function(editor, toy, start=start)


@every_editor
def test_start_is_where_the_network_begins(editor: ModuleType, toy: Toy, counted: type[Counted]) -> None:
    f_theta = counted(toy.f_theta)
    edit(editor, toy, f_theta=f_theta, start=4, c_inv=None)
    assert [t for _, t, has_prompt in f_theta.calls if has_prompt] == [4, 3, 2, 1]
    assert max(t for _, t, _ in f_theta.calls) == 4  # nor is more inverted than is used


@pytest.mark.parametrize(("editor", "start"), [(radedit, 6), (diffedit, 6), (lance, 6), (sdedit, 3)], ids=short)
def test_start_left_open(editor: ModuleType, start: int, toy: Toy) -> None:
    assert torch.equal(edit(editor, toy), edit(editor, toy, start=start))


def test_sdedit_can_begin_in_a_schedule_of_one_step(make_toy: Callable[..., Toy]) -> None:
    toy = make_toy(T=1)
    assert torch.equal(edit(sdedit, toy), edit(sdedit, toy, start=1))


@every_editor
def test_network_that_predictions_both_halves_is_asked_once_a_step(editor: ModuleType, toy: Toy) -> None:
    class Network:
        asked = 0

        def __call__(self, x_t: Tensor, t: int | Tensor, c: Tensor | None) -> Tensor:
            return toy.f_theta(x_t, t, c)

        def pair(self, x_t: Tensor, t: int, c: Tensor) -> tuple[Tensor, Tensor]:
            self.asked += 1
            return self(x_t, t, c), self(x_t, t, None)

    network = Network()
    assert torch.equal(edit(editor, toy, f_theta=network, start=5), edit(editor, toy, start=5))
    assert network.asked == 5


@every_masked_editor
@given(size=sizes, with_prompt=st.booleans(), data=st.data())
@settings(max_examples=20)
def test_replay_is_the_whole_path_with_empty_prompts(
    editor: ModuleType, make_toy: Callable[..., Toy], size: dict[str, int], with_prompt: bool, data: st.DataObject
) -> None:
    toy = make_toy(**size)
    start = data.draw(st.integers(1, toy.schedule.T))
    long_way = edit(editor, toy, c=None, c_inv=None, start=start)
    # An inversion that was made for an edit serves as well, whatever its prompt.
    c_inv = toy.c_inv if with_prompt else None
    trajectory = invert(toy.f_theta, toy.x_0, c_inv, toy.schedule, toy.randn(0)) if with_prompt else None
    short_way = replay(editor, toy, start=start, trajectory=trajectory, c_inv=c_inv)
    torch.testing.assert_close(short_way, long_way, rtol=1e-8, atol=1e-8)


@every_masked_editor
def test_replay_needs_a_single_call(editor: ModuleType, toy: Toy, counted: type[Counted]) -> None:
    f_theta = counted(toy.f_theta)
    replay(editor, toy, f_theta=f_theta)
    assert f_theta.calls == [(3, 1, False)]


@pytest.mark.parametrize("editor", [lance, sdedit], ids=short)
def test_replay_without_masks_is_the_path_with_empty_prompts(editor: ModuleType, toy: Toy) -> None:
    assert torch.equal(replay(editor, toy, start=5), edit(editor, toy, c=None, c_inv=None, start=5))


def test_replay_of_lance_goes_back_under_the_prompt_of_the_inversion(toy: Toy) -> None:
    def prompted(x_t: Tensor, t: int | Tensor, c: Tensor | None) -> Tensor:
        return toy.f_theta(x_t, t, toy.c_inv)

    assert torch.equal(replay(lance, toy, c_inv=toy.c_inv), replay(lance, toy, f_theta=prompted))


@every_editor
def test_replay_takes_what_an_edit_takes_but_the_prompt(editor: ModuleType) -> None:
    expected = [name for name in inspect.signature(editor.edit).parameters if name != "c"]
    assert list(inspect.signature(editor.replay).parameters) == expected


@every_masked_editor
@pytest.mark.parametrize("shape", [(3, 1, 4, 5), (3, 1, 32, 48), (2, 1, 4, 6), (3, 2, 4, 6), (3, 4, 6)])
@pytest.mark.parametrize("name", ["edit", "keep"])
def test_masks_of_another_shape_are_refused(editor: ModuleType, name: str, shape: tuple[int, ...], toy: Toy) -> None:
    masks = toy.masks._replace(**{name: torch.ones(shape)})
    for function in (edit, replay):
        with pytest.raises(ValueError, match=f"The {name} mask has shape"):
            function(editor, toy, masks)


@every_masked_editor
def test_soft_masks_are_refused(editor: ModuleType, toy: Toy) -> None:
    with pytest.raises(ValueError, match="only 0 and 1"):
        edit(editor, toy, EditMasks(0.5 * toy.m, 1 - toy.m))


@every_masked_editor
def test_masks_may_be_bool_and_shared_by_the_batch(editor: ModuleType, toy: Toy) -> None:
    m_edit, m_keep = (mask[:1] for mask in toy.masks)
    shared = edit(editor, toy, EditMasks(m_edit.bool(), m_keep.bool()))
    assert torch.equal(shared, edit(editor, toy, EditMasks(m_edit.expand_as(toy.m), m_keep.expand_as(toy.m))))


@pytest.mark.parametrize("editor", [lance, sdedit], ids=short)
def test_editors_without_masks_do_not_look_at_them(editor: ModuleType, toy: Toy) -> None:
    assert torch.equal(edit(editor, toy), edit(editor, toy, EditMasks(0 * ones(toy), ones(toy))))


@every_editor
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_type_of_the_latents_is_kept(editor: ModuleType, dtype: torch.dtype, toy: Toy) -> None:
    edited = edit(editor, toy, x_0=toy.x_0.to(dtype), c=toy.c.to(dtype), c_inv=toy.c_inv.to(dtype), w=1.0)
    assert edited.dtype == dtype and edited.shape == toy.x_0.shape


@every_editor
def test_no_graph_is_kept(editor: ModuleType, toy: Toy) -> None:
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)

    def f_theta(x_t: Tensor, t: int | Tensor, c: Tensor | None) -> Tensor:
        return weight * toy.f_theta(x_t, t, c)

    assert not edit(editor, toy, f_theta=f_theta).requires_grad
    assert not replay(editor, toy, f_theta=f_theta).requires_grad
