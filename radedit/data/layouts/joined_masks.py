"""Masks that were published without their images, joined to the images of another dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from radedit.data.layouts.image_files import ImageFile, ImageFiles, Masking


def join_masks(
    dataset: ImageFiles, source: str, masks_of: Callable[[ImageFile], Mapping[str, Masking] | str]
) -> tuple[list[ImageFile], Counter[str]]:
    """The images of a dataset that have masks, with these.

    Args:
        dataset: The images. Masks that they have already are kept, unless one of the same name is joined.
        source: Of the masks; it becomes the records' attribute `mask_source`.
        masks_of: An image's masks, or the reason why it is left out.

    Returns:
        Images in the dataset's order, and reason → number of images that were left out, by the dataset or here.

    Raises:
        ValueError: If the dataset is none of published files.
    """
    if not isinstance(dataset, ImageFiles):
        raise ValueError(
            f"dataset is a {type(dataset).__name__}, which does not say where its images lie. Allowed are datasets of "
            "published sets, such as dataset=mimic_cxr; split afterwards, not before."
        )
    images, excluded = [], Counter(dataset.excluded)
    for record in dataset.records:
        image = dataset.image_file(record)
        masks = masks_of(image)
        if isinstance(masks, str):
            excluded[masks] += 1
            continue
        record = replace(record, attributes={**record.attributes, "mask_source": source})
        images.append(replace(image, record=record, masks={**image.masks, **masks}))
    return images, excluded
