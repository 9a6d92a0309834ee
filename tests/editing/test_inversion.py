"""Algorithm 1 leads back to the image, however its network calls are batched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from radedit.editing.inversion import Trajectory, diffuse, invert, invert_ddim
from radedit.schedule import Schedule

if TYPE_CHECKING:
    from tests.editing.conftest import Counted, Toy

sizes = st.fixed_dictionaries(
    {name: st.integers(1, 4) for name in ("batch", "channels", "height", "width")}
    | {"T": st.integers(1, 8), "seed": st.integers(0, 99)}
)


@given(sizes)
@settings(max_examples=20)
def test_every_step_but_the_last_retraces_the_image(make_toy: Callable[..., Toy], size: dict[str, int]) -> None:
    toy = make_toy(**size)
    x_hat, z = _fields(invert(toy.f_theta, toy.x_0, toy.c_inv, toy.schedule, toy.randn(0)))
    for t in range(toy.schedule.T, 1, -1):
        eps_t = toy.f_theta(x_hat[t], t, toy.c_inv)
        x_prev = toy.schedule.mean(x_hat[t], t, eps_t) + toy.schedule.sigma(t) * z[t]
        torch.testing.assert_close(x_prev, x_hat[t - 1], rtol=1e-8, atol=1e-8)


def test_image_itself_is_kept_and_z_1_is_zero(toy: Toy) -> None:
    x_hat, z = _fields(invert(toy.f_theta, toy.x_0, toy.c_inv, toy.schedule, toy.randn(0)))
    assert torch.equal(x_hat[0], toy.x_0)
    assert not z[1].any() and z[2:].all()


def test_every_level_has_noise_of_its_own(toy: Toy) -> None:
    T, x_0 = toy.schedule.T, toy.x_0
    x_hat = diffuse(x_0, toy.schedule, toy.randn(0))
    noise = toy.randn(0)((T, *x_0.shape)).double()
    for t in range(1, T + 1):
        alpha_bar = toy.schedule.alpha_bar[t]
        torch.testing.assert_close(x_hat[t], alpha_bar.sqrt() * x_0 + (1 - alpha_bar).sqrt() * noise[t - 1])


def test_noise_is_asked_for_once(toy: Toy) -> None:
    shapes = []

    def randn(shape: Sequence[int]) -> Tensor:
        shapes.append(tuple(shape))
        return toy.randn(0)(shape)

    invert(toy.f_theta, toy.x_0, None, toy.schedule, randn)
    assert shapes == [(6, 3, 2, 4, 6)]


def test_noise_of_another_shape_is_refused(toy: Toy) -> None:
    with pytest.raises(ValueError, match="randn was asked for"):
        invert(toy.f_theta, toy.x_0, None, toy.schedule, lambda shape: torch.zeros(1))


@given(size=sizes, steps_per_call=st.integers(1, 10), with_prompt=st.booleans())
@settings(max_examples=20)
def test_steps_may_share_network_calls(
    make_toy: Callable[..., Toy], size: dict[str, int], steps_per_call: int, with_prompt: bool
) -> None:
    toy = make_toy(**size)
    c_inv = toy.c_inv if with_prompt else None
    one_by_one = invert(toy.f_theta, toy.x_0, c_inv, toy.schedule, toy.randn(0), steps_per_call=1)
    together = invert(toy.f_theta, toy.x_0, c_inv, toy.schedule, toy.randn(0), steps_per_call=steps_per_call)
    assert torch.equal(one_by_one.x_hat, together.x_hat)
    torch.testing.assert_close(one_by_one.z, together.z, rtol=1e-8, atol=1e-8)


def test_shared_calls_have_all_rows_of_their_steps(toy: Toy, counted: type[Counted]) -> None:
    f_theta = counted(toy.f_theta)
    invert(f_theta, toy.x_0, toy.c_inv, toy.schedule, toy.randn(0), steps_per_call=2)
    (rows_a, t_a, _), (rows_b, t_b, _), (rows_c, t_c, _) = f_theta.calls  # steps 2 to 6: z_1 needs no network
    assert (rows_a, rows_b, rows_c) == (6, 6, 3)
    assert t_a.tolist() == [2, 2, 2, 3, 3, 3] and t_b.tolist() == [4, 4, 4, 5, 5, 5] and t_c == 6


def test_single_steps_are_told_as_a_number(toy: Toy, counted: type[Counted]) -> None:
    f_theta = counted(toy.f_theta)
    invert(f_theta, toy.x_0, toy.c_inv, toy.schedule, toy.randn(0))
    assert [t for _, t, _ in f_theta.calls] == [2, 3, 4, 5, 6]


def test_steps_per_call_below_one_is_refused(toy: Toy) -> None:
    with pytest.raises(ValueError, match="steps_per_call"):
        invert(toy.f_theta, toy.x_0, None, toy.schedule, toy.randn(0), steps_per_call=0)


def test_inverting_up_to_a_step_is_the_beginning_of_inverting_all(toy: Toy, counted: type[Counted]) -> None:
    f_theta = counted(toy.f_theta)
    whole = invert(toy.f_theta, toy.x_0, toy.c_inv, toy.schedule, toy.randn(0))
    part = invert(f_theta, toy.x_0, toy.c_inv, toy.schedule, toy.randn(0), start=4)
    assert len(f_theta.calls) == 3
    assert torch.equal(part.x_hat, whole.x_hat) and torch.equal(part.z[:5], whole.z[:5])


def test_ddim_inversion_up_to_a_step_is_the_beginning_of_inverting_all(toy: Toy) -> None:
    whole = invert_ddim(toy.f_theta, toy.x_0, toy.c_inv, toy.schedule)
    part = invert_ddim(toy.f_theta, toy.x_0, toy.c_inv, toy.schedule, start=4)
    assert torch.equal(part.x_hat[:5], whole.x_hat[:5]) and part.x_hat[5:].isnan().all()


def test_ddim_inversion_is_undone_by_ddim_where_noise_does_not_depend_on_the_image(toy: Toy) -> None:
    def f_theta(x_t: Tensor, t: int | Tensor, c: Tensor | None) -> Tensor:
        return toy.x_0.roll(1, -1) * t

    x_hat, z = _fields(invert_ddim(f_theta, toy.x_0, None, toy.schedule))
    assert z.shape == x_hat.shape and not z.any()
    x_t = x_hat[-1]
    for t in range(toy.schedule.T, 0, -1):
        x_t = toy.schedule.denoise_ddim(x_t, t, f_theta(x_t, t, None))
        torch.testing.assert_close(x_t, x_hat[t - 1])


def test_kinds_are_named(toy: Toy) -> None:
    assert invert(toy.f_theta, toy.x_0, None, toy.schedule, toy.randn(0)).kind == "ddpm"
    assert invert_ddim(toy.f_theta, toy.x_0, None, toy.schedule).kind == "ddim"


def test_no_graph_is_kept(toy: Toy) -> None:
    weight = torch.ones((), requires_grad=True)

    def f_theta(x_t: Tensor, t: int | Tensor, c: Tensor | None) -> Tensor:
        return weight * x_t

    assert not invert(f_theta, toy.x_0, None, toy.schedule, toy.randn(0)).z.requires_grad
    assert not invert_ddim(f_theta, toy.x_0, None, toy.schedule).x_hat.requires_grad


def test_trajectory_that_ends_too_early_is_refused(toy: Toy) -> None:
    trajectory = invert(toy.f_theta, toy.x_0, None, toy.schedule, toy.randn(0), start=3)
    trajectory.take("ddpm", toy.x_0, toy.schedule, 3)
    with pytest.raises(ValueError, match="up to step 3, but the edit begins at 4"):
        trajectory.take("ddpm", toy.x_0, toy.schedule, 4)


def test_trajectory_of_other_images_is_refused(toy: Toy) -> None:
    trajectory = invert(toy.f_theta, toy.x_0, None, toy.schedule, toy.randn(0))
    with pytest.raises(ValueError, match="is not x_0"):
        trajectory.take("ddpm", toy.x_0.flip(0), toy.schedule, 6)


def test_trajectory_of_another_schedule_is_refused(toy: Toy) -> None:
    trajectory = invert(toy.f_theta, toy.x_0, None, toy.schedule, toy.randn(0))
    with pytest.raises(ValueError, match="same schedule"):
        trajectory.take("ddpm", toy.x_0, Schedule.linear(7), 6)


def _fields(trajectory: Trajectory) -> tuple[Tensor, Tensor]:
    return trajectory.x_hat, trajectory.z
