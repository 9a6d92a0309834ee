"""From an image to the noise that leads back to it: DDPM inversion (Algorithm 1) and DDIM inversion (Section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from radedit.editing.arguments import check_start
from radedit.schedule import Schedule
from radedit.types import NoisePredictor, Randn


@dataclass(frozen=True, eq=False)
class Trajectory:
    """An image at every noise level, and the noise that connects them; indexed by the paper's t.

    Attributes:
        x_hat: x̂_0…x̂_T, shape (T+1, B, C, h, w); x_hat[0] is x_0 itself.
        z: z_1…z_T, shape (T+1, B, C, h, w), z[0] unused; all 0 for "ddim".
        kind: Which inversion made it, "ddpm" or "ddim".
        start: Last step that was inverted; T where None. Above it, `z` is not known.
    """

    x_hat: Tensor
    z: Tensor
    kind: Literal["ddpm", "ddim"]
    start: int | None = None

    def take(self, kind: str, x_0: Tensor, schedule: Schedule, start: int) -> tuple[Tensor, Tensor]:
        """x̂ and z, after checking that this is the trajectory that an editor needs.

        Args:
            kind: The inversion that the editor is built on.
            x_0: Latents of the image to edit, shape (B, C, h, w).
            schedule: Noise levels of the edit.
            start: Step from which it begins.

        Raises:
            ValueError: If the trajectory is of another kind, length or image, or ends before `start`.
        """
        if self.kind != kind:
            function = {"ddpm": "invert", "ddim": "invert_ddim"}[kind]
            raise ValueError(
                f"The trajectory is of kind {self.kind!r}, but this editor needs {kind!r}; "
                f"make it with radedit.editing.inversion.{function}."
            )
        if self.x_hat.shape != (schedule.T + 1, *x_0.shape):
            raise ValueError(
                f"The trajectory has shape {tuple(self.x_hat.shape)}, but T = {schedule.T} and latents of shape "
                f"{tuple(x_0.shape)} need {(schedule.T + 1, *x_0.shape)}. Use the same schedule and batch for both."
            )
        if self.x_hat.dtype != x_0.dtype or not torch.equal(self.x_hat[0], x_0):
            raise ValueError("The trajectory's x_hat[0] is not x_0: it belongs to other images, or to another order.")
        if self.start is not None and self.start < start:
            raise ValueError(f"The trajectory was inverted up to step {self.start}, but the edit begins at {start}.")
        return self.x_hat, self.z

    def first(self, n: int) -> Trajectory:
        """Of the first n images alone."""
        return replace(self, x_hat=self.x_hat[:, :n], z=self.z[:, :n])

    def repeat(self, n: int) -> Trajectory:
        """Of n copies of the batch, one behind the other."""
        return replace(self, x_hat=self.x_hat.repeat(1, n, 1, 1, 1), z=self.z.repeat(1, n, 1, 1, 1)) if n > 1 else self


@torch.no_grad()
def invert(
    f_theta: NoisePredictor, x_0: Tensor, c_inv: Tensor | None, schedule: Schedule, randn: Randn, *,
    steps_per_call: int | None = None, start: int | None = None,
) -> Trajectory:  # fmt: skip
    """Noise from which the generative process retraces the image (Algorithm 1).

    Args:
        f_theta: Noise predictor.
        x_0: Latents of the original image, shape (B, C, h, w).
        c_inv: Embedding of the inversion prompt, shape (B, L, D); None is ∅.
        schedule: Noise levels for T inference steps.
        randn: Source of standard normal draws, asked once, for shape (T, B, C, h, w).
        steps_per_call: Steps that share a network call, which then has steps_per_call · B rows with a long tensor
            as `t`: the x̂_t do not depend on one another. One where None, with an int as `t`.
        start: Step up to which z is isolated, 1…T; T where None. Edits that begin below T need no more.

    Returns:
        The trajectory, of kind "ddpm".

    Note:
        σ_1 is 0, so that z_1 of Algorithm 1 cannot be recovered, and its last line would replace x_0 by a denoised
        mean. Here z_1 = 0, without a network call, and x̂_0 stays x_0. For other t that line only rounds.
    """
    start = check_start(start, schedule)
    steps_per_call = 1 if steps_per_call is None else steps_per_call
    if steps_per_call < 1:
        raise ValueError(f"steps_per_call is {steps_per_call}, but must be 1 or more.")

    x_hat = diffuse(x_0, schedule, randn)
    z = torch.zeros_like(x_hat)
    for first in range(2, start + 1, steps_per_call):
        stop = min(first + steps_per_call, start + 1)
        steps = torch.arange(first, stop)
        x_t = x_hat[first:stop].flatten(0, 1)
        t = first if len(steps) == 1 else steps.repeat_interleave(len(x_0)).to(x_0.device)
        eps_t = f_theta(x_t, t, None if c_inv is None else c_inv.repeat(len(steps), 1, 1))
        mean = schedule.mean(x_t, t, eps_t).unflatten(0, (len(steps), len(x_0)))
        z[first:stop] = (x_hat[first - 1 : stop - 1] - mean) / schedule.sigma(steps).to(x_hat).view(-1, 1, 1, 1, 1)
    return Trajectory(x_hat, z, "ddpm", start)


def diffuse(x_0: Tensor, schedule: Schedule, randn: Randn) -> Tensor:
    """The image at every noise level, with statistically independent noise (first loop of Algorithm 1).

    Args:
        x_0: Latents of the original image, shape (B, C, h, w).
        schedule: Noise levels for T inference steps.
        randn: Source of standard normal draws, asked once, for shape (T, B, C, h, w).

    Returns:
        x̂_0…x̂_T, shape (T+1, B, C, h, w).
    """
    shape = (schedule.T, *x_0.shape)
    noise = randn(shape).to(x_0)
    if noise.shape != shape:
        raise ValueError(f"randn was asked for shape {shape}, but returned {tuple(noise.shape)}.")
    return torch.stack([x_0, *(schedule.add_noise(x_0, t, noise[t - 1]) for t in range(1, schedule.T + 1))])


@torch.no_grad()
def replay_ddpm(
    f_theta: NoisePredictor, x_0: Tensor, schedule: Schedule, randn: Randn, trajectory: Trajectory | None = None
) -> Tensor:
    """Where Algorithm 1, replayed with ∅, ends where nothing is kept: μ̂_1(x̂_1, ε_∅).

    With c = c_inv = ∅, step t leads from x̂_t to x̂_{t−1} by the definition of z_t, whatever w, m_edit and the starting
    step. Only z_1 is not that noise, as σ_1 is 0. So the last step is all that has to be computed, and x̂_1 needs
    no inversion.

    Args:
        f_theta: Noise predictor, called once.
        x_0: Latents of the original image, shape (B, C, h, w).
        schedule: Noise levels for T inference steps.
        randn: Source of standard normal draws, as for `invert`; not asked where there is a trajectory.
        trajectory: A DDPM inversion of `x_0`, under any prompt.

    Returns:
        Latents, shape (B, C, h, w), off `x_0` by about √(1 − ᾱ_1).
    """
    x_hat = diffuse(x_0, schedule, randn) if trajectory is None else trajectory.take("ddpm", x_0, schedule, 1)[0]
    return schedule.mean(x_hat[1], 1, f_theta(x_hat[1], 1, None))


@torch.no_grad()
def invert_ddim(
    f_theta: NoisePredictor, x_0: Tensor, c_inv: Tensor | None, schedule: Schedule, *, start: int | None = None
) -> Trajectory:
    """The deterministic generative process, run in reverse (DDIM inversion, Section 3.3).

    Args:
        f_theta: Noise predictor.
        x_0: Latents of the original image, shape (B, C, h, w).
        c_inv: Embedding of the inversion prompt, shape (B, L, D); None is ∅.
        schedule: Noise levels for T inference steps.
        start: Last step to invert, 1…T; T where None.

    Returns:
        The trajectory, of kind "ddim". Above `start`, x_hat is NaN.

    Note:
        Going back exactly would need the noise in x_t, which is not known yet. As in null-text inversion, which LANCE
        builds on, it is predicted from x_{t−1} with the timestep of step t. The error vanishes as T grows.
    """
    start = check_start(start, schedule)
    x_hat = x_0.new_full((schedule.T + 1, *x_0.shape), torch.nan)
    x_hat[0] = x_0
    for t in range(1, start + 1):
        eps_t = f_theta(x_hat[t - 1], t, c_inv)
        x_hat[t] = schedule.renoise_ddim(x_hat[t - 1], t, eps_t)
    return Trajectory(x_hat, x_0.new_zeros(()).expand_as(x_hat), "ddim", start)
