"""LANCE, as the paper compares it (Section 4.1): DDIM inversion and one global prompt, without masks."""

from __future__ import annotations

import torch
from torch import Tensor

from radedit.editing.arguments import check_start
from radedit.editing.guidance import predict_pair
from radedit.editing.inversion import Trajectory, invert_ddim
from radedit.schedule import Schedule
from radedit.types import EditMasks, NoisePredictor, Randn

INVERSION = "ddim"  # the kind of trajectory that `edit` can share
MASKS = ()  # those that `edit` reads


@torch.no_grad()
def edit(
    f_theta: NoisePredictor, x_0: Tensor, c_inv: Tensor | None, c: Tensor | None, masks: EditMasks,
    schedule: Schedule, randn: Randn, *, w: float, start: int | None = None, trajectory: Trajectory | None = None,
) -> Tensor:  # fmt: skip
    """Edit the whole image towards prompt `c`, deterministically.

    Args:
        f_theta: Noise predictor.
        x_0: Latents of the original image, shape (B, C, h, w).
        c_inv: Embedding of the inversion prompt, shape (B, L, D); None is ∅. Not used where there is a trajectory.
        c: Embedding of the editing prompt, shape (B, L, D); None is ∅.
        masks: Not used: nothing limits the edited area.
        schedule: Noise levels for T inference steps.
        randn: Not used: DDIM draws no noise.
        w: Guidance weight, dimensionless. The paper gives none for LANCE; 15, as for the others, is our choice, and
            a weaker one keeps more of the image.
        start: Step from which the reverse process begins, 1…T; T where None.
        trajectory: A DDIM inversion of `x_0` made earlier; made here where None.

    Returns:
        Latents of the edited image, shape (B, C, h, w).

    Raises:
        ValueError: If `start` is not a step, or if the trajectory is another one's.

    Note:
        The perturbation of captions by a language model, which is the other half of LANCE, is left out: the prompt is
        written by hand, as in the paper.
    """
    start = check_start(start, schedule)
    if trajectory is None:
        trajectory = invert_ddim(f_theta, x_0, c_inv, schedule, start=start)
    x_hat, _ = trajectory.take("ddim", x_0, schedule, start)
    x_t = x_hat[start]
    for t in range(start, 0, -1):
        eps_cond, eps_uncond = predict_pair(f_theta, x_t, t, c)
        eps_t = eps_uncond + w * (eps_cond - eps_uncond)
        x_t = schedule.denoise_ddim(x_t, t, eps_t)
    return x_t


@torch.no_grad()
def replay(
    f_theta: NoisePredictor, x_0: Tensor, c_inv: Tensor | None, masks: EditMasks,
    schedule: Schedule, randn: Randn, *, w: float, start: int | None = None, trajectory: Trajectory | None = None,
) -> Tensor:  # fmt: skip
    """What the path of `edit` does by itself: DDIM there and back under one prompt, without guidance.

    Arguments are those of `edit`; `w` has no part. That prompt is `c_inv`, ∅ in all presets: under another one, going
    back with ∅ would be an edit, not a replay.

    Returns:
        Latents, shape (B, C, h, w), equal to `x_0` but for the error of DDIM inversion.
    """
    start = check_start(start, schedule)
    if trajectory is None:
        trajectory = invert_ddim(f_theta, x_0, c_inv, schedule, start=start)
    x_hat, _ = trajectory.take("ddim", x_0, schedule, start)
    x_t = x_hat[start]
    for t in range(start, 0, -1):
        x_t = schedule.denoise_ddim(x_t, t, f_theta(x_t, t, c_inv))
    return x_t
