"""A user's films take the roles of a scenario by what is known of them, and what is missing is named by its column."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from radedit.data.readers.manifest import ManifestReader
from radedit.data.table import write_table
from radedit.harness.own_data import addition_films, ordinary_films, removal_films
from tests.own_films import write_own_films

REMOVAL: dict[str, Any] = {
    "n": None, "n_cells": None, "source": {"pneumothorax": 1, "drain": 1}, "masks": ["pneumothorax", "drain"],
    "boxes": [], "reference": {"pneumothorax": 0, "drain": 0}, "shifted": {"pneumothorax": 0, "drain": 1},
    "cells": {f"{p}-{d}": {"pneumothorax": p, "drain": d} for p in (0, 1) for d in (0, 1)},
}  # fmt: skip


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_own_films(tmp_path_factory.mktemp("own"), n=3)


@pytest.fixture
def films(manifest: Path) -> ManifestReader:
    return ManifestReader(manifest, check_sizes=True)


def without(manifest: Path, name: str, *columns: str) -> ManifestReader:
    """The same films without some columns."""
    with manifest.open(newline="") as file:
        rows = [{key: cell for key, cell in row.items() if key not in columns} for row in csv.DictReader(file)]
    write_table(manifest.with_name(name), list(rows[0]), rows)
    return ManifestReader(manifest.with_name(name))


def test_roles_are_taken_by_labels_and_masks(films: ManifestReader) -> None:
    data = removal_films(films, **REMOVAL)
    for record in data.source.records:
        assert record.labels["pneumothorax"] == record.labels["drain"] == 1
        assert {"pneumothorax", "drain"} <= set(data.source.load(record).masks)
    assert {cell: len(reader.records) for cell, reader in data.cells.items()} == dict.fromkeys(REMOVAL["cells"], 3)
    assert data.shifted is not None and all(record.labels["drain"] for record in data.shifted.records)
    assert data.twin is None and "Of 12 films of the manifest 3 are sources" in data.notes[0]


def test_reference_is_another_patients_negative_film_of_the_same_sex(films: ManifestReader) -> None:
    data = removal_films(films, **REMOVAL)
    assert data.reference is not None and list(data.reference.records) == list(data.source.records)
    for record in data.source.records:
        partner = data.reference.load(record).record
        assert partner.labels["pneumothorax"] == partner.labels["drain"] == 0
        assert partner.subject_id != record.subject_id and partner.attributes["sex"] == record.attributes["sex"]
    assert len({data.reference.load(record).record.id for record in data.source.records}) > 1


def test_cells_and_shift_are_absent_where_no_film_is(manifest: Path) -> None:
    some = ManifestReader(manifest, where={"label_drain": "1"})
    data = removal_films(some, **{**REMOVAL, "reference": None})
    assert set(data.cells) == {"1-1", "0-1"} and data.reference is None
    nothing = removal_films(some, **{**REMOVAL, "reference": None, "shifted": {"pneumothorax": 0, "drain": 0}})
    assert nothing.shifted is None


@pytest.mark.parametrize("n", [1, 2])
def test_numbers_are_limits(n: int, films: ManifestReader) -> None:
    data = removal_films(films, **{**REMOVAL, "n": n, "n_cells": 1})
    assert len(data.source.records) == n and len(data.cells["1-1"].records) == 1
    assert data.source.excluded["not drawn"] == 3 - n  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (("mask_drain",), r"no films to edit. They need .*mask_drain. None has mask_drain. Its 12 films have box_opac"),
        (("mask_drain", "label_drain"), "None has label_drain or mask_drain"),
    ],
)
def test_missing_columns_are_named(columns: tuple[str, ...], message: str, manifest: Path) -> None:
    with pytest.raises(ValueError, match=message):
        removal_films(without(manifest, f"without-{len(columns)}.csv", *columns), **REMOVAL)


def test_films_that_do_not_go_together_are_counted_by_reason(films: ManifestReader) -> None:
    with pytest.raises(ValueError, match=r"6 films: label_covid is not 1; 6 films: label_pneumothorax is not 1"):
        removal_films(films, **{**REMOVAL, "source": {"pneumothorax": 1, "covid": 1}})
    with pytest.raises(ValueError, match="no films that could be references"):
        removal_films(films, **{**REMOVAL, "reference": {"pneumothorax": 0, "drain": 0, "covid": 1}})


def test_boxes_may_be_what_is_needed(films: ManifestReader) -> None:
    asked = {**REMOVAL, "source": {"covid": 1}, "masks": [], "boxes": ["opacities"]}
    data = removal_films(films, **asked)
    assert all(data.source.load(record).boxes["opacities"] for record in data.source.records)


def test_addition_leaves_out_who_has_it_already(films: ManifestReader) -> None:
    data = addition_films(films, n=None, masks=["right_lung", "left_lung"], without=["covid"])
    assert len(data.source.records) == 9 and data.source.excluded == {"label_covid is 1": 3}  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="None has mask_heart"):
        addition_films(films, n=None, masks=["heart"], without=[])


def test_ordinary_test_set_can_be_judged(films: ManifestReader) -> None:
    assert len(ordinary_films(films, n=5, finding="pneumothorax", masks=[], split=None).records) == 5
    with pytest.raises(ValueError, match="12 films: no label_oedema. Its 12 films have"):
        ordinary_films(films, n=None, finding="oedema", masks=[], split=None)
    with pytest.raises(ValueError, match="12 films: attr_split is not test"):
        ordinary_films(films, n=None, finding="pneumothorax", masks=[], split="test")


def test_same_films_in_another_order_are_the_same_choice(films: ManifestReader, manifest: Path) -> None:
    with manifest.open(newline="") as file:
        rows = list(csv.DictReader(file))[::-1]
    write_table(manifest.with_name("backwards.csv"), list(rows[0]), rows)

    def chosen(reader: ManifestReader) -> set[str]:
        return {record.id for record in removal_films(reader, **{**REMOVAL, "n": 2}).source.records}

    assert chosen(films) == chosen(ManifestReader(manifest.with_name("backwards.csv")))
