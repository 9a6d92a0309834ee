"""An editor with everything that belongs to it: its replay and the inversion that its edits can share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from radedit.editing.inversion import Trajectory, invert, invert_ddim
from radedit.schedule import Schedule
from radedit.types import EditMasks, NoisePredictor, Randn

# Rows of a network call: enough to fill it at 512 px on a large GPU, little enough for its memory; on a CPU, for its
# cache, where 64 rows of the phantom's network took a sixth more time each.
ROWS_PER_CALL = {"cuda": 64, "cpu": 32}


@dataclass(frozen=True)
class Editor:
    """One of `radedit.editing`'s modules with its hyperparameters bound.

    Attributes:
        edit: Its `edit`, as the config binds it.
        replay: Its `replay`, bound likewise.
        inversion: Kind of trajectory that it shares, "ddpm" or "ddim"; None if it makes none.
        name: Of its module.
        samples: Whether its x_0 is a draw from the autoencoder's posterior, and not the mode.
        masks: Those that it reads, of "edit" and "keep".
    """

    edit: Callable[..., Tensor]
    replay: Callable[..., Tensor]
    inversion: str | None
    name: str
    samples: bool = False
    masks: tuple[str, ...] = ("edit", "keep")

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
            samples=draws_latents(module), masks=masks_read(module),
        )  # fmt: skip

    @property
    def w(self) -> float:
        """Guidance weight."""
        return float(self.edit.keywords["w"])  # type: ignore[attr-defined]

    @property
    def start(self) -> int | None:
        """Step from which it begins; its own choice where None."""
        start: int | None = self.edit.keywords.get("start")  # type: ignore[attr-defined]
        return start

    def shares(self, other: Editor) -> bool:
        """Whether the other's latents and inversion of an image are its own."""
        return (self.inversion, self.samples, self.start) == (other.inversion, other.samples, other.start)

    def invert(
        self, f_theta: NoisePredictor, x_0: Tensor, schedule: Schedule, randn: Randn, c_inv: Tensor | None = None, *,
        rows: int | None = None,
    ) -> Trajectory | None:  # fmt: skip
        """The inversion that edit, sham and replay of one image share; c_inv = ∅ where None."""
        if self.inversion == "ddpm":
            steps = max(1, (rows or rows_per_call(x_0.device)) // len(x_0))
            return invert(f_theta, x_0, c_inv, schedule, randn, steps_per_call=steps, start=self.start)
        return invert_ddim(f_theta, x_0, c_inv, schedule, start=self.start) if self.inversion == "ddim" else None

    def calls(self, steps: int, prompts: int, *, replay: bool = True, inverted: bool = False) -> int:
        """Network calls, in images, for one image: its inversion, its replay, and an edit for each prompt.

        They are counted on a latent of one cell, so that an editor may begin where it likes. `inverted` leaves out the
        inversion, for an editor that shares another's.
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
        schedule = Schedule.linear(steps)
        trajectory = self.invert(f_theta, x_0, schedule, randn)
        images = 0 if inverted else images
        masks = EditMasks(mask, 0 * mask)
        self.edits(f_theta, x_0, texts, masks, schedule, randn, replay=replay, trajectory=trajectory)
        return images

    def edits(
        self, f_theta: NoisePredictor, x_0: Tensor, prompts: Mapping[str, Tensor], masks: EditMasks,
        schedule: Schedule, randn: Randn, *, replay: bool = True, trajectory: Trajectory | None = None,
        rows: int | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Latents of one edit for each prompt, and of the `replay` if wanted, all from one inversion.

        Inversion steps and prompts are joined in network calls of up to `rows`, as suits the device where None; the
        images of `x_0`, each with both halves of guidance, are never parted. Embeddings are (1, L, D) or (B, L, D);
        `trajectory` is what `invert` made of `x_0` earlier.
        """
        if trajectory is None:
            trajectory = self.invert(f_theta, x_0, schedule, randn, rows=rows)
        at_once = max(1, (rows or rows_per_call(x_0.device)) // (2 * len(x_0)))
        latents: dict[str, Tensor] = {}
        for first in range(0, len(prompts), at_once):
            some = list(prompts)[first : first + at_once]
            n = len(some)
            c = torch.cat([prompts[name].expand(len(x_0), -1, -1) for name in some])
            copies = EditMasks(*(mask.repeat(n, 1, 1, 1) for mask in _of_each(masks, len(x_0))))
            edited = self.edit(
                f_theta, x_0.repeat(n, 1, 1, 1), None, c, copies, schedule, _repeated(randn, n),
                trajectory=None if trajectory is None else trajectory.repeat(n),
            )  # fmt: skip
            latents |= dict(zip(some, edited.chunk(n), strict=True))
        if replay:
            latents["replay"] = self.replay(f_theta, x_0, None, masks, schedule, randn, trajectory=trajectory)
        return latents


def rows_per_call(device: torch.device) -> int:
    """Rows that a network call best has there."""
    return ROWS_PER_CALL.get(device.type, ROWS_PER_CALL["cuda"])


def _of_each(masks: EditMasks, batch: int) -> EditMasks:
    """Masks of every image, where those of the whole batch may be one."""
    return EditMasks(*(mask.expand(batch, *mask.shape[1:]) for mask in masks))


def _repeated(randn: Randn, n: int) -> Randn:
    """The same noise for each of n copies of a batch."""

    def repeated(shape: Sequence[int]) -> Tensor:
        noise = randn((*shape[:-4], shape[-4] // n, *shape[-3:]))
        return torch.cat([noise] * n, dim=-4)

    return repeated


def masks_read(module: ModuleType) -> tuple[str, ...]:
    """Masks that an editor's module reads; both, where it does not say."""
    return tuple(getattr(module, "MASKS", ("edit", "keep")))


def draws_latents(module: ModuleType) -> bool:
    """Whether an editor's module asks for x_0 drawn from the autoencoder's posterior."""
    return getattr(module, "LATENT", "mode") == "sample"


def _flat(edit: Callable[..., Tensor]) -> partial[Tensor]:
    """One partial of a plain function; Hydra's own kind does not merge with a partial around it, as Python's does."""
    keywords: dict[str, Any] = {}
    while isinstance(edit, partial):
        keywords, edit = edit.keywords | keywords, edit.func
    return partial(edit, **keywords)
