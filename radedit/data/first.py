"""The first records of a data set, as a data set: for a dry run."""

from __future__ import annotations

from collections.abc import Sequence

from radedit.data.cache import fingerprint
from radedit.types import Reader, Record, Sample


class First:
    """At most so many records of a data set, the first ones.

    Args:
        reader: The data set.
        n: Number of records; all where None.
    """

    def __init__(self, reader: Reader, n: int | None) -> None:
        self.reader, self.n = reader, n

    @property
    def records(self) -> Sequence[Record]:
        return self.reader.records[: self.n]

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        return {"first": self.n, "of": fingerprint(self.reader)}

    def load(self, record: Record) -> Sample:
        """As the data set loads it."""
        return self.reader.load(record)
