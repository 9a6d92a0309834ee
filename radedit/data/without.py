"""A data set without what is in another, so that nobody is tested on patients whom a predictor has learned from."""

from __future__ import annotations

from operator import attrgetter

from radedit.data.cache import fingerprint
from radedit.data.fingerprint import content_hash
from radedit.data.splits import Part
from radedit.types import Reader

BY = ("subject", "film")


class Without(Part):
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
        key = attrgetter("subject_id" if by == "subject" else "id")
        taken = {key(record) for record in other.records}
        records = [record for record in reader.records if key(record) not in taken]
        if not records:
            raise ValueError(f"Each of {len(reader.records)} films is of a {by} that the other set has, too.")
        rest = len(reader.records) - len(records)
        super().__init__(reader, f"without a {by}", records, {f"{by} is in the other set": rest} if rest else {})

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        records = content_hash([record.id for record in self._records])
        return {"records": records, "of": fingerprint(self.reader)}
