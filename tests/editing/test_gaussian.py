"""With x_0 ~ N(μ, s²) in every pixel, and μ told by the prompt, the best denoiser and every result have a formula."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from radedit.editing import diffedit, lance, radedit, sdedit
from radedit.editing.inversion import invert_ddim
from radedit.editing.noise import record_randn
from radedit.schedule import Schedule
from radedit.types import EditMasks

HEALTHY, ILL = 0.0, 0.3  # what μ is without a prompt, and with one
W = 5.0
GUIDED = HEALTHY + W * (ILL - HEALTHY)  # as s does not depend on the prompt, guidance moves μ alone
RANDN = record_randn(0, ["record"])


@dataclass(frozen=True)
class Gaussian:
    """E[noise | x_t] for x_0 ~ N(μ, s²), exact for every t."""

    schedule: Schedule
    s: float

    def __call__(self, x_t: Tensor, t: int | Tensor, c: Tensor | None) -> Tensor:
        alpha_bar = self.schedule.alpha_bar[t]
        mu = HEALTHY if c is None else c.mean()
        return (1 - alpha_bar).sqrt() * (x_t - alpha_bar.sqrt() * mu) / self.variance(t)

    def variance(self, t: int | Tensor) -> Tensor:
        """Var[x_t]."""
        alpha_bar = self.schedule.alpha_bar[t]
        return alpha_bar * self.s**2 + 1 - alpha_bar


def image() -> Tensor:
    return torch.linspace(-1, 1, 24, dtype=torch.float64).view(1, 1, 4, 6)


def prompt() -> Tensor:
    return torch.full((1, 2, 3), ILL, dtype=torch.float64)


def everywhere() -> EditMasks:
    return EditMasks(torch.ones(1, 1, 4, 6), torch.zeros(1, 1, 4, 6))


def test_ddpm_samples_the_distribution_it_models() -> None:
    schedule, s = Schedule.linear(1000), 0.5
    f_theta = Gaussian(schedule, s)
    mean, variance = torch.zeros(2, dtype=torch.float64)
    probes = torch.tensor([0.0, 1.0], dtype=torch.float64).view(2, 1, 1, 1)
    for t in range(1000, 0, -1):  # each step is affine in x_t: two probes tell how it moves mean and variance
        at_0, at_1 = schedule.mean(probes, t, f_theta(probes, t, prompt())).flatten()
        if t == 1000:
            variance = torch.ones_like(variance)
        mean = at_0 + (at_1 - at_0) * mean
        variance = (at_1 - at_0) ** 2 * variance + schedule.sigma(t) ** 2
    assert float(mean) == pytest.approx(ILL, abs=0.01)
    assert float(variance.sqrt()) == pytest.approx(s, rel=0.02)


def test_ddim_inversion_leads_to_the_quantile_of_the_image() -> None:
    schedule, s = Schedule.linear(1000), 0.5
    f_theta = Gaussian(schedule, s)
    x_T = invert_ddim(f_theta, image(), None, schedule).x_hat[-1]
    expected = schedule.alpha_bar[-1].sqrt() * HEALTHY + f_theta.variance(1000).sqrt() * (image() - HEALTHY) / s
    torch.testing.assert_close(x_T, expected, rtol=0, atol=0.02)


def test_ddim_there_and_back_errs_less_with_more_steps() -> None:
    def error(T: int) -> float:
        schedule = Schedule.linear(T)
        replayed = lance.replay(Gaussian(schedule, 0.5), image(), None, everywhere(), schedule, RANDN, w=W)
        return float((replayed - image()).abs().max())

    errors = [error(T) for T in (25, 100, 400)]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    assert errors[2] < 0.02


def test_lance_moves_the_whole_image_by_the_guided_difference() -> None:
    schedule = Schedule.linear(1000)
    edited = lance.edit(
        Gaussian(schedule, 0.5), image(), None, prompt(), everywhere(), schedule, RANDN, w=W, start=None
    )
    torch.testing.assert_close(edited, image() + GUIDED - HEALTHY, rtol=0, atol=0.03)


def test_sdedit_draws_the_noised_image_towards_the_guided_mean() -> None:
    schedule, s, start = Schedule.linear(1000), 0.5, 300
    f_theta = Gaussian(schedule, s)
    edited = sdedit.edit(f_theta, image(), None, prompt(), everywhere(), schedule, RANDN, w=W, start=start)
    x_t = schedule.add_noise(image(), start, RANDN((1000, 1, 1, 4, 6))[start - 1].double())
    quantile = (x_t - schedule.alpha_bar[start].sqrt() * GUIDED) / f_theta.variance(start).sqrt()
    torch.testing.assert_close(edited, GUIDED + s * quantile, rtol=0, atol=0.02)


@pytest.mark.parametrize(("T", "start"), [(1, None), (5, None), (20, 7)])
def test_with_one_image_for_each_prompt_radedit_paints_it_where_it_may(T: int, start: int | None) -> None:
    schedule = Schedule.linear(T)
    m_edit, m_keep = torch.zeros(2, 1, 1, 4, 6)
    m_edit[..., :3], m_keep[..., 2:4] = 1, 1  # they overlap in column 2, and leave columns 4 and 5
    edited = radedit.edit(
        Gaussian(schedule, 0.0), image(), None, prompt(), EditMasks(m_edit, m_keep), schedule, RANDN, w=W, start=start
    )
    expected = image().clone()
    expected[..., :2], expected[..., 4:] = GUIDED, HEALTHY
    torch.testing.assert_close(edited, expected)


@pytest.mark.parametrize(("T", "start"), [(1, None), (5, None), (20, 7)])
def test_with_one_image_for_each_prompt_diffedit_pastes_it_inside_its_mask(T: int, start: int | None) -> None:
    schedule = Schedule.linear(T)
    m_edit, m_keep = torch.zeros(2, 1, 1, 4, 6)
    m_edit[..., :3] = 1
    edited = diffedit.edit(
        Gaussian(schedule, 0.0),
        image(),
        None,
        prompt(),
        EditMasks(m_edit, m_keep),
        schedule,
        RANDN,
        w=W,
        start=start,
    )
    expected = image().clone()
    expected[..., :3] = GUIDED
    torch.testing.assert_close(edited, expected)


def test_radedit_from_an_early_step_changes_less() -> None:
    schedule = Schedule.linear(100)
    changes = [
        radedit.edit(
            Gaussian(schedule, 0.5), image(), None, prompt(), everywhere(), schedule, RANDN, w=W, start=start
        ).sub(image())
        for start in (10, 40, 100)
    ]
    means = [float(change.mean()) for change in changes]
    assert 0 < means[0] < means[1] < means[2]


def test_replay_is_off_by_about_the_noise_of_the_first_step() -> None:
    schedule = Schedule.linear(25)
    replayed = radedit.replay(Gaussian(schedule, 10.0), image(), None, everywhere(), schedule, RANDN, w=W)
    expected = (1 - schedule.alpha_bar[1]).sqrt() * RANDN((25, 1, 1, 4, 6))[0].double()  # hardly denoised: s is large
    torch.testing.assert_close(replayed - image(), expected, rtol=0.05, atol=0.01)
