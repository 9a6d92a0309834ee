"""The first records of a data set, as a data set: for a dry run."""

from __future__ import annotations

from radedit.data.cache import fingerprint
from radedit.data.splits import Part
from radedit.types import Reader


class First(Part):
    """At most so many records of a data set, the first ones.

    Args:
        reader: The data set.
        n: Number of records.
    """

    def __init__(self, reader: Reader, n: int) -> None:
        self.n, rest = n, max(0, len(reader.records) - n)
        super().__init__(reader, f"first {n}", reader.records[:n], {f"behind the first {n}": rest} if rest else {})

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        return {"first": self.n, "of": fingerprint(self.reader)}
