"""The first records of a data set, as a data set: for a dry run."""

from __future__ import annotations

from radedit.data.batches.cache import fingerprint
from radedit.data.views.splits import Part
from radedit.types import Dataset


class FirstRecords(Part):
    """At most so many records of a data set, the first ones.

    Args:
        dataset: The data set.
        n: Number of records.
    """

    def __init__(self, dataset: Dataset, n: int) -> None:
        self.n, rest = n, max(0, len(dataset.records) - n)
        super().__init__(dataset, f"first {n}", dataset.records[:n], {f"behind the first {n}": rest} if rest else {})

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        return {"first": self.n, "of": fingerprint(self.dataset)}
