"""Some films of a manifest, as a data set."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from radedit.data.readers.manifest import ManifestReader
from radedit.types import Record, Sample


class Chosen:
    """Films that nothing speaks against, all of them or a number that is drawn by the hash of their ids.

    Args:
        films: The whole.
        against: Record → why it is left out, or None.
        n: How many at most; None takes all.

    Attributes:
        records: In the order of the manifest.
        excluded: Reason → number of films left out.
    """

    def __init__(self, films: ManifestReader, against: Callable[[Record], str | None], n: int | None = None) -> None:
        reasons = {record.id: against(record) for record in films.records}
        found = [record for record in films.records if reasons[record.id] is None]
        drawn = {record.id for record in by_hash(found)[:n]}
        self.films, self.records = films, [record for record in found if record.id in drawn]
        self.excluded = films.excluded + Counter(reason for reason in reasons.values() if reason is not None)
        if len(found) > len(self.records):
            self.excluded["not drawn"] = len(found) - len(self.records)

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        return {"records": [record.id for record in self.records], "of": self.films.fingerprint}

    def load(self, record: Record) -> Sample:
        """As the manifest loads it."""
        return self.films.load(record)


def by_hash(records: Sequence[Record]) -> list[Record]:
    """Records in an order that has nothing to do with the manifest's, the same every time."""
    return sorted(records, key=lambda record: hashlib.sha256(record.id.encode()).digest())


def role(
    films: ManifestReader,
    labels: Mapping[str, int],
    *,
    masks: Sequence[str] = (),
    boxes: Sequence[str] = (),
    without: Sequence[str] = (),
) -> Callable[[Record], str | None]:
    """What speaks against a film in a role of a scenario.

    Args:
        films: What it is of.
        labels: Finding → 0 or 1: what it must have been read as.
        masks: What must be drawn on it.
        boxes: Likewise.
        without: Findings that it may not have; not to have been read for one is enough.

    Returns:
        Record → the first reason, by the columns of our own format, or None.
    """

    def against(record: Record) -> str | None:
        drawn_masks, drawn_boxes = films.drawn(record)
        reasons = [f"label_{name} is not {value}" for name, value in labels.items() if record.labels.get(name) != value]
        reasons += [f"label_{name} is 1" for name in without if record.labels.get(name) == 1]
        reasons += [f"no mask_{name}" for name in masks if name not in drawn_masks]
        reasons += [f"no box_{name}" for name in boxes if name not in drawn_boxes]
        return reasons[0] if reasons else None

    return against
