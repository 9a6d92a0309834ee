"""What every dataset of a published set shares."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from radedit.data.image.files import write_png
from radedit.data.layouts.image_files import ImageFile, ImageFiles
from radedit.types import Record


def image(folder: Path, name: str, **more: object) -> ImageFile:
    path = folder / f"{name}.png"
    write_png(path, torch.linspace(0, 1, 12).view(1, 3, 4), text={})
    return ImageFile(Record(name, f"patient-{name}"), path, **more)  # type: ignore[arg-type]


def test_a_mask_is_made_on_loading_and_told_the_size_of_its_image(tmp_path: Path) -> None:
    asked = []

    def mask(size: tuple[int, int]) -> torch.Tensor:
        asked.append(size)
        return torch.ones(1, *size, dtype=torch.bool)

    images = ImageFiles("toy", tmp_path, [image(tmp_path, "a", masks={"lungs": mask})], excluded={})
    assert asked == []
    assert images.load(images.records[0]).masks["lungs"].all() and asked == [(3, 4)]


def test_a_mask_of_another_size_is_refused_with_the_record(tmp_path: Path) -> None:
    images = ImageFiles(
        "toy", tmp_path, [image(tmp_path, "a", masks={"lungs": lambda _: torch.ones(1, 5, 4) > 0})], excluded={}
    )
    with pytest.raises(ValueError, match="record 'a'.*4×5 but its image is 4×3"):
        images.load(images.records[0])


def test_an_image_listed_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.png and of a\.png"):
        ImageFiles("toy", tmp_path, [image(tmp_path, "a"), image(tmp_path, "a")], excluded={})


def test_missing_images_are_counted_and_named_unless_they_were_seen_before(tmp_path: Path) -> None:
    images = [image(tmp_path, "a"), ImageFile(Record("b", "1"), tmp_path / "p10" / "b.png")]
    with pytest.raises(FileNotFoundError, match=r"1 of 2 images are missing.*p10/b\.png"):
        ImageFiles("toy", tmp_path, images, excluded={})
    assert len(ImageFiles("toy", tmp_path, images, excluded={}, check_files=False).records) == 2


def test_nothing_left_says_why(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="7: lateral"):
        ImageFiles("toy", tmp_path, [], excluded={"lateral": 7})


def test_the_fingerprint_survives_a_move_and_notices_another_option(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    first = ImageFiles("toy", here, [image(here, "a")], excluded={}, about={"uncertain": "absent"})
    moved = ImageFiles("toy", there, [image(there, "a")], excluded={}, about={"uncertain": "absent"})
    other = ImageFiles("toy", there, [image(there, "a")], excluded={}, about={"uncertain": "positive"})
    assert first.fingerprint == moved.fingerprint != other.fingerprint
