"""What editors ask of their arguments, and what they say when it is not met."""

from __future__ import annotations

from torch import Tensor

from radedit.schedule import Schedule
from radedit.types import EditMasks


def check_masks(masks: EditMasks, x_0: Tensor) -> tuple[Tensor, Tensor]:
    """Masks that fit `x_0`, in its type and on its device.

    Args:
        masks: m_edit and m_keep, each (B, 1, h, w), or (1, 1, h, w) for the whole batch; 0 or 1, of any type.
        x_0: Latents, shape (B, C, h, w).

    Returns:
        m_edit and m_keep, to be multiplied with latents.

    Raises:
        ValueError: If a mask does not match `x_0`, or has values between 0 and 1.
    """
    batch, _, height, width = x_0.shape
    for name, mask in (("edit", masks.edit), ("keep", masks.keep)):
        if tuple(mask.shape) not in {(batch, 1, height, width), (1, 1, height, width)}:
            raise ValueError(
                f"The {name} mask has shape {tuple(mask.shape)}, but latents of shape {tuple(x_0.shape)} need "
                f"{(batch, 1, height, width)}. Bring masks to latent resolution with radedit.masks.to_latent."
            )
        if not ((mask == 0) | (mask == 1)).all():
            raise ValueError(
                f"The {name} mask has values from {mask.min():.3g} to {mask.max():.3g}, but only 0 and 1 are allowed: "
                "a soft m_keep keeps nothing exactly. See radedit.masks.to_latent."
            )
    return masks.edit.to(x_0), masks.keep.to(x_0)


def check_start(start: int | None, schedule: Schedule) -> int:
    """Step from which the reverse process begins: `start`, or T where None.

    Raises:
        ValueError: If it is not within 1…T.
    """
    if start is None:
        return schedule.T
    if not 1 <= start <= schedule.T:
        raise ValueError(f"start is {start}, but must be a step of the schedule, 1…{schedule.T}.")
    return start
