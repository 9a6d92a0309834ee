"""Algorithms 1 and 3 as the paper writes them: one image, step by step, one network call for each prediction."""

from __future__ import annotations

import torch
from torch import Tensor

from radedit.schedule import Schedule
from radedit.types import EditMasks, NoisePredictor, Randn


def algorithm_1(
    f_theta: NoisePredictor, x_0: Tensor, c_inv: Tensor | None, schedule: Schedule, randn: Randn
) -> tuple[list[Tensor], list[Tensor]]:
    """DDPM inversion as the paper writes it, but for z_1 and x̂_0: σ_1 is 0, see `radedit.editing.inversion.invert`."""
    noise = randn((schedule.T, *x_0.shape)).to(x_0)
    x_hat = [x_0] + [schedule.add_noise(x_0, t, noise[t - 1]) for t in range(1, schedule.T + 1)]
    z = [torch.zeros_like(x_0) for _ in x_hat]
    for t in range(schedule.T, 1, -1):
        mean = schedule.mean(x_hat[t], t, f_theta(x_hat[t], t, c_inv))
        z[t] = (x_hat[t - 1] - mean) / schedule.sigma(t)
        x_hat[t - 1] = mean + schedule.sigma(t) * z[t]
    return x_hat, z


def algorithm_3(
    f_theta: NoisePredictor, x_0: Tensor, c: Tensor, masks: EditMasks, schedule: Schedule, randn: Randn, w: float
) -> Tensor:
    """RadEdit as the paper writes it: Algorithm 1 for every edit, and two calls of the network for each step."""
    m_edit, m_keep = masks.edit.to(x_0), masks.keep.to(x_0)
    x_hat, z = algorithm_1(f_theta, x_0, None, schedule, randn)
    x_t = x_hat[schedule.T]
    for t in range(schedule.T, 0, -1):
        eps_cond, eps_uncond = f_theta(x_t, t, c), f_theta(x_t, t, None)
        eps_t = eps_uncond + w * (eps_cond - eps_uncond)
        eps_t = m_edit * eps_t + (1 - m_edit) * eps_uncond
        x_prev = schedule.mean(x_t, t, eps_t) + schedule.sigma(t) * z[t]
        x_t = m_keep * x_hat[t - 1] + (1 - m_keep) * x_prev
    return x_t
