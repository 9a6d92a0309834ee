"""Noise levels against Ho et al., Eq. 1 to 4 written out again, and diffusers where it steps alike."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_heun_discrete import HeunDiscreteScheduler
from torch import Tensor

from radedit.schedule import Schedule


def released(**changes: Any) -> DDIMScheduler:
    """The published scheduler, in float64, so that only the formulas can differ."""
    config = {"clip_sample": False, "timestep_spacing": "trailing", "steps_offset": 1} | changes
    scheduler = DDIMScheduler(**config)
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    return scheduler


def latents(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def test_alpha_bar_of_the_training_schedule_is_the_product_of_eq_2() -> None:
    expected, product = [1.0], 1.0
    for i in range(1000):
        product *= 1 - (1e-4 + (0.02 - 1e-4) * i / 999)
        expected.append(product)
    torch.testing.assert_close(Schedule.linear(1000).alpha_bar, torch.tensor(expected, dtype=torch.float64))


def test_betas_and_train_steps_are_parameters() -> None:
    schedule = Schedule.linear(3, train_steps=3, beta_start=0.1, beta_end=0.3)
    expected = torch.tensor([1, 0.9, 0.9 * 0.8, 0.9 * 0.8 * 0.7], dtype=torch.float64)
    torch.testing.assert_close(schedule.alpha_bar, expected)


@pytest.mark.parametrize("T", [1, 4, 25, 48, 61, 75, 100, 240, 999, 1000])
def test_linear_visits_the_timesteps_of_the_released_scheduler(T: int) -> None:
    scheduler = released()
    scheduler.set_timesteps(T)
    visited = [Schedule.linear(T).timestep(t) for t in range(T, 0, -1)]
    assert visited == scheduler.timesteps[:T].tolist()  # for 61, diffusers lists −1 as well


@pytest.mark.parametrize("T", [1, 61, 75, 100])
def test_from_diffusers_is_linear_for_the_released_scheduler(T: int) -> None:
    ours, theirs = Schedule.linear(T), Schedule.from_diffusers(released(), T)
    assert torch.equal(ours.timesteps, theirs.timesteps)
    torch.testing.assert_close(ours.alpha_bar, theirs.alpha_bar, rtol=1e-4, atol=0)  # theirs are float32 products


def test_from_diffusers_leaves_the_scheduler_as_it_is() -> None:
    scheduler = released()
    scheduler.set_timesteps(10)
    Schedule.from_diffusers(scheduler, 25)
    assert len(scheduler.timesteps) == scheduler.num_inference_steps == 10


@pytest.mark.parametrize("T", [1, 8, 15, 100, 1000])
@pytest.mark.parametrize("spacing", [1.5, 2, 3])
def test_spacing_is_a_power_and_steps_are_closest_where_noise_is_weak(T: int, spacing: float) -> None:
    schedule = Schedule.from_diffusers(released(), T, spacing)
    counted = (schedule.timesteps[1:] + 1).tolist()  # from 1, as t is
    assert counted == [max(t, round(1000 * (t / T) ** spacing)) for t in range(1, T + 1)]
    assert counted[-1] == 1000
    apart = schedule.timesteps[1:].diff().tolist()
    assert all(after >= before - 1 for before, after in itertools.pairwise(apart))  # but for rounding
    assert torch.equal(schedule.alpha_bar[1:], released().alphas_cumprod[schedule.timesteps[1:]].double())


def test_quadratic_spacing_is_that_of_ddim() -> None:
    # Denoising Diffusion Implicit Models, Appendix D.2: τ_i = ⌊c i²⌋.
    counted = Schedule.from_diffusers(released(), 20, 2).timesteps[1:] + 1
    assert (counted - 2.5 * torch.arange(1, 21) ** 2).abs().max() <= 1


def test_spacing_of_one_is_the_schedulers_own() -> None:
    own, same = Schedule.from_diffusers(released(), 15), Schedule.from_diffusers(released(), 15, 1.0)
    assert torch.equal(own.timesteps, same.timesteps) and torch.equal(own.alpha_bar, same.alpha_bar)


@pytest.mark.parametrize("spacing", [0, 0.5, 3.5, float("nan"), True, "2"])
def test_spacing_that_is_none_is_refused(spacing: float) -> None:
    with pytest.raises(ValueError, match=rf"spacing is {spacing!r}; expected a number, 1…3"):
        Schedule.from_diffusers(released(), 15, spacing)


@pytest.mark.parametrize(
    ("T", "spacing"), [(5, "trailing"), (25, "trailing"), (100, "trailing"), (75, "leading"), (7, "leading")]
)
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_steps_agree_with_diffusers_ddim(T: int, spacing: str, eta: float) -> None:
    scheduler = released(timestep_spacing=spacing)
    schedule = Schedule.from_diffusers(scheduler, T)
    scheduler.set_timesteps(T)
    x_t, eps_t, z_t = latents(3, 2, 3, 4, 5)
    for t, timestep in zip(range(T, 0, -1), scheduler.timesteps, strict=True):
        expected = scheduler.step(eps_t, int(timestep), x_t, eta=eta, variance_noise=z_t, return_dict=False)[0]
        ours = schedule.mean(x_t, t, eps_t) + schedule.sigma(t) * z_t if eta else schedule.denoise_ddim(x_t, t, eps_t)
        torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("T", [1, 7, 75, 333])
def test_mean_is_eq_4_where_the_spacing_is_uneven(T: int) -> None:
    schedule = Schedule.linear(T)
    x_t, eps_t = 0.75, -0.25  # exact in float32
    for t in range(1, T + 1):
        now, before = float(schedule.alpha_bar[t]), float(schedule.alpha_bar[t - 1])
        sigma = math.sqrt((1 - before) / (1 - now)) * math.sqrt(1 - now / before)
        mean = math.sqrt(before) * (x_t - math.sqrt(1 - now) * eps_t) / math.sqrt(now)
        mean += math.sqrt(max(0, 1 - before - sigma**2)) * eps_t
        assert float(schedule.sigma(t)) == pytest.approx(sigma, abs=1e-12)
        ours = schedule.mean(torch.tensor([[[[x_t]]]]).double(), t, torch.tensor([[[[eps_t]]]]).double())
        assert float(ours) == pytest.approx(mean, rel=1e-9)


@pytest.mark.parametrize("T", [10, 75, 1000])
def test_mean_of_the_true_noise_is_the_posterior_mean_of_ho_et_al(T: int) -> None:
    # Denoising Diffusion Probabilistic Models, Eqs. 6 and 7.
    schedule = Schedule.linear(T)
    x_0, noise = latents(2, 1, 2, 3, 3)
    for t in range(2, T + 1, max(1, T // 10)):
        now, before = schedule.alpha_bar[t], schedule.alpha_bar[t - 1]
        alpha, beta = now / before, 1 - now / before
        x_t = schedule.add_noise(x_0, t, noise)
        expected = (before.sqrt() * beta * x_0 + alpha.sqrt() * (1 - before) * x_t) / (1 - now)
        torch.testing.assert_close(schedule.mean(x_t, t, noise), expected, rtol=1e-8, atol=1e-8)
        torch.testing.assert_close(schedule.sigma(t) ** 2, (1 - before) / (1 - now) * beta)


def test_ddim_with_the_true_noise_stays_on_the_ray_from_the_image() -> None:
    schedule = Schedule.linear(20)
    x_0, noise = latents(2, 1, 2, 3, 3)
    for t in range(20, 1, -1):
        x_prev = schedule.denoise_ddim(schedule.add_noise(x_0, t, noise), t, noise)
        torch.testing.assert_close(x_prev, schedule.add_noise(x_0, t - 1, noise))
    torch.testing.assert_close(schedule.denoise_ddim(schedule.add_noise(x_0, 1, noise), 1, noise), x_0)


@pytest.mark.parametrize("t", [1, 2, 9, 20])
def test_renoising_undoes_denoising(t: int) -> None:
    schedule = Schedule.linear(20)
    x_t, eps_t = latents(2, 1, 2, 3, 3)
    torch.testing.assert_close(schedule.renoise_ddim(schedule.denoise_ddim(x_t, t, eps_t), t, eps_t), x_t)


def test_last_step_has_no_noise_and_the_others_have() -> None:
    schedule = Schedule.linear(50)
    assert schedule.sigma(1) == 0
    assert all(schedule.sigma(t) > 0 for t in range(2, 51))


@pytest.mark.parametrize("function", ["mean", "denoise_ddim", "renoise_ddim", "add_noise"])
def test_steps_may_differ_from_row_to_row(function: str) -> None:
    step = getattr(Schedule.linear(30), function)
    x, noise = latents(2, 4, 2, 3, 3)
    t = torch.tensor([30, 1, 7, 7])
    one_by_one = torch.cat([step(x[i : i + 1], int(t[i]), noise[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(step(x, t, noise), one_by_one)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("t", [5, torch.tensor([5, 3])], ids=["int", "tensor"])
def test_type_of_the_latents_is_kept(dtype: torch.dtype, t: int | Tensor) -> None:
    schedule = Schedule.linear(10)
    x, noise = latents(2, 2, 1, 3, 3, dtype=dtype)
    expected = schedule.mean(x.double(), t, noise.double())
    for ours in (schedule.mean(x, t, noise), schedule.add_noise(x, t, noise), schedule.renoise_ddim(x, t, noise)):
        assert ours.dtype == dtype
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(schedule.mean(x, t, noise).double(), expected, rtol=20 * eps, atol=20 * eps)


def test_sigma_does_not_widen_the_type_of_what_it_multiplies() -> None:
    assert (Schedule.linear(10).sigma(5) * latents(2, 3, dtype=torch.float16)).dtype == torch.float16


def test_timestep_of_a_tensor_is_a_tensor() -> None:
    timestep = Schedule.linear(4).timestep(torch.tensor([4, 1, 1]))
    assert timestep.dtype == torch.int64 and timestep.tolist() == [999, 249, 249]


@pytest.mark.parametrize("t", [0, -1, 11, torch.tensor([3, 0]), torch.tensor([11, 1]), torch.tensor([0.5])], ids=repr)
def test_a_step_that_is_none_is_refused(t: Any) -> None:
    schedule = Schedule.linear(10)
    for function in (schedule.sigma, schedule.timestep):
        with pytest.raises(ValueError, match="1…10"):
            function(t)


@pytest.mark.parametrize("T", [0, 1001])
def test_linear_needs_as_many_noise_levels_as_steps(T: int) -> None:
    with pytest.raises(ValueError, match=r"1…1000"):
        Schedule.linear(T)


@pytest.mark.parametrize(
    ("changes", "T", "reason"),
    [
        ({"set_alpha_to_one": False}, 10, "m_keep would not keep exactly"),
        ({"prediction_type": "v_prediction"}, 10, "only 'epsilon' is allowed"),
        ({"prediction_type": "sample"}, 10, "only 'epsilon' is allowed"),
        ({"timestep_spacing": "leading"}, 1000, "does not give 1000 timesteps within 0…999"),
        ({"rescale_betas_zero_snr": True}, 10, "stay above 0"),
    ],
)
def test_schedulers_that_eq_4_does_not_describe_are_refused(changes: dict[str, Any], T: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Schedule.from_diffusers(released(**changes), T)


def test_schedulers_between_training_timesteps_are_refused() -> None:
    with pytest.raises(ValueError, match="between training timesteps"):
        Schedule.from_diffusers(EulerDiscreteScheduler(timestep_spacing="linspace"), 30)


def test_schedulers_that_visit_a_timestep_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="does not give 10 timesteps .* but 19"):
        Schedule.from_diffusers(HeunDiscreteScheduler(timestep_spacing="leading"), 10)


def test_clipping_is_said_to_be_ignored() -> None:
    with pytest.warns(UserWarning, match="clip_sample"):
        Schedule.from_diffusers(released(clip_sample=True), 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Schedule.from_diffusers(released(), 10)


@pytest.mark.parametrize(
    ("alpha_bar", "reason"),
    [([0.99, 0.5], "must be 1"), ([1, 0.5, 0.5], "fall strictly"), ([1, 0.5, 0], "above 0"), ([1], "shape")],
)
def test_noise_levels_that_do_not_fall_from_one_are_refused(alpha_bar: list[float], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Schedule(torch.tensor(alpha_bar), torch.arange(len(alpha_bar)) - 1)
