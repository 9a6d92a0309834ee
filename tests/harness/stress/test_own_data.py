"""A user's images take the roles of a scenario by what is known of them, and what is missing is named by its column."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from radedit.data.datasets.manifest.manifest import ManifestDataset
from radedit.data.io.table import write_table
from radedit.harness.stress.own_data import addition_images, in_distribution_images, removal_images
from tests.own_images import write_own_images

REMOVAL: dict[str, Any] = {
    "n": None, "n_cells": None, "source": {"pneumothorax": 1, "drain": 1}, "masks": ["pneumothorax", "drain"],
    "boxes": [], "reference": {"pneumothorax": 0, "drain": 0}, "shifted": {"pneumothorax": 0, "drain": 1},
    "cells": {f"{p}-{d}": {"pneumothorax": p, "drain": d} for p in (0, 1) for d in (0, 1)},
}  # fmt: skip


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_own_images(tmp_path_factory.mktemp("own"), n=3)


@pytest.fixture
def images(manifest: Path) -> ManifestDataset:
    return ManifestDataset(manifest, check_sizes=True)


def without(manifest: Path, name: str, *columns: str) -> ManifestDataset:
    """The same images without some columns."""
    with manifest.open(newline="") as file:
        rows = [{key: cell for key, cell in row.items() if key not in columns} for row in csv.DictReader(file)]
    write_table(manifest.with_name(name), list(rows[0]), rows)
    return ManifestDataset(manifest.with_name(name))


def test_roles_are_taken_by_labels_and_masks(images: ManifestDataset) -> None:
    data = removal_images(images, **REMOVAL)
    for record in data.source.records:
        assert record.labels["pneumothorax"] == record.labels["drain"] == 1
        assert {"pneumothorax", "drain"} <= set(data.source.load(record).masks)
    assert {cell: len(dataset.records) for cell, dataset in data.cells.items()} == dict.fromkeys(REMOVAL["cells"], 3)
    assert data.shifted is not None and all(record.labels["drain"] for record in data.shifted.records)
    assert data.counterfactual is None and "Of 12 images of the manifest 3 are sources" in data.notes[0]


def test_reference_is_another_patients_negative_image_of_the_same_sex(images: ManifestDataset) -> None:
    data = removal_images(images, **REMOVAL)
    assert data.reference is not None and list(data.reference.records) == list(data.source.records)
    for record in data.source.records:
        partner = data.reference.load(record).record
        assert partner.labels["pneumothorax"] == partner.labels["drain"] == 0
        assert partner.patient_id != record.patient_id and partner.attributes["sex"] == record.attributes["sex"]
    assert len({data.reference.load(record).record.id for record in data.source.records}) > 1


def test_cells_and_shift_are_absent_where_no_image_is(manifest: Path) -> None:
    some = ManifestDataset(manifest, where={"label_drain": "1"})
    data = removal_images(some, **{**REMOVAL, "reference": None})
    assert set(data.cells) == {"1-1", "0-1"} and data.reference is None
    nothing = removal_images(some, **{**REMOVAL, "reference": None, "shifted": {"pneumothorax": 0, "drain": 0}})
    assert nothing.shifted is None


@pytest.mark.parametrize("n", [1, 2])
def test_numbers_are_limits(n: int, images: ManifestDataset) -> None:
    data = removal_images(images, **{**REMOVAL, "n": n, "n_cells": 1})
    assert len(data.source.records) == n and len(data.cells["1-1"].records) == 1
    assert data.source.excluded["not drawn"] == 3 - n  # type: ignore[attr-defined]


def test_limit_is_a_dry_run_of_every_role(images: ManifestDataset) -> None:
    data = removal_images(images, **REMOVAL, limit=1)
    assert {len(one.records) for one in (data.source, data.shifted, *data.cells.values()) if one} == {1}
    assert (
        len(addition_images(images, n=2, masks=["right_lung"], without=["consolidation"], limit=1).source.records) == 1
    )


@pytest.mark.parametrize("contradicts", [False, True])
def test_one_image_of_two_patients_is_told_of_and_refused_where_its_labels_contradict(
    contradicts: bool, tmp_path: Path
) -> None:
    manifest = write_own_images(tmp_path, n=1)
    with manifest.open(newline="") as file:
        rows = list(csv.DictReader(file))
    (tmp_path / "images/copy.png").write_bytes((tmp_path / rows[0]["image"]).read_bytes())
    label = str(1 - int(rows[0]["label_covid"])) if contradicts else rows[0]["label_covid"]
    rows.append(rows[0] | {"id": "copy", "patient_id": "another", "image": "images/copy.png", "label_covid": label})
    write_table(manifest, list(rows[0]), rows)
    if contradicts:
        with pytest.raises(ValueError, match="'copy' are the same image, byte for byte, but label_covid is"):
            removal_images(ManifestDataset(manifest), **REMOVAL)
    else:
        notes = removal_images(ManifestDataset(manifest), **REMOVAL).notes
        assert any("listed more than once, for several patients" in note for note in notes)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            ("mask_drain",),
            r"no images to edit. They need .*mask_drain. None has mask_drain. Its 12 images have box_opac",
        ),
        (("mask_drain", "label_drain"), "None has label_drain or mask_drain"),
    ],
)
def test_missing_columns_are_named(columns: tuple[str, ...], message: str, manifest: Path) -> None:
    with pytest.raises(ValueError, match=message):
        removal_images(without(manifest, f"without-{len(columns)}.csv", *columns), **REMOVAL)


def test_images_that_do_not_go_together_are_counted_by_reason(images: ManifestDataset) -> None:
    with pytest.raises(ValueError, match=r"6 images: label_covid is not 1; 6 images: label_pneumothorax is not 1"):
        removal_images(images, **{**REMOVAL, "source": {"pneumothorax": 1, "covid": 1}})
    with pytest.raises(ValueError, match="no images that could be references"):
        removal_images(images, **{**REMOVAL, "reference": {"pneumothorax": 0, "drain": 0, "covid": 1}})


def test_boxes_may_be_what_is_needed(images: ManifestDataset) -> None:
    asked = {**REMOVAL, "source": {"covid": 1}, "masks": [], "boxes": ["opacities"]}
    data = removal_images(images, **asked)
    assert all(data.source.load(record).boxes["opacities"] for record in data.source.records)


def test_addition_leaves_out_who_has_it_already(images: ManifestDataset) -> None:
    data = addition_images(images, n=None, masks=["right_lung", "left_lung"], without=["covid"])
    assert len(data.source.records) == 9 and data.source.excluded == {"label_covid is 1": 3}  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="None has mask_heart"):
        addition_images(images, n=None, masks=["heart"], without=[])


def test_in_distribution_test_set_can_be_judged(images: ManifestDataset) -> None:
    assert len(in_distribution_images(images, n=5, finding="pneumothorax", masks=[], split=None).records) == 5
    with pytest.raises(ValueError, match="12 images: no label_oedema. Its 12 images have"):
        in_distribution_images(images, n=None, finding="oedema", masks=[], split=None)
    with pytest.raises(ValueError, match="12 images: attr_split is not test"):
        in_distribution_images(images, n=None, finding="pneumothorax", masks=[], split="test")


def test_same_images_in_another_order_are_the_same_choice(images: ManifestDataset, manifest: Path) -> None:
    with manifest.open(newline="") as file:
        rows = list(csv.DictReader(file))[::-1]
    write_table(manifest.with_name("backwards.csv"), list(rows[0]), rows)

    def chosen(dataset: ManifestDataset) -> set[str]:
        return {record.id for record in removal_images(dataset, **{**REMOVAL, "n": 2}).source.records}

    assert chosen(images) == chosen(ManifestDataset(manifest.with_name("backwards.csv")))
