"""Labels of whole sets, films by their labels, and sets without one another."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from radedit.data.labelled import Labelled, WithLabels
from radedit.data.without import Without
from radedit.types import Record, Sample


class Toy:
    """Films without pixels to speak of."""

    def __init__(self, *records: Record) -> None:
        self.records: Sequence[Record] = records

    def load(self, record: Record) -> Sample:
        return Sample(next(own for own in self.records if own.id == record.id), torch.zeros(1, 2, 2))


FILMS = Toy(
    Record("a", "p1", {"pneumothorax": 1, "drain": 1}),
    Record("b", "p1", {"pneumothorax": 0, "drain": 1}),
    Record("c", "p2", {"pneumothorax": 1}),
    Record("d", "p3"),
)


def ids(reader: Labelled | WithLabels | Without) -> list[str]:
    return [record.id for record in reader.records]


def test_every_film_gets_the_label_and_keeps_its_own() -> None:
    films = Labelled(FILMS, {"covid": 0})
    assert [record.labels["covid"] for record in films.records] == [0, 0, 0, 0]
    assert films.load(films.records[0]).record.labels == {"pneumothorax": 1, "drain": 1, "covid": 0}


def test_a_film_that_was_not_read_has_no_label_to_be_chosen_by() -> None:
    assert ids(WithLabels(FILMS, {"drain": 1})) == ["a", "b"]
    assert ids(WithLabels(FILMS, {"pneumothorax": 1, "drain": 1})) == ["a"]
    assert WithLabels(FILMS, {"drain": 1}).excluded == {"other labels": 2}


def test_labels_that_no_film_has_are_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="None of 4 films has covid = 1. Their labels are of drain, pneumothorax"):
        WithLabels(FILMS, {"covid": 1})


@pytest.mark.parametrize(("by", "left"), [("subject", ["c", "d"]), ("film", ["b", "c", "d"])])
def test_a_set_is_left_without_the_patients_or_the_films_of_another(by: str, left: list[str]) -> None:
    films = Without(FILMS, Toy(Record("a", "p1")), by)
    assert ids(films) == left and sum(films.excluded.values()) == 4 - len(left)


def test_a_set_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(ValueError, match="Each of 4 films"):
        Without(FILMS, FILMS)
