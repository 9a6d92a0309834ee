"""The whole openly licensed set, where RADEDIT_REALCXR names its folder."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from scipy import ndimage

from radedit.data.datasets.manifest.manifest import ManifestDataset
from radedit.data.image.geometry import Geometry
from radedit.data.image.transforms import preprocess
from radedit.data.views.splits import patient_split
from radedit.masks import lung_side_by_boxes
from radedit.types import Sample

ROOT = os.environ.get("RADEDIT_REALCXR")
pytestmark = [pytest.mark.data, pytest.mark.skipif(not ROOT, reason="RADEDIT_REALCXR is not set")]


def dataset_of(repository: Path, **overrides: Any) -> ManifestDataset:
    config = OmegaConf.load(repository / "conf/dataset/realcxr.yaml")
    dataset = instantiate(OmegaConf.merge(config, {"root": ROOT}, overrides))
    assert isinstance(dataset, ManifestDataset)
    return dataset


@pytest.fixture(scope="module")
def samples(repository: Path) -> list[Sample]:
    dataset = dataset_of(repository)
    return [dataset.load(record) for record in dataset.records]


def test_every_image_and_mask_loads(samples: list[Sample]) -> None:
    assert samples
    for sample in samples:
        assert sample.image.min() >= 0 and sample.image.max() <= 1
        assert all(mask.shape == sample.image.shape and mask.any() for mask in sample.masks.values())


def test_every_record_has_what_a_published_edit_must_name(samples: list[Sample]) -> None:
    assert all(sample.record.attributes[k] for sample in samples for k in ("licence", "attribution", "url", "view"))


def test_every_lung_mask_splits_into_the_patients_sides(samples: list[Sample]) -> None:
    drawn = [sample for sample in samples if "lungs" in sample.masks]
    assert drawn
    for sample in drawn:
        left, right = sample.masks["left_lung"], sample.masks["right_lung"]
        assert not (left & right).any()
        assert int((left | right).sum()) > 0.95 * int(sample.masks["lungs"].sum())  # one has a mark cut out of it


def test_sides_agree_with_every_box(samples: list[Sample]) -> None:
    both = [s for s in samples if "left_lung" in s.boxes and "left_lung" in s.masks]
    assert both
    for sample in both:
        for side in ("left", "right"):
            assert lung_side_by_boxes(sample.masks[f"{side}_lung"], sample.boxes) == side


def test_sides_agree_with_masks_drawn_for_each_lung(samples: list[Sample]) -> None:
    for sample in samples:
        for side in ("left", "right"):
            if f"gb_{side}_lung" in sample.masks and "lungs" in sample.masks:
                a, b = sample.masks[f"{side}_lung"], sample.masks[f"gb_{side}_lung"]
                assert 2 * int((a & b).sum()) / int(a.sum() + b.sum()) > 0.7, sample.record.id


@pytest.mark.parametrize("size", [128, 512])
def test_every_record_preprocesses_and_restores(size: int, samples: list[Sample]) -> None:
    for sample in samples:
        square = preprocess(sample, size)
        assert square.image.shape == (1, size, size) and square.image.min() == 0 and square.image.max() == 1
        geometry = Geometry.of(sample.image, size)
        for name, mask in sample.masks.items():
            height, width = geometry.resized
            # Regions lose nothing but what the crop cuts off; devices of a few px become up to two px wider.
            area = int(mask.sum()) * height * width / sample.image[0].numel()
            assert int(square.masks[name].sum()) <= 2.8 * area + 10, (sample.record.id, name)
        restored = geometry.restore(square.image, sample.image)
        blur = (restored - sample.image).abs().mean()
        assert blur < (0.001 if size == 512 else 0.03), sample.record.id


def test_every_device_is_in_one_piece_at_128(samples: list[Sample]) -> None:
    for sample in samples:
        square = preprocess(sample, 128)
        for name in ("gb_nasogastric_tube", "gb_endotracheal_tube", "gb_central_venous_line"):
            if name in sample.masks:
                height, width = sample.image.shape[-2:]
                top, left = Geometry.of(sample.image, min(height, width)).corner
                side = min(height, width)
                seen = sample.masks[name][0, top : top + side, left : left + side]
                before, after = (ndimage.label(m.numpy(), [[1] * 3] * 3)[1] for m in (seen, square.masks[name][0]))
                assert after <= before, (sample.record.id, name)


def test_only_rows_with_lungs_and_with_masks_that_v7_named(repository: Path) -> None:
    dataset = dataset_of(repository, require=["lungs"], exclude={"mask_source": "*inferred*"}, path="manifest.csv")
    assert dataset.records
    assert {record.attributes["mask_source"] for record in dataset.records} == {"V7 Labs, human (published)"}
    assert dataset.excluded["no mask lungs"]


def test_splits_share_no_patient(repository: Path) -> None:
    splits = patient_split(dataset_of(repository).records, {"train": 0.7, "validation": 0.1, "test": 0.2})
    counts = Counter(s for records in splits.values() for s in {record.patient_id for record in records})
    assert max(counts.values()) == 1
