"""Noise levels of the inference steps: Equations 1, 2 and 4."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self, overload

import numpy as np
import torch
from torch import Tensor


class DiffusersScheduler(Protocol):
    """What is read of a diffusers scheduler; the package itself is not needed here."""

    alphas_cumprod: Tensor
    timesteps: Tensor

    @property
    def config(self) -> Mapping[str, Any]: ...

    def set_timesteps(self, num_inference_steps: int) -> None: ...


def check_spacing(spacing: float) -> None:
    """Raise a `ValueError` for a `spacing` that `Schedule.from_diffusers` does not take."""
    if isinstance(spacing, bool) or not isinstance(spacing, int | float) or not 1 <= spacing <= 3:
        raise ValueError(f"spacing is {spacing!r}; expected a number, 1…3.")


def _check_steps(T: int, train_steps: int) -> None:
    if not 1 <= T <= train_steps:
        raise ValueError(f"T is {T}, but the network knows {train_steps} noise levels: use 1…{train_steps}.")


@dataclass(frozen=True, eq=False)
class Schedule:
    """Noise levels for T inference steps; t = 1…T throughout, and t = 0 is the clean image.

    Attributes:
        alpha_bar: ᾱ_0…ᾱ_T, shape (T+1,), float64 on the CPU, falling from exactly 1, all above 0.
        timesteps: Training timestep of each step, shape (T+1,), int64; entry 0 is −1, as the clean image has none.

    Note:
        The step before t is the step before it *in the list*. diffusers' DDIM goes down by 1000 // T training timesteps
        instead. Both agree for leading spacing, and for trailing spacing where T divides 1000; elsewhere (T = 75, say)
        theirs ends at another noise level than the one that the network gets next.
    """

    alpha_bar: Tensor
    timesteps: Tensor

    def __post_init__(self) -> None:
        alpha_bar = torch.as_tensor(self.alpha_bar, dtype=torch.float64, device="cpu")
        timesteps = torch.as_tensor(self.timesteps, dtype=torch.int64, device="cpu")
        if alpha_bar.ndim != 1 or alpha_bar.shape != timesteps.shape or len(alpha_bar) < 2:
            raise ValueError(
                f"alpha_bar and timesteps must both have shape (T+1,) with T ≥ 1; "
                f"they have {tuple(alpha_bar.shape)} and {tuple(timesteps.shape)}."
            )
        if alpha_bar[0] != 1:
            raise ValueError(
                f"alpha_bar[0] is {alpha_bar[0]:.6g}, but must be 1: else the last step does not end in a clean image, "
                "and m_keep cannot keep exactly."
            )
        if not (alpha_bar.diff() < 0).all() or alpha_bar[-1] <= 0:
            raise ValueError(
                "alpha_bar must fall strictly and stay above 0. Where it reaches 0 (zero terminal SNR), "
                "predicted noise says nothing of x_0, and Eq. 4 divides by 0."
            )
        object.__setattr__(self, "alpha_bar", alpha_bar)
        object.__setattr__(self, "timesteps", timesteps)

    @classmethod
    def linear(cls, T: int, *, train_steps: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02) -> Self:
        """Linear β (Appendix A) with trailing spacing, as in the released weights.

        Args:
            T: Inference steps, 1…train_steps. T = train_steps gives the training schedule itself.
            train_steps: Steps that the network was trained with.
            beta_start: β of the first training step.
            beta_end: β of the last one.
        """
        _check_steps(T, train_steps)
        beta = torch.linspace(beta_start, beta_end, train_steps, dtype=torch.float64)
        # np.arange, rounding half to even, as diffusers does: so that both visit the same timesteps for every T.
        # A spacing that floats do not hold exactly may add an entry beyond T.
        timesteps = np.round(np.arange(train_steps, 0, -train_steps / T))[:T].astype(np.int64) - 1
        return cls._pick((1 - beta).cumprod(0), torch.from_numpy(timesteps).flip(0))

    @classmethod
    def from_diffusers(cls, scheduler: DiffusersScheduler, T: int, spacing: float = 1) -> Self:
        """T steps of a diffusers scheduler; the scheduler itself is left as it is.

        Args:
            scheduler: Whose noise levels they are.
            T: Inference steps.
            spacing: 1 takes the scheduler's own steps. A larger number, up to 3, has step t at the share
                (t / T)^spacing of the training timesteps: few steps leave less unsaid then, as they are close where
                noise is weak and the image takes its texture. 2 is the quadratic spacing of DDIM (Song et al., 2021,
                Appendix D.2).

        Raises:
            ValueError: If the network predicts something else than noise, if ᾱ_0 is not 1, if the scheduler's
                steps are not T training timesteps of falling noise, or if `spacing` is out of its range.
        """
        check_spacing(spacing)
        config = scheduler.config
        prediction_type = config.get("prediction_type", "epsilon")
        if prediction_type != "epsilon":
            raise ValueError(
                f"The scheduler has prediction_type={prediction_type!r}, but Eq. 4 needs a network that predicts "
                "the noise: only 'epsilon' is allowed."
            )
        if not config.get("set_alpha_to_one", True):
            raise ValueError(
                "The scheduler has set_alpha_to_one=False, so that ᾱ_0 < 1 and the last step does not end in a "
                "clean image; m_keep would not keep exactly. Load it with set_alpha_to_one=True, as released."
            )
        for name in ("clip_sample", "thresholding"):
            if config.get(name, False):
                warnings.warn(f"The scheduler's {name}=True is ignored: Eq. 4 does not clip latents.", stacklevel=2)

        train_steps = len(scheduler.alphas_cumprod)
        if spacing != 1:
            _check_steps(T, train_steps)
            share = (torch.arange(1, T + 1, dtype=torch.float64) / T) ** spacing
            # the first steps may lie closer together than timesteps do
            counted = torch.maximum((train_steps * share).round().long(), torch.arange(1, T + 1))
            return cls._pick(scheduler.alphas_cumprod, counted - 1)
        scheduler = copy.copy(scheduler)  # set_timesteps would change the caller's
        scheduler.set_timesteps(T)
        timesteps = torch.as_tensor(scheduler.timesteps, device="cpu").flip(0)
        if timesteps.is_floating_point() and not torch.equal(timesteps, timesteps.round()):
            raise ValueError(
                f"{type(scheduler).__name__} steps between training timesteps ({timesteps[0]:.3f}, …), "
                "where it has no ᾱ to read. Use a DDIM or DDPM scheduler."
            )
        # For some T, 61 among them, diffusers' trailing spacing lists the clean image, −1, as a step of its own.
        timesteps = timesteps[timesteps >= 0].long()
        if len(timesteps) != T or timesteps[-1] >= train_steps:
            raise ValueError(
                f"{type(scheduler).__name__} does not give {T} timesteps within 0…{train_steps - 1}, "
                f"but {len(timesteps)} within {timesteps.min()}…{timesteps.max()}. Use another T or spacing."
            )
        return cls._pick(scheduler.alphas_cumprod, timesteps)

    @classmethod
    def _pick(cls, alpha_bar: Tensor, timesteps: Tensor) -> Self:
        """Those of the training schedule's levels that `timesteps` lists, rising, after the clean image."""
        alpha_bar = alpha_bar.to("cpu", torch.float64)[timesteps]
        return cls(torch.cat([alpha_bar.new_ones(1), alpha_bar]), torch.cat([timesteps.new_tensor([-1]), timesteps]))

    @property
    def T(self) -> int:
        """Number of inference steps."""
        return len(self.alpha_bar) - 1

    @overload
    def timestep(self, t: int) -> int: ...
    @overload
    def timestep(self, t: Tensor) -> Tensor: ...
    def timestep(self, t: int | Tensor) -> int | Tensor:
        """Training timestep of step `t`, which the network is to be called with; same type, shape and device as `t`."""
        timestep = self.timesteps[self._checked(t)]
        return timestep.to(t.device) if isinstance(t, Tensor) else int(timestep)

    def sigma(self, t: int | Tensor) -> Tensor:
        """σ_t of DDPM (below Eq. 4), float64 on the CPU, shape () for an int and (B,) for a tensor; σ_1 = 0."""
        alpha_bar_t, alpha_bar_prev = self._alpha_bars(t)
        return ((1 - alpha_bar_prev) / (1 - alpha_bar_t) * (1 - alpha_bar_t / alpha_bar_prev)).sqrt()

    def mean(self, x_t: Tensor, t: int | Tensor, eps_t: Tensor) -> Tensor:
        """μ̂_t(x_t, ε_t) with DDPM's σ_t (Eq. 4): the mean of x_{t−1}.

        Args:
            x_t: Latents at step `t`, shape (B, C, h, w).
            t: Step, 1…T, one for all rows or a long tensor of shape (B,).
            eps_t: Noise predicted in `x_t`, shape (B, C, h, w).

        Returns:
            Shape (B, C, h, w).
        """
        return self._mean(x_t, t, eps_t, self.sigma(t))

    def denoise_ddim(self, x_t: Tensor, t: int | Tensor, eps_t: Tensor) -> Tensor:
        """x_{t−1} from x_t, deterministically: Eq. 4 with σ_t = 0 (DDIM). Arguments as for `mean`."""
        return self._mean(x_t, t, eps_t, torch.zeros((), dtype=torch.float64))

    def renoise_ddim(self, x_prev: Tensor, t: int | Tensor, eps_t: Tensor) -> Tensor:
        """x_t from x_{t−1}: undoes `denoise_ddim` for the same `eps_t`. Arguments as for `mean`."""
        alpha_bar_t, alpha_bar_prev = self._alpha_bars(t)
        x_0 = (x_prev - _like((1 - alpha_bar_prev).sqrt(), x_prev) * eps_t) / _like(alpha_bar_prev.sqrt(), x_prev)
        return _like(alpha_bar_t.sqrt(), x_prev) * x_0 + _like((1 - alpha_bar_t).sqrt(), x_prev) * eps_t

    def add_noise(self, x_0: Tensor, t: int | Tensor, noise: Tensor) -> Tensor:
        """x_t from the clean x_0 (Eq. 2).

        Args:
            x_0: Latents of the image, shape (B, C, h, w).
            t: Step, 1…T, one for all rows or a long tensor of shape (B,).
            noise: Standard normal, shape (B, C, h, w).

        Returns:
            Shape (B, C, h, w).
        """
        alpha_bar_t, _ = self._alpha_bars(t)
        return _like(alpha_bar_t.sqrt(), x_0) * x_0 + _like((1 - alpha_bar_t).sqrt(), x_0) * noise

    def _mean(self, x_t: Tensor, t: int | Tensor, eps_t: Tensor, sigma_t: Tensor) -> Tensor:
        alpha_bar_t, alpha_bar_prev = self._alpha_bars(t)
        x_0 = (x_t - _like((1 - alpha_bar_t).sqrt(), x_t) * eps_t) / _like(alpha_bar_t.sqrt(), x_t)
        direction = (1 - alpha_bar_prev - sigma_t**2).clamp(min=0).sqrt()  # never negative but for rounding
        return _like(alpha_bar_prev.sqrt(), x_t) * x_0 + _like(direction, x_t) * eps_t

    def _alpha_bars(self, t: int | Tensor) -> tuple[Tensor, Tensor]:
        index = self._checked(t)
        return self.alpha_bar[index], self.alpha_bar[index - 1]

    def _checked(self, t: int | Tensor) -> Tensor:
        index = torch.as_tensor(t, device="cpu")
        if index.is_floating_point() or index.min() < 1 or index.max() > self.T:
            raise ValueError(
                f"t is {t}, but must count inference steps, 1…{self.T}: 0 is the clean image, "
                "and training timesteps are known to `Schedule.timestep` only."
            )
        return index.long()


def _like(coefficient: Tensor, x: Tensor) -> float | Tensor:
    """A coefficient that multiplies `x` without changing its type: a number, or one for each row."""
    if coefficient.ndim == 0:
        return coefficient.item()
    return coefficient.to(x.device, x.dtype).view(-1, *[1] * (x.ndim - 1))
