"""SDEdit (Meng et al., 2022), the simplest baseline: add noise, then denoise under the prompt, without masks."""

from __future__ import annotations

import torch
from torch import Tensor

from radedit.editing.arguments import check_start
from radedit.editing.guidance import predict_pair
from radedit.editing.inversion import Trajectory, diffuse
from radedit.schedule import Schedule
from radedit.types import EditMasks, NoisePredictor, Randn

INVERSION = None  # `edit` shares no trajectory
MASKS = ()  # those that `edit` reads


@torch.no_grad()
def edit(
    f_theta: NoisePredictor, x_0: Tensor, c_inv: Tensor | None, c: Tensor | None, masks: EditMasks,
    schedule: Schedule, randn: Randn, *, w: float, start: int | None = None, trajectory: Trajectory | None = None,
) -> Tensor:  # fmt: skip
    """Noise the whole image to step `start`, and denoise it towards prompt `c`.

    Args:
        f_theta: Noise predictor.
        x_0: Latents of the original image, shape (B, C, h, w).
        c_inv: Not used: nothing is inverted.
        c: Embedding of the editing prompt, shape (B, L, D); None is ∅.
        masks: Not used: nothing limits the edited area.
        schedule: Noise levels for T inference steps.
        randn: Source of standard normal draws, given a shape.
        w: Guidance weight, dimensionless.
        start: Step to which noise is added, 1…T; the further, the less of the original remains. Half of T where None
            (our choice: at T itself hardly anything remains, and below, prompts act less and less).
        trajectory: A DDPM inversion of `x_0` made earlier, of which x̂_start is taken.

    Returns:
        Latents of the edited image, shape (B, C, h, w).

    Raises:
        ValueError: If `start` is not a step, or if the trajectory is another one's.

    Note:
        Denoises with DDIM, as an image-to-image pipeline does with the released scheduler; the authors of SDEdit draw
        fresh noise at each step. So the only draw is that of x̂_start, the same as in the editors on DDPM inversion.
    """
    start = max(1, schedule.T // 2) if start is None else check_start(start, schedule)
    x_hat = diffuse(x_0, schedule, randn) if trajectory is None else trajectory.take("ddpm", x_0, schedule, 1)[0]
    x_t = x_hat[start]
    for t in range(start, 0, -1):
        eps_cond, eps_uncond = predict_pair(f_theta, x_t, t, c)
        eps_t = eps_uncond + w * (eps_cond - eps_uncond)
        x_t = schedule.denoise_ddim(x_t, t, eps_t)
    return x_t


def replay(
    f_theta: NoisePredictor, x_0: Tensor, c_inv: Tensor | None, masks: EditMasks,
    schedule: Schedule, randn: Randn, *, w: float, start: int | None = None, trajectory: Trajectory | None = None,
) -> Tensor:  # fmt: skip
    """What the path of `edit` does by itself: the same noise, denoised with c = ∅.

    Arguments are those of `edit`; `w` has no part, as ∅ is not guided.

    Returns:
        Latents, shape (B, C, h, w): another image that the noised one could have come from.
    """
    return edit(f_theta, x_0, c_inv, None, masks, schedule, randn, w=w, start=start, trajectory=trajectory)
