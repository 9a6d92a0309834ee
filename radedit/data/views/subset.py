"""Some images of a manifest, as a data set."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from radedit.data.datasets.manifest.manifest import ManifestDataset
from radedit.types import Record, Sample


class Subset:
    """Images that nothing speaks against, all of them or a number that is drawn by the hash of their ids.

    Args:
        images: The whole.
        against: Record → why it is left out, or None.
        n: How many at most; None takes all.

    Attributes:
        records: In the order of the manifest.
        excluded: Reason → number of images left out.
    """

    def __init__(self, images: ManifestDataset, against: Callable[[Record], str | None], n: int | None = None) -> None:
        reasons = {record.id: against(record) for record in images.records}
        found = [record for record in images.records if reasons[record.id] is None]
        drawn = {record.id for record in by_hash(found)[:n]}
        self.images, self.records = images, [record for record in found if record.id in drawn]
        self.excluded = images.excluded + Counter(reason for reason in reasons.values() if reason is not None)
        if len(found) > len(self.records):
            self.excluded["not drawn"] = len(found) - len(self.records)

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        return {"records": [record.id for record in self.records], "of": self.images.fingerprint}

    def load(self, record: Record) -> Sample:
        """As the manifest loads it."""
        return self.images.load(record)


def by_hash(records: Sequence[Record]) -> list[Record]:
    """Records in an order that has nothing to do with the manifest's, the same every time."""
    return sorted(records, key=lambda record: hashlib.sha256(record.id.encode()).digest())


def role(
    images: ManifestDataset,
    labels: Mapping[str, int],
    *,
    masks: Sequence[str] = (),
    boxes: Sequence[str] = (),
    without: Sequence[str] = (),
) -> Callable[[Record], str | None]:
    """What speaks against an image in a role of a scenario.

    Args:
        images: What it is of.
        labels: Finding → 0 or 1: what it must have been read as.
        masks: What must be drawn on it.
        boxes: Likewise.
        without: Findings that it may not have; not to have been read for one is enough.

    Returns:
        Record → the first reason, by the columns of our own format, or None.
    """

    def against(record: Record) -> str | None:
        drawn_masks, drawn_boxes = images.drawn(record)
        reasons = [f"label_{name} is not {value}" for name, value in labels.items() if record.labels.get(name) != value]
        reasons += [f"label_{name} is 1" for name in without if record.labels.get(name) == 1]
        reasons += [f"no mask_{name}" for name in masks if name not in drawn_masks]
        reasons += [f"no box_{name}" for name in boxes if name not in drawn_boxes]
        return reasons[0] if reasons else None

    return against
