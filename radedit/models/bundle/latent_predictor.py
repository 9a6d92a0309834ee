"""f_θ: a bundle's U-Net, as editors call it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from radedit.schedule import Schedule

if TYPE_CHECKING:
    from radedit.models.bundle.bundle import Bundle


class LatentPredictor:
    """f_θ(x_t, t, c): the bundle's U-Net, called with inference steps; `c=None` is the encoded empty string."""

    def __init__(self, bundle: Bundle, schedule: Schedule) -> None:
        assert bundle.unet is not None
        self.unet, self.schedule = bundle.unet, schedule
        self.autocast, self.compiled = bundle.autocast, bundle.compiled
        self.empty = bundle.embed_prompts([""])

    @torch.no_grad()
    def __call__(self, x_t: Tensor, t: int | Tensor, c: Tensor | None) -> Tensor:
        c = (self.empty if c is None else c).expand(len(x_t), -1, -1).to(self.unet.dtype)
        timestep = self.schedule.timestep(t)
        if isinstance(timestep, int):
            timestep = torch.full((len(x_t),), timestep, device=x_t.device)  # filled there, so that no one waits
        inputs: tuple[Tensor, ...] = (x_t.to(self.unet.dtype), timestep, c)
        if self.compiled:
            inputs = _any_number_of_rows(*inputs)
        with torch.autocast(x_t.device.type, self.autocast, enabled=self.autocast is not None):
            eps_t: Tensor = self.unet(*inputs).sample
        # A compiled network's prediction is overwritten by its next one.
        return eps_t[: len(x_t)].to(x_t.dtype, copy=self.compiled)

    def pair(self, x_t: Tensor, t: int | Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """ε_cond and ε_uncond in one call of the network."""
        empty = self.empty.expand(len(x_t), -1, -1)
        both = torch.cat([c.expand(len(x_t), -1, -1), empty])
        t = torch.cat([t, t]) if isinstance(t, Tensor) and t.ndim else t
        eps_cond, eps_uncond = self(torch.cat([x_t, x_t]), t, both).chunk(2)
        return eps_cond, eps_uncond


def compile_network(unet: Any) -> None:
    """Have torch compile a U-Net's forward pass, in place: once, at the first call, which takes a minute.

    On a GPU its kernels are recorded as a CUDA graph for each number of rows that it is called with, so that starting
    them costs nothing. Its predictions differ by rounding. Names and values of its weights stay as they are.
    """
    on_gpu = next(unet.parameters()).is_cuda
    unet.forward = torch.compile(unet.forward, mode="reduce-overhead" if on_gpu else "default")


def _any_number_of_rows(*inputs: Tensor) -> tuple[Tensor, ...]:
    """Inputs for which a network need not be compiled again when their number changes.

    One row becomes two: torch would compile for a single one anew.
    """
    inputs = tuple((torch.cat([x, x]) if len(x) == 1 else x).contiguous() for x in inputs)
    for x in inputs:
        torch._dynamo.mark_dynamic(x, 0)
    return inputs
