"""A data set under other records: the same images with other labels or texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from radedit.types import Dataset, Record, Sample


class RelabelledDataset:
    """The images of a data set under other records.

    Args:
        dataset: The data set.
        records: One for each of its own, of the same id.
    """

    def __init__(self, dataset: Dataset, records: Sequence[Record]) -> None:
        self.dataset, self._records = dataset, records

    @property
    def records(self) -> Sequence[Record]:
        return self._records

    @property
    def excluded(self) -> Mapping[str, int]:
        """Reason → number of images that the data set left out."""
        return getattr(self.dataset, "excluded", {})

    def load(self, record: Record) -> Sample:
        """As the data set loads it, under the new record."""
        return replace(self.dataset.load(record), record=record)
