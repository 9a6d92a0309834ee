"""A negative for every image, matched by what is known of both."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence

import pytest
import torch

from radedit.data.views.matched import LIKE, Matched
from radedit.data.views.subset import by_hash
from radedit.types import Record, Sample


class Toy:
    """Images that hold their own number."""

    def __init__(self, *records: Record) -> None:
        self.records: Sequence[Record] = records

    def load(self, record: Record) -> Sample:
        number = next(i for i, own in enumerate(self.records) if own == record)
        return Sample(record, torch.full((1, 2, 2), float(number)))


def images(prefix: str, *views: str) -> list[Record]:
    return [Record(f"{prefix}{i}", f"patient-{prefix}{i}", attributes={"view": v}) for i, v in enumerate(views)]


POOL = Toy(*images("n", "AP", "PA", "AP", "PA", "AP"))
SICK = Toy(*images("s", "PA", "AP", "PA"))


def partner(matched: Matched, record: Record) -> Record:
    return POOL.records[int(matched.load(record).image[0, 0, 0])]


def test_every_image_gets_one_of_its_own_view_where_there_is_one() -> None:
    matched = Matched(SICK, POOL)
    assert [record.id for record in matched.records] == ["s0", "s1", "s2"]
    assert [partner(matched, record).attributes["view"] for record in matched.records] == ["PA", "AP", "PA"]
    assert matched.alike == 3 and Matched(Toy(*images("x", "lateral")), POOL).alike == 0


def test_images_that_are_equally_alike_serve_equally_often() -> None:
    matched = Matched(Toy(*images("s", *["AP"] * 6)), POOL)
    served = [partner(matched, record).id for record in matched.records]
    assert sorted(map(served.count, set(served))) == [2, 2, 2]


def test_nobody_is_his_own_reference() -> None:
    own = Record("s0", "patient-n1", attributes={"view": "PA"})
    matched = Matched(Toy(own), POOL)
    assert partner(matched, own).id == "n3"
    with pytest.raises(ValueError, match="No other patient's image can be the reference of 's0'"):
        Matched(Toy(own), Toy(POOL.records[1]))


def test_another_pool_has_another_fingerprint() -> None:
    assert Matched(SICK, POOL).fingerprint == Matched(SICK, POOL).fingerprint
    assert Matched(SICK, POOL).fingerprint != Matched(SICK, Toy(*POOL.records[:2])).fingerprint


def drawn(prefix: str, n: int, rng: random.Random) -> Toy:
    """Images of n/2 patients; some have no sex or no view."""
    attributes = [
        {name: value for name, value in (("view", rng.choice("APL ")), ("sex", rng.choice("MF "))) if value != " "}
        for _ in range(n)
    ]
    return Toy(
        *(Record(f"{prefix}{i}", f"patient-{rng.randrange(n // 2)}", attributes=attributes[i]) for i in range(n))
    )


def looked_for_one_by_one(dataset: Toy, pool: Toy) -> dict[str, str]:
    """What `Matched` is to give, as its docstring says it."""
    candidates, used, partners = by_hash(pool.records), Counter[str](), {}
    for record in dataset.records:
        others = [other for other in candidates if other.patient_id != record.patient_id]
        unlike = {o.id: [record.attributes.get(n) != o.attributes.get(n) for n in LIKE] for o in others}
        best = min(others, key=lambda other: (unlike[other.id], used[other.id]))
        used[best.id] += 1
        partners[record.id] = best.id
    return partners


@pytest.mark.parametrize("seed", range(8))
def test_partners_are_those_that_a_search_through_all_finds(seed: int) -> None:
    rng = random.Random(seed)
    dataset, pool = drawn("s", 60, rng), drawn("n", rng.choice([4, 30, 90]), rng)
    found = {id_: other.id for id_, other in Matched(dataset, pool).partners.items()}
    assert found == looked_for_one_by_one(dataset, pool)


def test_fifty_thousand_images_are_matched_in_seconds() -> None:
    rng = random.Random(0)
    dataset, pool = drawn("s", 25_000, rng), drawn("n", 25_000, rng)
    started = time.process_time()
    Matched(dataset, pool)
    assert time.process_time() - started < 30
