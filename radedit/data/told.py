"""A data set of which something else is told: the same films under other records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from radedit.types import Reader, Record, Sample


class Told:
    """The films of a data set under other records.

    Args:
        reader: The data set.
        records: One for each of its own, of the same id.
    """

    def __init__(self, reader: Reader, records: Sequence[Record]) -> None:
        self.reader, self._records = reader, records

    @property
    def records(self) -> Sequence[Record]:
        return self._records

    @property
    def excluded(self) -> Mapping[str, int]:
        """Reason → number of films that the data set left out."""
        return getattr(self.reader, "excluded", {})

    def load(self, record: Record) -> Sample:
        """As the data set loads it, under the new record."""
        return replace(self.reader.load(record), record=record)
