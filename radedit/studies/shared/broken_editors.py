"""Editors that are broken on purpose, for studies of verdicts: none of them may make a model fail or pass wrongly."""

from __future__ import annotations

from torch import Tensor

from radedit.editing.inversion import Trajectory
from radedit.editing.radedit import INVERSION, MASKS, edit, replay
from radedit.schedule import Schedule
from radedit.types import EditMasks, NoisePredictor, Randn

__all__ = ["INVERSION", "MASKS", "keep_ignored", "mirrored", "nothing", "replay"]  # what an editor's module brings


def nothing(
    f_theta: NoisePredictor, x_0: Tensor, c_inv: Tensor | None, c: Tensor | None, masks: EditMasks,
    schedule: Schedule, randn: Randn, *, w: float, start: int | None = None, trajectory: Trajectory | None = None,
) -> Tensor:  # fmt: skip
    """The image as it is, whatever the prompt; arguments as those of RadEdit's `edit`."""
    return x_0.clone()


def mirrored(
    f_theta: NoisePredictor, x_0: Tensor, c_inv: Tensor | None, c: Tensor | None, masks: EditMasks,
    schedule: Schedule, randn: Randn, *, w: float, start: int | None = None, trajectory: Trajectory | None = None,
) -> Tensor:  # fmt: skip
    """RadEdit on the image's other side: m_edit from left to right; arguments as those of its `edit`."""
    other_side = EditMasks(masks.edit.flip(-1), masks.keep)
    return edit(
        f_theta, x_0, c_inv, c, other_side, schedule, randn, w=w, start=start, trajectory=trajectory
    )  # fmt: skip


def keep_ignored(
    f_theta: NoisePredictor, x_0: Tensor, c_inv: Tensor | None, c: Tensor | None, masks: EditMasks,
    schedule: Schedule, randn: Randn, *, w: float, start: int | None = None, trajectory: Trajectory | None = None,
) -> Tensor:  # fmt: skip
    """RadEdit that edits what it should keep: m_keep is empty and m_edit takes it over; else as its `edit`."""
    all_edited = EditMasks((masks.edit + masks.keep).clamp(max=1), 0 * masks.keep)
    return edit(
        f_theta, x_0, c_inv, c, all_edited, schedule, randn, w=w, start=start, trajectory=trajectory
    )  # fmt: skip
