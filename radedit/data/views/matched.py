"""For every image of one set an image of another: the negative that a removal is compared with."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence

from radedit.data.batches.cache import fingerprint
from radedit.data.views.subset import by_hash
from radedit.types import Dataset, Record, Sample

LIKE = ("view", "sex")  # attributes in which both should agree, the first being the most important


class Matched:
    """For every image, by its id, the image of another patient that is most like it.

    On real data there is no image of the same patient without the finding and at another hospital; a negative of the
    same view, edited with borrowed masks, is the next best.

    Args:
        dataset: Images to be matched.
        pool: Images to choose from; those that are equally like an image serve equally often.
        by: Attributes to be alike in, the most important first.

    Attributes:
        alike: How many images have a partner that agrees in all of these.

    Raises:
        ValueError: If there is no other patient for an image.
    """

    def __init__(self, dataset: Dataset, pool: Dataset, by: Sequence[str] = LIKE) -> None:
        self.dataset, self.pool, self.by = dataset, pool, tuple(by)
        self.partners: dict[str, Record] = {}
        memory_budget = _Shelf(by_hash(pool.records), self.by)
        for record in dataset.records:
            partner = memory_budget.take(record)
            if partner is None:
                raise ValueError(
                    f"No other patient's image can be the reference of {record.id!r}: add negative images."
                )
            self.partners[record.id] = partner
        self.alike = sum(not any(self._unlike(record, self.partners[record.id])) for record in dataset.records)

    @property
    def records(self) -> Sequence[Record]:
        """The images' own records."""
        return self.dataset.records

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        return {"partners": {id_: other.id for id_, other in self.partners.items()}, "of": fingerprint(self.pool)}

    def load(self, record: Record) -> Sample:
        """The partner's image."""
        return self.pool.load(self.partners[record.id])

    def _unlike(self, record: Record, other: Record) -> tuple[bool, ...]:
        return tuple(record.attributes.get(name) != other.attributes.get(name) for name in self.by)


class _Shelf:
    """Candidates by what they have in common with an image, those that served least often first.

    A queue for every choice of attributes and their values keeps a search short however many candidates there are.
    """

    def __init__(self, candidates: Sequence[Record], by: Sequence[str]) -> None:
        self.candidates, self.by = candidates, by
        self.used = [0] * len(candidates)
        self.unlike = list(itertools.product((False, True), repeat=len(by)))  # the most alike first
        self.queues: dict[tuple[object, ...], list[tuple[int, int]]] = {}  # of how often, and which
        for number, record in enumerate(candidates):
            for unlike in self.unlike:
                self.queues.setdefault(self._key(record, unlike), []).append((0, number))

    def take(self, record: Record) -> Record | None:
        """The candidate of another patient that is most like an image; None if there is none."""
        for unlike in self.unlike:
            queue, own = self.queues.get(self._key(record, unlike), []), []
            found = None
            while queue and found is None:
                served, number = heapq.heappop(queue)
                if served != self.used[number]:  # it served meanwhile, by way of another queue
                    heapq.heappush(queue, (self.used[number], number))
                elif self.candidates[number].patient_id == record.patient_id:
                    own.append((served, number))
                else:
                    found = number
            for entry in own:
                heapq.heappush(queue, entry)
            if found is not None:
                self.used[found] += 1
                heapq.heappush(queue, (self.used[found], found))
                return self.candidates[found]
        return None

    def _key(self, record: Record, unlike: Sequence[bool]) -> tuple[object, ...]:
        """What both must agree in; those that differ in less come by an earlier key."""
        values = [record.attributes.get(name) for name, differs in zip(self.by, unlike, strict=True) if not differs]
        return (*unlike, *values)
