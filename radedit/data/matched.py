"""For every film of one set a film of another: the negative that a removal is compared with, where none was drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from radedit.data.cache import fingerprint
from radedit.data.chosen import by_hash
from radedit.types import Reader, Record, Sample

LIKE = ("view", "sex")  # attributes in which both should agree, the first being the most important


class Matched:
    """For every film, by its id, the film of another patient that is most like it.

    On real data nobody has the same patient without the finding and at another hospital; a negative of the same view,
    edited with borrowed masks, is the next best.

    Args:
        reader: Films to be matched.
        pool: Films to choose from; those that are equally like a film serve equally often.
        by: Attributes to be alike in, the most important first.

    Attributes:
        alike: How many films have a partner that agrees in all of these.

    Raises:
        ValueError: If there is no other patient for a film.
    """

    def __init__(self, reader: Reader, pool: Reader, by: Sequence[str] = LIKE) -> None:
        self.reader, self.pool, self.by = reader, pool, tuple(by)
        self.partners: dict[str, Record] = {}
        candidates, used = by_hash(pool.records), Counter[str]()
        for record in reader.records:
            others = [other for other in candidates if other.subject_id != record.subject_id]
            if not others:
                raise ValueError(f"No other patient's film can be the reference of {record.id!r}: add negative films.")
            best = min(others, key=lambda other: (self._unlike(record, other), used[other.id]))
            used[best.id] += 1
            self.partners[record.id] = best
        self.alike = sum(not any(self._unlike(record, self.partners[record.id])) for record in reader.records)

    @property
    def records(self) -> Sequence[Record]:
        """The films' own records."""
        return self.reader.records

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        return {"partners": {id_: other.id for id_, other in self.partners.items()}, "of": fingerprint(self.pool)}

    def load(self, record: Record) -> Sample:
        """The partner's film."""
        return self.pool.load(self.partners[record.id])

    def _unlike(self, record: Record, other: Record) -> tuple[bool, ...]:
        return tuple(record.attributes.get(name) != other.attributes.get(name) for name in self.by)
