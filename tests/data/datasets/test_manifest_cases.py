"""Manifests with which rows, masks or boxes got lost on the way."""

from __future__ import annotations

import logging
import struct
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radedit.data.datasets.manifest.manifest import ManifestDataset

Make = Callable[..., Path]


@pytest.fixture
def manifest(tmp_path: Path) -> Make:
    """Writes images and masks, and a manifest of them; returns its path."""

    def write(ids: list[str], names: list[str] | None = None, boxes: list[str] | None = None) -> Path:
        names = names or [f"{number}.png" for number in range(len(ids))]
        lines = ["id,patient_id,image,mask_lungs"]
        grey = np.arange(320, dtype=np.uint16).reshape(16, 20).astype(np.uint8)
        for number, (id_, name) in enumerate(zip(ids, names, strict=True)):
            Image.fromarray(grey).save(tmp_path / name)
            Image.fromarray((grey > 99).astype(np.uint8)).save(tmp_path / f"mask-{number}.png")
            lines.append(f'"{id_}",s{number},{name},mask-{number}.png')
        (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        if boxes is not None:
            rows = [f"{key},heart,1,1,5,5" for key in boxes]
            (tmp_path / "boxes.csv").write_text("\n".join(["id,name,x,y,width,height", *rows]) + "\n", encoding="utf-8")
        return tmp_path / "manifest.csv"

    return write


@pytest.mark.parametrize(
    ("key", "known"), [("12", "0012"), ("0012.0", "0012"), ("A7", "a7"), ("image.png", "image"), ("image", "image.dcm")]
)
def test_box_whose_key_was_changed_by_a_spreadsheet_is_an_error(manifest: Make, key: str, known: str) -> None:
    path = manifest([known, "other"], boxes=["other", key])
    with pytest.raises(
        ValueError, match=rf"boxes.csv, line 3: id '{key}' is in no row of .*, but '{known}' is; 1 of 2"
    ):
        ManifestDataset(path, boxes={})


def test_boxes_of_no_image_are_counted_and_one_is_named(manifest: Make, caplog: pytest.LogCaptureFixture) -> None:
    path = manifest(["a", "b"], boxes=["a", "x", "y"])
    with caplog.at_level(logging.WARNING):
        dataset = ManifestDataset(path, boxes={})
    assert dataset.drawn(dataset.records[0])[1] == {"heart"}
    assert "2 of 3 rows of" in caplog.text and "such as line 3, id 'x'" in caplog.text


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_meet_however_their_accents_are_written(manifest: Make, form: str) -> None:
    here, there = (unicodedata.normalize(f, "Žofín") for f in (form, "NFC" if form == "NFD" else "NFD"))  # type: ignore[arg-type]
    path = manifest(["a", here], boxes=[there])
    (path.parent / "1.png").rename(path.parent / f"{here}.png")
    path.write_text(path.read_text(encoding="utf-8").replace("1.png,", f"{there}.png,", 1), encoding="utf-8")
    dataset = ManifestDataset(path, boxes={})
    named = dataset.records[1]
    assert named.id == "Žofín" and dataset.load(named).boxes["heart"]


@pytest.mark.parametrize("id_", ["..", ".", "a\nb", "a\u2028b", "a\x1bb", "a\u202eb"])
def test_id_that_cannot_be_printed_is_refused(manifest: Make, id_: str) -> None:
    with pytest.raises(ValueError, match="Allowed are characters that can be printed, and not dots alone"):
        ManifestDataset(manifest(["a", id_]))


def oversized() -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("file", ["1.png", "mask-1.png"])
@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"\0" * 128 + b"DICM\0", oversized()])
def test_image_that_cannot_be_read_is_left_out_counted_and_listed(
    manifest: Make, file: str, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = manifest(["a", "b", "c"])
    (path.parent / file).write_bytes(content)
    with caplog.at_level(logging.WARNING):
        dataset = ManifestDataset(path, check_sizes=True)
    assert [record.id for record in dataset.records] == ["a", "c"]
    assert sum(dataset.excluded.values()) == 1
    assert "1 of 3 images are left out" in caplog.text and file in caplog.text and "line 3" in caplog.text


def test_set_of_which_nothing_can_be_read_is_refused(manifest: Make) -> None:
    path = manifest(["a"])
    (path.parent / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ValueError, match="No image is left"):
        ManifestDataset(path, check_sizes=True)
