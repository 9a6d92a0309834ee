"""A negative for every film, matched by what is known of both."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from radedit.data.matched import Matched
from radedit.types import Record, Sample


class Toy:
    """Films that hold their own number."""

    def __init__(self, *records: Record) -> None:
        self.records: Sequence[Record] = records

    def load(self, record: Record) -> Sample:
        number = next(i for i, own in enumerate(self.records) if own == record)
        return Sample(record, torch.full((1, 2, 2), float(number)))


def films(prefix: str, *views: str) -> list[Record]:
    return [Record(f"{prefix}{i}", f"patient-{prefix}{i}", attributes={"view": v}) for i, v in enumerate(views)]


POOL = Toy(*films("n", "AP", "PA", "AP", "PA", "AP"))
SICK = Toy(*films("s", "PA", "AP", "PA"))


def partner(matched: Matched, record: Record) -> Record:
    return POOL.records[int(matched.load(record).image[0, 0, 0])]


def test_every_film_gets_one_of_its_own_view_where_there_is_one() -> None:
    matched = Matched(SICK, POOL)
    assert [record.id for record in matched.records] == ["s0", "s1", "s2"]
    assert [partner(matched, record).attributes["view"] for record in matched.records] == ["PA", "AP", "PA"]
    assert matched.alike == 3 and Matched(Toy(*films("x", "lateral")), POOL).alike == 0


def test_films_that_are_equally_alike_serve_equally_often() -> None:
    matched = Matched(Toy(*films("s", *["AP"] * 6)), POOL)
    served = [partner(matched, record).id for record in matched.records]
    assert sorted(map(served.count, set(served))) == [2, 2, 2]


def test_nobody_is_his_own_reference() -> None:
    own = Record("s0", "patient-n1", attributes={"view": "PA"})
    matched = Matched(Toy(own), POOL)
    assert partner(matched, own).id == "n3"
    with pytest.raises(ValueError, match="No other patient's film can be the reference of 's0'"):
        Matched(Toy(own), Toy(POOL.records[1]))


def test_another_pool_has_another_fingerprint() -> None:
    assert Matched(SICK, POOL).fingerprint == Matched(SICK, POOL).fingerprint
    assert Matched(SICK, POOL).fingerprint != Matched(SICK, Toy(*POOL.records[:2])).fingerprint
