"""Worlds in which a shortcut tells more or less of the finding, from nothing (0) to as much as it can (1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from radedit.phantom.world import World


def drain_world(strength: float, *, world: World, at_0: tuple[float, float], at_1: tuple[float, float]) -> World:
    """Drains go with pneumothorax the more, the stronger the shortcut.

    Args:
        strength: 0…1.
        world: All the rest.
        at_0: P(drain | no pneumothorax) and P(drain | pneumothorax) at strength 0.
        at_1: Likewise at strength 1; between them it goes in a straight line.
    """
    absent, present = ((1 - _share(strength)) * a + strength * b for a, b in zip(at_0, at_1, strict=True))
    return replace(world, drain_given=(round(absent, 6), round(present, 6)))


def hospital_world(strength: float, *, world: World, finding: str, hospital: str) -> World:
    """Images with the finding come from one hospital and images without it from the others, the more so the stronger.

    At 0 half of either come from it, whether they have the finding or not.

    Args:
        strength: 0…1.
        world: All the rest; its `hospitals` say how the others share what does not come from `hospital`.
        finding: Label that the shortcut goes with.
        hospital: Where images with it come from.

    Raises:
        ValueError: If `world.hospitals` has no other hospital.
    """
    others = {name: share for name, share in world.hospitals.items() if name != hospital and share > 0}
    if not others:
        raise ValueError(f"World has images of hospital {hospital} only; name the others, e.g. hospitals={{A: 1}}.")

    def shares(of_hospital: float) -> dict[str, float]:
        return {hospital: of_hospital} | {
            name: (1 - of_hospital) * s / sum(others.values()) for name, s in others.items()
        }

    with_it, without = (1 + _share(strength)) / 2, (1 - strength) / 2
    return replace(world, hospitals=shares(without), hospitals_given={finding: shares(with_it)})


def abnormal_world(strength: float, *, world: World, prevalence: Mapping[str, float]) -> World:
    """The stronger, the more images have abnormalities; at 0 none has.

    Args:
        strength: Share of `prevalence`, 0…1.
        world: All the rest.
        prevalence: Finding → probability at strength 1.
    """
    share = _share(strength)
    return replace(world, prevalence={**world.prevalence, **{name: share * p for name, p in prevalence.items()}})


def _share(strength: float) -> float:
    if not 0 <= strength <= 1:
        raise ValueError(f"A strength of {strength} is outside 0…1.")
    return strength
