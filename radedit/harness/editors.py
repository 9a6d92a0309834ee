"""An editor with everything that belongs to it: its replay and the inversion that its edits can share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from radedit.editing.inversion import Trajectory, invert, invert_ddim
from radedit.schedule import Schedule
from radedit.types import EditMasks, NoisePredictor, Randn

STEPS_PER_CALL = 4  # inversion steps in one network call: enough to fill it, little enough for memory


@dataclass(frozen=True)
class Editor:
    """One of `radedit.editing`'s modules with its hyperparameters bound.

    Attributes:
        edit: Its `edit`, as the config binds it.
        replay: Its `replay`, bound likewise.
        inversion: Kind of trajectory that it shares, "ddpm" or "ddim"; None if it makes none.
        name: Of its module.
        samples: Whether its x_0 is a draw from the autoencoder's posterior, and not the mode.
    """

    edit: Callable[..., Tensor]
    replay: Callable[..., Tensor]
    inversion: str | None
    name: str
    samples: bool = False

    @classmethod
    def of(cls, edit: Any) -> Editor:
        """From a partial of an `edit` function, as a file of `conf/editor` gives it.

        Raises:
            ValueError: If its module has no `replay`.
        """
        bound = _flat(edit)
        module = sys.modules[bound.func.__module__]
        if not hasattr(module, "replay"):
            raise ValueError(f"Editor {module.__name__} has no replay; every editor brings its edit and its replay.")
        return cls(
            bound, partial(module.replay, **bound.keywords), module.INVERSION, module.__name__.rsplit(".", 1)[-1],
            samples=draws_latents(module),
        )  # fmt: skip

    @property
    def w(self) -> float:
        """Guidance weight."""
        return float(self.edit.keywords["w"])  # type: ignore[attr-defined]

    def invert(self, f_theta: NoisePredictor, x_0: Tensor, schedule: Schedule, randn: Randn) -> Trajectory | None:
        """The inversion with c_inv = ∅ that edit, sham and replay of one image share."""
        if self.inversion == "ddpm":
            return invert(f_theta, x_0, None, schedule, randn, steps_per_call=STEPS_PER_CALL)
        return invert_ddim(f_theta, x_0, None, schedule) if self.inversion == "ddim" else None

    def calls(self, steps: int, prompts: int, *, replay: bool = True) -> int:
        """Network calls, in images, for one image: its inversion, its replay, and an edit for each prompt.

        They are counted on a latent of one cell, so that an editor may begin where it likes.
        """
        images = 0

        def f_theta(x_t: Tensor, t: int | Tensor, c: Tensor | None) -> Tensor:
            nonlocal images
            images += len(x_t)
            return torch.zeros_like(x_t)

        def randn(shape: Sequence[int]) -> Tensor:
            return torch.zeros(tuple(shape))

        x_0, mask = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)
        texts = {f"edit-{i}": torch.zeros(1, 1, 1) for i in range(prompts)}
        self.edits(f_theta, x_0, texts, EditMasks(mask, 0 * mask), Schedule.linear(steps), randn, replay=replay)
        return images

    def edits(
        self, f_theta: NoisePredictor, x_0: Tensor, prompts: dict[str, Tensor], masks: EditMasks,
        schedule: Schedule, randn: Randn, *, replay: bool = True,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Latents of one edit for each prompt, and of the `replay` unless nobody wants it, all from one inversion."""
        trajectory = self.invert(f_theta, x_0, schedule, randn)
        latents = {
            kind: self.edit(f_theta, x_0, None, c, masks, schedule, randn, trajectory=trajectory)
            for kind, c in prompts.items()
        }
        if replay:
            latents["replay"] = self.replay(f_theta, x_0, None, masks, schedule, randn, trajectory=trajectory)
        return latents


def draws_latents(module: ModuleType) -> bool:
    """Whether an editor's module asks for x_0 drawn from the autoencoder's posterior."""
    return getattr(module, "LATENT", "mode") == "sample"


def _flat(edit: Callable[..., Tensor]) -> partial[Tensor]:
    """One partial of a plain function; Hydra's own kind does not merge with a partial around it, as Python's does."""
    keywords: dict[str, Any] = {}
    while isinstance(edit, partial):
        keywords, edit = edit.keywords | keywords, edit.func
    return partial(edit, **keywords)
