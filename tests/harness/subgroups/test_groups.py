from __future__ import annotations

from typing import Any

import pytest

from radedit.data.datasets.phantom import PhantomDataset
from radedit.harness.subgroups.groups import groups_of
from radedit.phantom.world import World
from radedit.types import Record

AGE = {"age": [40, 60, 80]}


def records(**attributes: list[str]) -> list[Record]:
    n = len(next(iter(attributes.values())))
    rows: list[dict[str, Any]] = [{name: values[i] for name, values in attributes.items()} for i in range(n)]
    return [Record(f"r{i}", f"p{i}", attributes=row) for i, row in enumerate(rows)]


def column(found: dict[str, dict[str, str]], name: str) -> list[str]:
    return [groups.get(name, "") for groups in found.values()]


def test_age_is_cut_into_bands_however_it_is_written() -> None:
    ages = ["39", "40", "59.5", "063Y", "80", "011M", "102 years", ""]
    expected = ["under 40", "40–59", "40–59", "60–79", "80 and over", "under 40", "80 and over", ""]
    assert column(groups_of(records(age=ages), ["age"], AGE), "age") == expected


def test_what_is_no_number_is_a_group_by_itself() -> None:
    assert column(groups_of(records(age=["39", "90+"]), ["age"], AGE), "age") == ["under 40", "90+"]


def test_many_numbers_are_cut_in_three_equal_parts_and_few_are_not() -> None:
    found = column(groups_of(records(dose=[str(i) for i in range(30)]), ["dose"], {}), "dose")
    assert [found.count(name) for name in dict.fromkeys(found)] == [10, 10, 10]
    assert column(groups_of(records(room=["1", "2", "1"]), ["room"], {}), "room") == ["1", "2", "1"]


def test_nothing_said_takes_the_usual_attributes_that_differ() -> None:
    found = groups_of(records(sex=["F", "M"], view=["PA", "PA"], licence=["a", "b"]), None, AGE)
    assert list(found["r0"]) == ["sex"]
    assert groups_of(records(sex=["F", "M"]), [], AGE) == {"r0": {}, "r1": {}}


def test_an_attribute_that_no_image_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'race'.*they have sex, view.*attr_race"):
        groups_of(records(sex=["F", "M"], view=["PA", ""]), ["sex", "race"], AGE)


@pytest.mark.parametrize("edges", [[], [60, 40], [40, 40]])
def test_bands_that_do_not_rise_are_refused(edges: list[float]) -> None:
    with pytest.raises(ValueError, match="rising"):
        groups_of(records(age=["1"]), ["age"], {"age": edges})


def test_phantoms_have_sex_age_view_and_body_size() -> None:
    images = PhantomDataset(World(ap=0.5), "groups", 60)
    found = groups_of(images.records, ["sex", "age", "view", "body_size"], AGE)
    assert {*column(found, "sex")} == {"F", "M"} and {*column(found, "view")} == {"PA", "AP"}
    assert len({*column(found, "age")}) == 4 and {*column(found, "body_size")} == {"small", "medium", "large"}
