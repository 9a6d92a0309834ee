"""Labels of whole sets, images by their labels, and sets without one another."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from radedit.data.views.disjoint import Disjoint
from radedit.data.views.labelled import Labelled, WithLabels
from radedit.types import Record, Sample


class Toy:
    """Images without pixels to speak of."""

    def __init__(self, *records: Record) -> None:
        self.records: Sequence[Record] = records

    def load(self, record: Record) -> Sample:
        return Sample(next(own for own in self.records if own.id == record.id), torch.zeros(1, 2, 2))


IMAGES = Toy(
    Record("a", "p1", {"pneumothorax": 1, "drain": 1}),
    Record("b", "p1", {"pneumothorax": 0, "drain": 1}),
    Record("c", "p2", {"pneumothorax": 1}),
    Record("d", "p3"),
)


def ids(dataset: Labelled | WithLabels | Disjoint) -> list[str]:
    return [record.id for record in dataset.records]


def test_every_image_gets_the_label_and_keeps_its_own() -> None:
    images = Labelled(IMAGES, {"covid": 0})
    assert [record.labels["covid"] for record in images.records] == [0, 0, 0, 0]
    assert images.load(images.records[0]).record.labels == {"pneumothorax": 1, "drain": 1, "covid": 0}


def test_an_image_that_was_not_read_has_no_label_to_be_chosen_by() -> None:
    assert ids(WithLabels(IMAGES, {"drain": 1})) == ["a", "b"]
    assert ids(WithLabels(IMAGES, {"pneumothorax": 1, "drain": 1})) == ["a"]
    assert WithLabels(IMAGES, {"drain": 1}).excluded == {"other labels": 2}


def test_labels_that_no_image_has_are_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="None of 4 images has covid = 1. Their labels are of drain, pneumothorax"):
        WithLabels(IMAGES, {"covid": 1})


@pytest.mark.parametrize(("by", "left"), [("patient", ["c", "d"]), ("image", ["b", "c", "d"])])
def test_a_set_is_left_without_the_patients_or_the_images_of_another(by: str, left: list[str]) -> None:
    images = Disjoint(IMAGES, Toy(Record("a", "p1")), by)
    assert ids(images) == left and sum(images.excluded.values()) == 4 - len(left)


def test_a_set_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(ValueError, match="Each of 4 images"):
        Disjoint(IMAGES, IMAGES)
