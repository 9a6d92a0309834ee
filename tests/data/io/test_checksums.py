"""Damage is seen: of a folder by its checksums, of a single file by its seal."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from radedit.data.io.checksums import FILE, read_sealed, read_sums, require_whole, sums_of, write_sealed, write_sums


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for name in ("a.csv", "images/b c.png"):
        (tmp_path / name).write_bytes(name.encode() * 9)
    write_sums(tmp_path / FILE, sums_of(tmp_path, ["a.csv", "images/b c.png"]))
    return tmp_path


def test_sums_are_those_that_every_machine_can_check(folder: Path) -> None:
    require_whole(folder, "The set", "Make it again.")
    subprocess.run(["sha256sum", "--check", "--quiet", FILE], cwd=folder, check=True)


def flip(path: Path, at: int = 3) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [flip, Path.unlink, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("name", ["a.csv", "images/b c.png"])
def test_damaged_file_is_named_with_the_remedy(damage: object, name: str, folder: Path) -> None:
    assert callable(damage)
    damage(folder / name)
    with pytest.raises(ValueError, match=rf"{name} (was changed|is missing) since. Make it again.") as error:
        require_whole(folder, "The set", "Make it again.")
    assert "The set is not as it was written" in str(error.value)


def test_damaged_sums_are_named(folder: Path) -> None:
    (folder / FILE).write_text("no sums\n")
    with pytest.raises(ValueError, match=f"{FILE} is damaged"):
        read_sums(folder / FILE)


def test_sealed_file_comes_back(tmp_path: Path) -> None:
    write_sealed(tmp_path / "a", b"id,p\n1,0.5\n")
    assert read_sealed(tmp_path / "a") == b"id,p\n1,0.5\n" and read_sealed(tmp_path / "b") is None


def test_every_flipped_bit_of_a_sealed_file_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_sealed(path, b"id,p\n1,0.5\n")
    for at in range(path.stat().st_size):
        flip(path, at)
        assert read_sealed(path) is None
        flip(path, at)
    assert read_sealed(path) is not None


def test_sealed_file_of_another_name_is_none(tmp_path: Path) -> None:
    """As of another model's predictions, copied to the place of this one's."""
    write_sealed(tmp_path / "a", b"1\n")
    (tmp_path / "a").rename(tmp_path / "b")
    assert read_sealed(tmp_path / "b") is None
