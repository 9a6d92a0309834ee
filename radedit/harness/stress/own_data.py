"""A user's own images in the roles of a scenario, chosen by their labels and by what is drawn on them.

No image has its counterfactual, so there are no counterfactuals. A removal's sham is made on another patient's image
that lacks finding and shortcut, of the same view and sex where the manifest has these, with the source's masks
borrowed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from radedit.data.datasets.manifest.manifest import ManifestDataset
from radedit.data.views.matched import Matched
from radedit.data.views.subset import Subset, role
from radedit.harness.stress.scenario import StressData
from radedit.types import Record

logger = logging.getLogger(__name__)


def removal_images(
    images: ManifestDataset,
    *,
    n: int | None,
    n_cells: int | None,
    source: Mapping[str, int],
    masks: Sequence[str],
    boxes: Sequence[str],
    reference: Mapping[str, int] | None,
    shifted: Mapping[str, int],
    cells: Mapping[str, Mapping[str, int]],
    limit: int | None = None,
) -> StressData:
    """A user's images for a scenario that removes a finding.

    Args:
        images: All of them.
        n: Source images at most, and shifted ones.
        n_cells: Images in each cell at most.
        source: Labels of images that are edited.
        masks: What must be drawn on these.
        boxes: Likewise.
        reference: Labels of images that lack finding and shortcut. None leaves the sham out: without it the drop can't
            be divided, and there is no verdict.
        shifted: Labels of images on whom the shift has really happened, if there are any.
        cells: `"<finding>-<shortcut>"` → labels; a cell without images is left out.
        limit: Images of each role at most, for a dry run.

    Raises:
        ValueError: If there are no images to edit, or none for a reference; what is missing is named.
    """
    n, n_cells = _least(n, limit), _least(n_cells, limit)
    copies = _same_files(images)
    sources = _some(images, "to edit", source, masks=masks, boxes=boxes, n=n)
    left_out = f"; left out: {_reasons(sources)}" if sources.excluded else ""
    notes = [f"Of {len(images.records)} images of the manifest {len(sources.records)} are sources{left_out}.", *copies]
    matched = None
    if reference is not None:
        matched = Matched(sources, _some(images, "that could be references (dataset.reference)", reference))
        notes.append(
            "The sham is made on images of other patients without finding and shortcut, with the source’s masks; "
            f"{matched.alike} of {len(sources.records)} are of the same view and sex, as far as these are known."
        )
    after = Subset(images, role(images, shifted), n)
    grid = {cell: Subset(images, role(images, labels), n_cells) for cell, labels in cells.items()}
    return StressData(
        source=sources,
        reference=matched,
        shifted=after if after.records else None,
        cells={cell: dataset for cell, dataset in grid.items() if dataset.records},
        notes=notes,
    )


def addition_images(
    images: ManifestDataset, *, n: int | None, masks: Sequence[str], without: Sequence[str], limit: int | None = None
) -> StressData:
    """A user's images for a scenario that adds a finding.

    Args:
        images: All of them.
        n: Source images at most.
        masks: What must be drawn on them.
        without: Findings that they may not have: what is added.
        limit: Source images at most, for a dry run.

    Raises:
        ValueError: If there are no such images; what is missing is named.
    """
    notes = _same_files(images)
    return StressData(
        source=_some(images, "to edit", {}, masks=masks, without=without, n=_least(n, limit)), notes=notes
    )


def in_distribution_images(
    images: ManifestDataset, *, n: int | None, finding: str | None, masks: Sequence[str], split: str | None,
    limit: int | None = None,
) -> Subset:  # fmt: skip
    """The in-distribution test set of a user's model: images on which its prediction can be judged.

    Args:
        images: All of them.
        n: How many at most.
        finding: Label that they must have, either way; None for a segmenter.
        masks: What must be drawn on them, for a segmenter.
        split: Only images whose attribute `split` is this; None takes all.
        limit: As `n`, for a dry run.

    Raises:
        ValueError: If there are none.
    """
    is_drawn = role(images, {}, masks=masks)

    def against(record: Record) -> str | None:
        if split is not None and record.attributes.get("split") != split:
            return f"attr_split is not {split}"
        return f"no label_{finding}" if finding and finding not in record.labels else is_drawn(record)

    found = Subset(images, against, _least(n, limit))
    if not found.records:
        raise ValueError(
            f"The manifest has no images for the in-distribution test set: {_reasons(found)}. {_has(images)}"
        )
    return found


def _some(
    images: ManifestDataset,
    what: str,
    labels: Mapping[str, int],
    *,
    masks: Sequence[str] = (),
    boxes: Sequence[str] = (),
    without: Sequence[str] = (),
    n: int | None = None,
) -> Subset:
    """Images of a role, or an error that says which columns they need."""
    found = Subset(images, role(images, labels, masks=masks, boxes=boxes, without=without), n)
    if found.records:
        return found
    columns = {f"label_{name}": f" {value}" for name, value in labels.items()}
    columns |= {f"mask_{name}": "" for name in masks} | {f"box_{name}": "" for name in boxes}
    needed = [*(column + value for column, value in columns.items()), *(f"label_{name} not 1" for name in without)]
    lacking = [column for column in columns if column not in _columns(images)]
    why = f"None has {' or '.join(lacking)}" if lacking else _reasons(found)
    raise ValueError(f"The manifest has no images {what}. They need {', '.join(needed)}. {why}. {_has(images)}")


def _least(n: int | None, limit: int | None) -> int | None:
    return min((one for one in (n, limit) if one is not None), default=None)


def _same_files(images: ManifestDataset) -> list[str]:
    """A note where patients share an image, byte for byte.

    Raises:
        ValueError: If such images have opposite labels.
    """
    if not hasattr(images, "same_files"):  # what a program hands in may have no files
        return []
    shared = [same for same in images.same_files() if len({record.patient_id for record in same}) > 1]
    for first, *others in shared:
        for other in others:
            for name in first.labels.keys() & other.labels.keys():
                if first.labels[name] != other.labels[name]:
                    raise ValueError(
                        f"Records {first.id!r} and {other.id!r} are the same image, byte for byte, but label_{name} is "
                        f"{first.labels[name]} of one and {other.labels[name]} of the other. Correct the manifest."
                    )
    if not shared:
        return []
    note = f"{len(shared)} images are listed more than once, for several patients, such as {shared[0][0].id!r} and "
    note += f"{shared[0][1].id!r}: intervals take them for independent."
    logger.warning("%s", note)
    return [note]


def _reasons(found: Subset) -> str:
    return "; ".join(f"{count} images: {reason}" for reason, count in found.excluded.items())


def _columns(images: ManifestDataset) -> list[str]:
    """What is known of any image, by its column in our own format."""
    found: set[str] = set()
    for record in images.records:
        masks, boxes = images.drawn(record)
        found |= {*(f"label_{name}" for name in record.labels), *(f"mask_{name}" for name in masks)}
        found |= {f"box_{name}" for name in boxes}
    return sorted(found)


def _has(images: ManifestDataset) -> str:
    return f"Its {len(images.records)} images have {', '.join(_columns(images)) or 'no labels, masks or boxes'}."
