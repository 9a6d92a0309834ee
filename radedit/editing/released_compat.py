"""RadEdit as its released code has it, with two mistakes: for comparison with results that were made with it."""

from __future__ import annotations

import torch
from torch import Tensor

from radedit.editing.arguments import check_masks, check_start
from radedit.editing.guidance import predict_pair
from radedit.editing.inversion import Trajectory, invert
from radedit.schedule import Schedule
from radedit.types import EditMasks, NoisePredictor, Randn

INVERSION = "ddpm"  # the kind of trajectory that `edit` can share
MASKS = ("edit",)  # those that `edit` reads
LATENT = "sample"  # x_0 is drawn from the autoencoder's posterior, where the other editors take its mode


@torch.no_grad()
def edit(
    f_theta: NoisePredictor, x_0: Tensor, c_inv: Tensor | None, c: Tensor | None, masks: EditMasks,
    schedule: Schedule, randn: Randn, *, w: float, start: int | None = None, trajectory: Trajectory | None = None,
) -> Tensor:  # fmt: skip
    """Edit towards prompt `c` as `microsoft/radedit` does at revision e8ebd31. Not Algorithm 3: use `radedit.edit`.

    Two mistakes, which were reported in that repository's discussion 12:

    - The original is pasted back one step late, with x̂_t where x̂_{t−1} has been reached. So the result is x̂_1
    outside
      m_edit, and not x_0: noisy, the more so the fewer steps there are.
    - m_keep is ignored: the original is pasted back everywhere outside m_edit. There is no region that is free.

    Args:
        f_theta: Noise predictor.
        x_0: Latents of the original image, shape (B, C, h, w).
        c_inv: Embedding of the inversion prompt, shape (B, L, D); None is ∅. Not used where there is a trajectory.
        c: Embedding of the editing prompt, shape (B, L, D); None is ∅.
        masks: The region to change, of shape (B, 1, h, w), 0 or 1. m_keep has no part.
        schedule: Noise levels for T inference steps.
        randn: Source of standard normal draws, given a shape.
        w: Guidance weight, dimensionless; the model card uses 7.5.
        start: Step from which the reverse process begins, 1…T; T where None. The model card skips 0.3 of T.
        trajectory: A DDPM inversion of `x_0` made earlier; made here where None.

    Returns:
        Latents of the edited image, shape (B, C, h, w).

    Raises:
        ValueError: If a mask does not match `x_0`, if `start` is not a step, or if the trajectory is another one's.

    Note:
        Called without any keep mask, the release pastes nothing back. That is `radedit.edit` with an empty m_keep.
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
        x_t = m_edit * x_prev + (1 - m_edit) * x_hat[t]
    return x_t


def replay(
    f_theta: NoisePredictor, x_0: Tensor, c_inv: Tensor | None, masks: EditMasks,
    schedule: Schedule, randn: Randn, *, w: float, start: int | None = None, trajectory: Trajectory | None = None,
) -> Tensor:  # fmt: skip
    """What the path of `edit` does by itself: the same with c = c_inv = ∅.

    Arguments are those of `edit`; `w` has no part, as ∅ is not guided. A trajectory must have been inverted with ∅.
    What is pasted back late surrounds m_edit with another noise level than the inversion had there, so the path does
    not retrace it, and all steps have to be computed.

    Returns:
        Latents, shape (B, C, h, w): x̂_1 outside m_edit.
    """
    return edit(f_theta, x_0, None, None, masks, schedule, randn, w=w, start=start, trajectory=trajectory)
