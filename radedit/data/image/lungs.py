"""Each lung from a mask of both."""

from __future__ import annotations

from dataclasses import replace

from radedit.masks import lung_side_by_boxes, split_lungs
from radedit.types import Sample

SIDES = ("right", "left")  # the patient's; the right lung is on the image's left


def add_lungs(sample: Sample) -> Sample:
    """Add the masks `right_lung` and `left_lung`, derived from the mask `lungs`.

    Where the sample has boxes of these names, each lung must lie more in its own box than in the other's. That finds
    mirrored images, and lungs that were cut apart wrongly.

    Args:
        sample: A sample; one without the mask `lungs` is returned as it is, and a lung that it already has is kept.

    Raises:
        ValueError: If the mask does not fall into two lungs, or they disagree with the boxes.
    """
    if "lungs" not in sample.masks:
        return sample
    lungs = dict(zip(SIDES, split_lungs(sample.masks["lungs"]), strict=True))
    if all(sample.boxes.get(f"{side}_lung") for side in SIDES):
        for side, lung in lungs.items():
            drawn = lung_side_by_boxes(lung, sample.boxes)
            if drawn != side:
                raise ValueError(
                    f"the lung on the image's {'left' if side == 'right' else 'right'} lies in the box {drawn}_lung. "
                    "The image may be mirrored, or its boxes named by the image's sides: mend the one that is wrong."
                )
    derived = {f"{side}_lung": lung for side, lung in lungs.items()}
    return replace(sample, masks={**derived, **sample.masks})
