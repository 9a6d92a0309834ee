"""What every reader of a published set shares."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from radedit.data.film_files import Film, FilmFiles
from radedit.data.images import write_png
from radedit.types import Record


def film(folder: Path, name: str, **more: object) -> Film:
    path = folder / f"{name}.png"
    write_png(path, torch.linspace(0, 1, 12).view(1, 3, 4), text={})
    return Film(Record(name, f"patient-{name}"), path, **more)  # type: ignore[arg-type]


def test_a_mask_is_made_on_loading_and_told_the_size_of_its_image(tmp_path: Path) -> None:
    asked = []

    def mask(size: tuple[int, int]) -> torch.Tensor:
        asked.append(size)
        return torch.ones(1, *size, dtype=torch.bool)

    films = FilmFiles("toy", tmp_path, [film(tmp_path, "a", masks={"lungs": mask})], excluded={})
    assert asked == []
    assert films.load(films.records[0]).masks["lungs"].all() and asked == [(3, 4)]


def test_a_mask_of_another_size_is_refused_with_the_record(tmp_path: Path) -> None:
    films = FilmFiles(
        "toy", tmp_path, [film(tmp_path, "a", masks={"lungs": lambda _: torch.ones(1, 5, 4) > 0})], excluded={}
    )
    with pytest.raises(ValueError, match="record 'a'.*4×5 but its image is 4×3"):
        films.load(films.records[0])


def test_an_image_listed_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.png and of a\.png"):
        FilmFiles("toy", tmp_path, [film(tmp_path, "a"), film(tmp_path, "a")], excluded={})


def test_missing_images_are_counted_and_named_unless_they_were_seen_before(tmp_path: Path) -> None:
    films = [film(tmp_path, "a"), Film(Record("b", "1"), tmp_path / "p10" / "b.png")]
    with pytest.raises(FileNotFoundError, match=r"1 of 2 images are missing.*p10/b\.png"):
        FilmFiles("toy", tmp_path, films, excluded={})
    assert len(FilmFiles("toy", tmp_path, films, excluded={}, check_files=False).records) == 2


def test_nothing_left_says_why(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="7: lateral"):
        FilmFiles("toy", tmp_path, [], excluded={"lateral": 7})


def test_the_fingerprint_survives_a_move_and_notices_another_option(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    first = FilmFiles("toy", here, [film(here, "a")], excluded={}, about={"uncertain": "absent"})
    moved = FilmFiles("toy", there, [film(there, "a")], excluded={}, about={"uncertain": "absent"})
    other = FilmFiles("toy", there, [film(there, "a")], excluded={}, about={"uncertain": "positive"})
    assert first.fingerprint == moved.fingerprint != other.fingerprint
