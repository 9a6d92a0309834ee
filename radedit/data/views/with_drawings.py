"""Any data set as one that says what is drawn on an image, as a manifest does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property

from radedit.data.batches.cache import fingerprint
from radedit.types import Dataset, Record, Sample


class WithDrawings:
    """A data set whose images are looked at once to know their masks and boxes.

    Args:
        dataset: The data set.

    Attributes:
        excluded: Reason → number of images left out: none, as nothing is filtered here.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.excluded: Counter[str] = Counter()

    @property
    def records(self) -> Sequence[Record]:
        """Of the data set."""
        return self.dataset.records

    @property
    def fingerprint(self) -> object:
        """What determines the samples, for content hashes."""
        return fingerprint(self.dataset)

    def drawn(self, record: Record) -> tuple[set[str], set[str]]:
        """Names of the masks and of the boxes that a record has: those with a pixel, and those with a box."""
        return self._drawn[record.id]

    def load(self, record: Record) -> Sample:
        """As the data set loads it."""
        return self.dataset.load(record)

    @cached_property
    def _drawn(self) -> dict[str, tuple[set[str], set[str]]]:
        return {record.id: self._look(record) for record in self.records}

    def _look(self, record: Record) -> tuple[set[str], set[str]]:
        try:
            sample = self.load(record)
        except (ValueError, OSError):  # the test itself counts and lists it
            return set(), set()
        masks = {name for name, mask in sample.masks.items() if mask.any()}
        return masks, {name for name, boxes in sample.boxes.items() if boxes}
