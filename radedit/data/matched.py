"""For every film of one set a film of another: the negative that a removal is compared with, where none was drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from radedit.data.cache import fingerprint
from radedit.types import Reader, Record, Sample


class Matched:
    """A pool's films under the ids of the films they are matched to.

    On real data nobody has the same patient without the finding and at another hospital; a negative of the same view,
    edited with borrowed masks, is the next best. Which one falls to a film depends on the film's id and the seed alone,
    so long as the pool stays the same.

    Args:
        reader: Films to be matched.
        pool: Films to choose from; each may be chosen several times.
        by: Attributes in which both agree, such as `view`.
        seed: Another seed matches other films.

    Raises:
        ValueError: If a film has no match.
    """

    def __init__(self, reader: Reader, pool: Reader, by: Sequence[str] = ("view",), seed: int = 0) -> None:
        self.reader, self.pool, self.by, self.seed = reader, pool, tuple(by), seed
        groups: dict[tuple[str | None, ...], list[Record]] = {}
        for record in pool.records:
            groups.setdefault(self._key(record), []).append(record)
        alone = [record for record in reader.records if self._key(record) not in groups]
        if alone:
            kinds = sorted({" ".join(map(str, self._key(record))) for record in alone})
            raise ValueError(
                f"{len(alone)} of {len(reader.records)} films have no match by {', '.join(self.by)} in the pool of "
                f"{len(pool.records)}: {', '.join(kinds)}. Match by fewer attributes, or leave these films out."
            )
        self._chosen = {record.id: self._choose(record, groups[self._key(record)]) for record in reader.records}
        self._records = [
            replace(match, id=id_, attributes={**match.attributes, "matched": match.id})
            for id_, match in self._chosen.items()
        ]

    @property
    def records(self) -> Sequence[Record]:
        return self._records

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        pairs = {id_: match.id for id_, match in self._chosen.items()}
        return {"matched": pairs, "of": fingerprint(self.pool)}

    def load(self, record: Record) -> Sample:
        """The film that was matched, under the record's own id."""
        return replace(self.pool.load(self._chosen[record.id]), record=record)

    def _key(self, record: Record) -> tuple[str | None, ...]:
        return tuple(record.attributes.get(name) for name in self.by)

    def _choose(self, record: Record, group: Sequence[Record]) -> Record:
        digest = hashlib.sha256(f"{self.seed}\n{record.id}".encode()).digest()
        return group[int.from_bytes(digest[:8], "big") % len(group)]
