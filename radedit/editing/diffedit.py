"""DiffEdit (Algorithm 2): guidance everywhere, then the original outside m_edit."""

from __future__ import annotations

import torch
from torch import Tensor

from radedit.editing.arguments import check_masks, check_start
from radedit.editing.guidance import predict_pair
from radedit.editing.inversion import Trajectory, invert, replay_ddpm
from radedit.schedule import Schedule
from radedit.types import EditMasks, NoisePredictor, Randn

INVERSION = "ddpm"  # the kind of trajectory that `edit` can share
MASKS = ("edit",)  # those that `edit` reads


@torch.no_grad()
def edit(
    f_theta: NoisePredictor, x_0: Tensor, c_inv: Tensor | None, c: Tensor | None, masks: EditMasks,
    schedule: Schedule, randn: Randn, *, w: float, start: int | None = None, trajectory: Trajectory | None = None,
) -> Tensor:  # fmt: skip
    """Edit towards prompt `c` inside m_edit, and paste the original outside (Algorithm 2).

    Args:
        f_theta: Noise predictor.
        x_0: Latents of the original image, shape (B, C, h, w).
        c_inv: Embedding of the inversion prompt, shape (B, L, D); None is ∅. Not used where there is a trajectory.
        c: Embedding of the editing prompt, shape (B, L, D); None is ∅.
        masks: The region to change, of shape (B, 1, h, w), 0 or 1. m_keep has no part in this editor.
        schedule: Noise levels for T inference steps.
        randn: Source of standard normal draws, given a shape.
        w: Guidance weight, dimensionless; the paper uses 15.
        start: Step from which the reverse process begins, 1…T; T where None.
        trajectory: A DDPM inversion of `x_0` made earlier; made here where None.

    Returns:
        Latents of the edited image, shape (B, C, h, w).

    Raises:
        ValueError: If a mask does not match `x_0`, if `start` is not a step, or if the trajectory is another one's.

    Note:
        With the ground-truth mask and DDPM inversion, as the paper compares it; the authors of DiffEdit predict
        the mask, and invert with DDIM.
    """
    m_edit, _ = check_masks(masks, x_0)
    start = check_start(start, schedule)
    if trajectory is None:
        trajectory = invert(f_theta, x_0, c_inv, schedule, randn, start=start)  # Algorithm 1
    x_hat, z = trajectory.take("ddpm", x_0, schedule, start)
    x_t = x_hat[start]
    for t in range(start, 0, -1):
        eps_cond, eps_uncond = predict_pair(f_theta, x_t, t, c)
        eps_t = eps_uncond + w * (eps_cond - eps_uncond)
        x_prev = schedule.mean(x_t, t, eps_t) + schedule.sigma(t) * z[t]
        x_t = m_edit * x_prev + (1 - m_edit) * x_hat[t - 1]
    return x_t


def replay(
    f_theta: NoisePredictor, x_0: Tensor, c_inv: Tensor | None, masks: EditMasks,
    schedule: Schedule, randn: Randn, *, w: float, start: int | None = None, trajectory: Trajectory | None = None,
) -> Tensor:  # fmt: skip
    """What the path of `edit` does by itself: the same with c = c_inv = ∅, in a single network call.

    Arguments are those of `edit`. `c_inv`, `w` and `start` do not change the result, see `replay_ddpm`; they are there
    so that whatever binds the arguments of an edit binds those of its replay.

    Returns:
        μ̂_1(x̂_1, ε_∅) inside m_edit and x_0 elsewhere, shape (B, C, h, w).
    """
    m_edit, _ = check_masks(masks, x_0)
    check_start(start, schedule)
    return m_edit * replay_ddpm(f_theta, x_0, schedule, randn, trajectory) + (1 - m_edit) * x_0
