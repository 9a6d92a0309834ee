"""A data set without what is in another, so that nobody is tested on patients whom a predictor has learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from radedit.data.cache import fingerprint
from radedit.data.fingerprint import content_hash
from radedit.types import Reader, Record, Sample

BY = ("subject", "film")


class Without:
    """The films of a data set that are not in another one.

    Args:
        reader: The data set.
        other: Whose patients, or films, are left out; both sets call them the same.
        by: `subject` leaves out all films of a patient, `film` those of the same id.

    Raises:
        ValueError: If `by` is neither, or no film is left.
    """

    def __init__(self, reader: Reader, other: Reader, by: str = "subject") -> None:
        if by not in BY:
            raise ValueError(f"by is {by!r}. Allowed are {', '.join(BY)}.")
        self.reader, self.other, self.by = reader, other, by
        taken = {self._key(record) for record in other.records}
        self._records = [record for record in reader.records if self._key(record) not in taken]
        if not self._records:
            raise ValueError(f"Each of {len(reader.records)} films is of a {by} that the other set has, too.")

    @property
    def records(self) -> Sequence[Record]:
        return self._records

    @property
    def excluded(self) -> Mapping[str, int]:
        """Reason → number of films that were left out, here or by the data set."""
        rest = len(self.reader.records) - len(self._records)
        own = {f"{self.by} is in the other set": rest} if rest else {}
        return {**getattr(self.reader, "excluded", {}), **own}

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        records = content_hash([record.id for record in self._records])
        return {"records": records, "of": fingerprint(self.reader)}

    def load(self, record: Record) -> Sample:
        """As the data set loads it."""
        return self.reader.load(record)

    def _key(self, record: Record) -> str:
        return record.subject_id if self.by == "subject" else record.id
