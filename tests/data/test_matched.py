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


def test_every_film_gets_one_of_its_own_view_under_its_own_id() -> None:
    matched = Matched(SICK, POOL)
    assert [r.id for r in matched.records] == ["s0", "s1", "s2"]
    assert [r.attributes["view"] for r in matched.records] == ["PA", "AP", "PA"]
    for record in matched.records:
        sample = matched.load(record)
        assert sample.record.id == record.id
        assert POOL.records[int(sample.image[0, 0, 0])].id == record.attributes["matched"]


def test_a_match_does_not_depend_on_the_other_films() -> None:
    one = Matched(Toy(SICK.records[2]), POOL).records[0]
    assert one == Matched(SICK, POOL).records[2]


def test_a_film_without_match_is_refused_with_what_it_lacks() -> None:
    with pytest.raises(ValueError, match="1 of 1 films have no match by view in the pool of 5: lateral"):
        Matched(Toy(*films("x", "lateral")), POOL)


def test_another_pool_or_seed_has_another_fingerprint() -> None:
    many = Toy(*films("s", *["AP"] * 20))
    first, other = Matched(many, POOL), Matched(many, POOL, seed=1)
    assert first.fingerprint == Matched(many, POOL).fingerprint != other.fingerprint
