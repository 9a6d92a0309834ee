"""Images that a user names, one or a folder of them: which can be edited, and which masks are theirs."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from radedit.data.io.atomic import is_temporary, whole_file, write_atomically
from radedit.editing import sdedit
from radedit.harness.single.edit import EditSettings
from radedit.harness.single.folder import edit_images
from radedit.harness.single.inputs import find_images
from radedit.harness.single.names import may_be_a_persons

Check = Callable[[], dict[str, str]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """What is said of images in a folder before the generator is loaded: file name → why it is refused."""
    (tmp_path / "images").mkdir()

    class ReadyError(Exception):
        """All that can be checked was checked."""

    def load() -> Any:
        raise ReadyError

    def run() -> dict[str, str]:
        found, refused, _ = find_images(tmp_path / "images", None, None, "file")
        settings = EditSettings("No acute disease.", partial(sdedit.edit, w=1.0), steps=2)
        for one in found:  # one by one, as the generator would be loaded for the first that is ready
            with suppress(ReadyError):
                refused |= edit_images([one], settings, load, lambda _: b"", tmp_path / "out")
        return refused

    return run


def save(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.arange(320, dtype=np.uint16).reshape(16, 20).astype(np.uint8)).save(path)


def test_name_that_is_too_long_for_its_outputs_refuses_that_image_alone(tmp_path: Path, check: Check) -> None:
    for name in ("a", "x" * 250, "y" * 238, "é" * 120):
        save(tmp_path / f"images/{name}.png")
    refused = check()
    assert set(refused) == {f"{'x' * 250}.png", f"{'é' * 120}.png"}
    assert "an output named after it has 267 bytes, the file system allows 255" in refused[f"{'x' * 250}.png"]


def test_link_to_nothing_is_listed(tmp_path: Path, check: Check) -> None:
    save(tmp_path / "images/a.png")
    (tmp_path / "images/b.png").symlink_to("gone.png")
    assert check() == {"b.png": "it is a link to gone.png, which is not there."}


def test_file_of_the_longest_name_is_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("x" * 251 + ".png"), b"1")
    write_atomically(tmp_path / ("é" * 125 + ".png"), b"2")
    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == [b"1", b"2"]
    with whole_file(tmp_path / ("é" * 125)) as temporary:
        temporary.touch()
        assert is_temporary(temporary)


@pytest.mark.parametrize("name", ["a\nb", "a\u2028b", "a\x1b[31mb", "a\udcffb"])
def test_name_that_cannot_be_printed_refuses_that_image_alone(tmp_path: Path, check: Check, name: str) -> None:
    save(tmp_path / "images/a.png")
    os.rename(
        tmp_path / "images/a.png", os.fsencode(tmp_path / "images") + f"/{name}.png".encode(errors="surrogateescape")
    )
    save(tmp_path / "images/b.png")
    refused = check()
    assert len(refused) == 1 and "cannot be printed" in next(iter(refused.values()))
    assert all(text.isprintable() for entry in refused.items() for text in entry)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_mask_is_found_however_its_accents_are_written(tmp_path: Path, form: str) -> None:
    other = "NFD" if form == "NFC" else "NFC"
    image, mask = (unicodedata.normalize(f, "Žofín") for f in (form, other))  # type: ignore[arg-type]
    save(tmp_path / f"images/{image}.png")
    save(tmp_path / f"masks/{mask}.png")
    found, refused, _ = find_images(tmp_path / "images", tmp_path / "masks", None, "file")
    assert not refused and found[0].edit_mask == tmp_path / f"masks/{mask}.png"
    assert found[0].id == "Žofín"
    single, _, _ = find_images(tmp_path / f"images/{mask}.png", None, None)
    assert single[0].image == tmp_path / f"images/{image}.png"


def test_names_that_differ_in_their_accents_alone_are_of_one_output(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        save(tmp_path / f"images/{unicodedata.normalize(form, 'é')}.png")  # type: ignore[arg-type]
    _, refused, _ = find_images(tmp_path / "images", None, None, "file")
    assert len(refused) == 2 and all("would be edited into one file" in reason for reason in refused.values())


@pytest.mark.parametrize(
    "name",
    ["SMITH_JOHN_1950", "Li", "anna", "Doe^Jane", "image_of_Mrs_Jones", "12_meier_pa", "王", "Žofín", "smith1950", "é"],
)
def test_word_that_may_be_a_name_is_seen(name: str) -> None:
    assert may_be_a_persons(name)


@pytest.mark.parametrize(
    "name",
    [
        "x", "image-1", "00000001_000", "view1_frontal", "p7", "R0001", "1.2.840.113619.2.1",
        "02aa804e-bde0afdd-112c0b34-7bc16630-4e384014", "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "sub-S03044_ses-E08230_run-1_bp-chest_vp-ap_cr", "0a3f5c7e9b1d2468", "IMG_20240101", "CXR 12 PA",
    ],
)  # fmt: skip
def test_names_of_published_radiographs_are_no_persons(name: str) -> None:
    assert not may_be_a_persons(name)


def test_images_that_would_share_a_name_made_of_their_content_are_refused_with_the_remedy(tmp_path: Path) -> None:
    for name in ("Ann", "Ben", "a"):
        save(tmp_path / f"images/{name}.png")
    found, refused, _ = find_images(tmp_path / "images", None, None)
    assert [one.id for one in found] == ["a"] and set(refused) == {"Ann.png", "Ben.png"}
    assert "named after their content. Leave all but one out, or say names=file" in refused["Ann.png"]
    found, refused, _ = find_images(tmp_path / "images", None, None, "file")
    assert [one.id for one in found] == ["Ann", "Ben", "a"] and not refused
