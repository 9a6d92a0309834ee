"""Generated sets: never half written, never written twice, and read back as any data set."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from radedit import __version__
from radedit.data.datasets.manifest.manifest import ManifestDataset
from radedit.data.io.atomic import whole_file
from radedit.data.stress_set import (
    StressSetWriter,
    edited_by,
    image_path,
    read_rows,
    read_skipped,
    require_whole_set,
)

FINGERPRINT = {"editor": {"name": "radedit", "w": 15.0}, "seed": 0, "block": 2}
BLOCKS = 4


class Killed(BaseException):
    """What no code catches, as if the process were gone."""


def noise(key: int) -> Tensor:
    return torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(key))


def block_of(number: int) -> tuple[list[dict[str, Any]], dict[str, Tensor], list[dict[str, Any]]]:
    """Two records with an edit, its sham and a mask; the second record of block 1 is bad."""
    rows: list[dict[str, Any]] = []
    images: dict[str, Tensor] = {}
    for i in (2 * number, 2 * number + 1):
        if i == 3:
            continue
        mask = image_path("lungs", f"p{i}")
        images[mask] = noise(1000 + i) > 0.5
        for k, kind in enumerate(("edit", "sham")):
            path = image_path(kind, f"p{i}")
            images[path] = noise(10 * i + k)
            rows.append(
                {
                    "id": f"p{i}/{kind}",
                    "patient_id": f"s{i}",
                    "image": path,
                    "report": "",
                    "label_pneumothorax": 0,
                    "label_drain": None,
                    "mask_lungs": mask,
                    "attr_kind": kind,
                    "attr_licence": "CC BY 4.0",
                    "directional_similarity": 0.25 + i / 100,
                    "boxes": [[1.0, 2.0, 3.0, 4.0]],
                }
            )
    return rows, images, [{"id": "p3", "reason": "Mask is 8×8."}] if number == 1 else []


def generate(folder: Path, blocks: int = BLOCKS) -> Path:
    """What the harness does: go through the blocks, leave out finished ones, compile."""
    with StressSetWriter(folder, FINGERPRINT) as writer:
        for number in range(blocks):
            if writer.claim(number):
                writer.write_block(number, *block_of(number))
        return writer.finish()


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return generate(tmp_path / "whole").parent


def test_manifest_is_read_back_as_any_data_set(whole: Path) -> None:
    dataset = ManifestDataset(whole / "manifest.csv", where={"attr_kind": "edit"})
    assert [record.id for record in dataset.records] == [f"p{i}/edit" for i in (0, 1, 2, 4, 5, 6, 7)]
    record = dataset.records[0]
    assert record.patient_id == "s0" and record.labels == {"pneumothorax": 0}
    assert record.attributes == {"kind": "edit", "licence": "CC BY 4.0"}
    sample = dataset.load(record)
    torch.testing.assert_close(sample.image, noise(0), atol=0.5 / 255 + 1e-6, rtol=0)
    assert torch.equal(sample.masks["lungs"], noise(1000) > 0.5)


def test_rows_come_back_in_order_with_everything_in_them(whole: Path) -> None:
    assert read_rows(whole) == [row for number in range(BLOCKS) for row in block_of(number)[0]]


def test_skipped_records_are_listed_with_the_reason(whole: Path) -> None:
    assert read_skipped(whole) == [{"block": 1, "id": "p3", "reason": "Mask is 8×8."}]


def test_images_say_what_they_are_and_under_which_licence(whole: Path) -> None:
    with Image.open(whole / image_path("edit", "p0")) as picture:
        text = picture.text  # type: ignore[attr-defined]
    assert "Not for clinical use" in text["Comment"]
    assert text["id"] == "p0/edit" and text["licence"] == "CC BY 4.0"


def test_same_work_gives_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    assert content(generate(tmp_path / "again").parent) == content(whole)


@pytest.mark.parametrize("after", range(1, 29, 3))  # of 28 files
def test_killed_and_resumed_equals_uninterrupted(
    after: int, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = 0

    def replace(source: Path, target: Path) -> None:
        nonlocal written
        written += 1
        if written == after:
            raise Killed
        os.rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("radedit.data.io.atomic.os.replace", replace)
        with pytest.raises(Killed):
            generate(tmp_path / "set")
    assert content(generate(tmp_path / "set").parent) == content(whole)


def test_process_that_was_killed_leaves_no_lock_and_no_rest(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "set"
    if (child := os.fork()) == 0:
        count = iter(range(100))
        rename = os.replace

        def replace(source: Path, target: Path) -> None:
            if next(count) == 9:  # an image of the second block, whose temporary file is written already
                os.kill(os.getpid(), signal.SIGKILL)
            rename(source, target)

        monkeypatch.setattr("radedit.data.io.atomic.os.replace", replace)
        generate(folder)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert list(folder.rglob("*.tmp")) and len(read_rows(folder)) == 4
    assert content(generate(folder).parent) == content(whole)


def test_finished_blocks_are_not_touched_on_resuming(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    with StressSetWriter(folder, FINGERPRINT) as writer:
        assert writer.claim(0)
        writer.write_block(0, *block_of(0))
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    generate(folder)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_finished_block_cannot_be_written_again(tmp_path: Path) -> None:
    with StressSetWriter(tmp_path / "set", FINGERPRINT) as writer:
        assert not writer.done(0)
        assert writer.claim(0)
        writer.write_block(0, *block_of(0))
        assert writer.done(0)
        assert not writer.claim(0)
        with pytest.raises(ValueError, match="Block 0 .* is finished and is never rewritten"):
            writer.write_block(0, *block_of(0))


def test_other_settings_are_refused_and_named(whole: Path) -> None:
    changed = {**FINGERPRINT, "editor": {"name": "radedit", "w": 7.5}}
    with pytest.raises(ValueError, match=r"made with other settings .*editor\.w was 15, is 7\.5"):
        StressSetWriter(whole, changed)


def test_settings_that_are_new_are_named(whole: Path) -> None:
    with pytest.raises(ValueError, match="sham was None, is True"):
        StressSetWriter(whole, {**FINGERPRINT, "sham": True})


def test_refused_writer_does_not_keep_the_lock(whole: Path) -> None:
    with pytest.raises(ValueError):
        StressSetWriter(whole, {})
    StressSetWriter(whole, FINGERPRINT).close()


def test_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ValueError, match="no stress set, but holds thesis.tex"):
        StressSetWriter(tmp_path, FINGERPRINT)


def test_two_writers_make_a_set_together(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    with StressSetWriter(folder, FINGERPRINT) as one, StressSetWriter(folder, FINGERPRINT) as other:
        assert one.claim(0) and one.claim(3) and not other.claim(0)
        for writer, number in ((other, 1), (one, 0), (other, 2), (one, 3)):
            assert writer is one or writer.claim(number)
            writer.write_block(number, *block_of(number))
            assert one.done(number) and other.done(number) and not one.claim(number) and not other.claim(number)
        for writer in (one, other):
            writer.finish()
    assert content(folder) == content(whole)  # and nothing is left of the locks


def test_block_that_was_not_claimed_may_not_be_written(tmp_path: Path) -> None:
    with (
        StressSetWriter(tmp_path / "set", FINGERPRINT) as one,
        StressSetWriter(tmp_path / "set", FINGERPRINT) as other,
    ):
        assert one.claim(0)
        with pytest.raises(RuntimeError, match="Block 0 of .* may be another process's. Ask claim"):
            other.write_block(0, *block_of(0))


@pytest.mark.parametrize("finishes", [True, False])
def test_claim_may_wait_for_who_is_at_the_block(finishes: bool, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (heard, said), (told, tell) = os.pipe(), os.pipe()
    if (child := os.fork()) == 0:
        writer = StressSetWriter(folder, FINGERPRINT)
        os.write(said, b"claimed" if writer.claim(0) else b"")
        os.read(told, 2)
        time.sleep(0.2)
        if finishes:
            writer.write_block(0, *block_of(0))
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.read(heard, 7) == b"claimed"
    with StressSetWriter(folder, FINGERPRINT) as writer:
        assert not writer.claim(0)
        os.write(tell, b"go")
        assert writer.claim(0, wait=True) is not finishes
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_nobody_removes_what_another_process_is_writing(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    with StressSetWriter(folder, FINGERPRINT), whole_file(folder / "images.png") as temporary:
        temporary.write_bytes(b"half")
        StressSetWriter(folder, FINGERPRINT).close()
        generate(folder)
        assert temporary.exists()
    assert not list(folder.rglob("*.tmp"))
    (folder / "images.png").unlink()
    assert content(folder) == content(whole)


def test_leftovers_go_with_the_last_one(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    with StressSetWriter(folder, FINGERPRINT):
        leftover = folder / ".manifest.csv.7-0123abcd.tmp"  # of a process that was killed meanwhile
        leftover.touch()
        generate(folder)
        assert leftover.exists()
    assert content(folder) == content(whole)


def test_closed_writer_writes_no_more(tmp_path: Path) -> None:
    writer = StressSetWriter(tmp_path / "set", FINGERPRINT)
    writer.close()
    with pytest.raises(RuntimeError, match="is closed"):
        writer.claim(0)
    with pytest.raises(RuntimeError, match="is closed"):
        writer.write_block(0, *block_of(0))
    with pytest.raises(RuntimeError, match="is closed"):
        writer.finish()


def test_missing_block_is_noticed_before_compiling(tmp_path: Path) -> None:
    with StressSetWriter(tmp_path / "set", FINGERPRINT) as writer:
        assert writer.claim(2)
        writer.write_block(2, *block_of(2))
        with pytest.raises(ValueError, match="lacks block 0, 1"):
            writer.finish()


def test_set_of_skipped_records_only_says_the_first_reason(tmp_path: Path) -> None:
    with StressSetWriter(tmp_path / "set", FINGERPRINT) as writer:
        assert writer.claim(0)
        writer.write_block(0, [], {}, [{"id": "p0", "reason": "truncated"}])
        assert writer.done(0)
        with pytest.raises(ValueError, match="1 records were skipped; the first: 'p0': truncated"):
            writer.finish()


def test_row_without_an_image_stays_out_of_the_manifest(tmp_path: Path) -> None:
    rows, images, _ = block_of(0)
    rows.append({"id": "p0/lance", "patient_id": "s0", "directional_similarity": None})
    with StressSetWriter(tmp_path / "set", FINGERPRINT) as writer:
        assert writer.claim(0)
        writer.write_block(0, rows, images)
        manifest = writer.finish()
    assert len(read_rows(tmp_path / "set")) == 5 and len(ManifestDataset(manifest).records) == 4


ROW = {"id": "p0", "patient_id": "s0", "image": "images/edit/p0.png"}
IMAGES = {"images/edit/p0.png": torch.zeros(1, 4, 4)}


@pytest.mark.parametrize(
    ("rows", "images", "message"),
    [
        ([{**ROW, "id": ""}], IMAGES, "id is ''"),
        ([{**ROW, "id": 7}], IMAGES, "id is 7"),
        ([{k: v for k, v in ROW.items() if k != "patient_id"}], IMAGES, "patient_id is None"),
        ([ROW, ROW], IMAGES, "'p0' is in the set twice"),
        ([{**ROW, "label_drain": 2}], IMAGES, "label_drain is 2"),
        ([{**ROW, "attr_view": ["PA"]}], IMAGES, "attr_view is "),
        ([{**ROW, "score": float("nan")}], IMAGES, "write None for what is undefined"),
        ([{**ROW, "score": torch.zeros(1)}], IMAGES, "cannot be written as JSON"),
        ([ROW], {}, "names images/edit/p0.png, which is not there"),
        ([ROW], {**IMAGES, "images/b.png": torch.zeros(1, 4, 4)}, "named by no row"),
        ([{**ROW, "image": "../p0.png"}], {"../p0.png": torch.zeros(1, 4, 4)}, "not there|not a .png inside"),
        ([ROW], {"images/edit/p0.png": torch.full((1, 4, 4), 1.5)}, "Clamp it first"),
        ([ROW], {"images/edit/p0.png": torch.zeros(4, 4)}, "shape"),
    ],
)
def test_bad_block_is_refused_and_nothing_of_it_written(
    rows: list[Mapping[str, Any]], images: dict[str, Tensor], message: str, tmp_path: Path
) -> None:
    with StressSetWriter(tmp_path / "set", FINGERPRINT) as writer:
        assert writer.claim(0)
        with pytest.raises(ValueError, match=message):
            writer.write_block(0, rows, images)
    assert set(content(tmp_path / "set")) == {"meta.json"}


def test_images_of_finished_blocks_are_never_overwritten(tmp_path: Path) -> None:
    with StressSetWriter(tmp_path / "set", FINGERPRINT) as writer:
        assert writer.claim(0)
        writer.write_block(0, [ROW], IMAGES)
        assert writer.claim(1)
        with pytest.raises(ValueError, match="belongs to a finished block"):
            writer.write_block(1, [{**ROW, "id": "p1"}], IMAGES)


def test_ids_are_unique_over_blocks_and_sessions(tmp_path: Path) -> None:
    with StressSetWriter(tmp_path / "set", FINGERPRINT) as writer:
        assert writer.claim(0)
        writer.write_block(0, [ROW], IMAGES)
    with StressSetWriter(tmp_path / "set", FINGERPRINT) as writer:
        assert writer.claim(1)
        with pytest.raises(ValueError, match="'p0' is in the set twice"):
            writer.write_block(1, [{**ROW, "image": None}], {})


def test_ids_are_unique_over_processes(tmp_path: Path) -> None:
    with StressSetWriter(tmp_path / "set", FINGERPRINT) as one, StressSetWriter(tmp_path / "set", FINGERPRINT) as other:
        for number, writer in enumerate((one, other)):
            assert writer.claim(number)
            writer.write_block(number, [{**ROW, "image": None}], {})
        with pytest.raises(ValueError, match="'p0' is in the set twice"):
            one.finish()


@pytest.mark.parametrize("record_id", ["p1", "a/b", "../x", "ä ö|?*", "x" * 400, ".", "COVID-19(1)"])
def test_any_id_makes_a_path_inside_the_folder(record_id: str, tmp_path: Path) -> None:
    path = Path(image_path("edit", record_id))
    assert path.parent == Path("images/edit") and len(path.name) < 200
    (tmp_path / path.name).touch()


def test_different_ids_make_different_paths() -> None:
    ids = ["a/b", "a_b", "a%2Fb", "a b", "x" * 400, "x" * 401]
    assert len({image_path("edit", record_id) for record_id in ids}) == len(ids)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip(path: Path) -> None:
    """One bit of a pixel: the picture can be read as before."""
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 8] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("lost", "damage"),
    [
        ("images/edit/p4.png", cut_off),
        ("images/edit/p4.png", Path.unlink),
        ("images/lungs/p5.png", lambda path: path.write_bytes(b"")),
        ("rows/block-00002.jsonl", cut_off),
        ("images/edit/p4.png", flip),
        ("images/lungs/p5.png", flip),
        ("images/lungs/p5.png", lambda path: path.write_bytes(path.with_name("p4.png").read_bytes())),
        ("images/edit/p4.png", lambda path: path.write_bytes(path.with_name("p5.png").read_bytes())),
        ("rows/block-00002.jsonl", lambda path: path.write_text(path.read_text().replace("0.29", "0.92"))),
        ("rows/block-00002.sha256", cut_off),
    ],
)
def test_block_of_which_a_file_was_lost_is_made_again_and_no_other(
    lost: str, damage: Callable[[Path], None], whole: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = content(whole)
    damage(whole / lost)
    with StressSetWriter(whole, FINGERPRINT) as writer:
        assert [writer.done(number) for number in range(BLOCKS)] == [True, True, False, True]
    assert f"Block 2 of {whole} is made again" in caplog.text
    assert not (whole / "manifest.csv").exists()  # by which others see that a set is finished
    generate(whole)
    assert content(whole) == before


@pytest.mark.parametrize("name", ["manifest.csv", "meta.json", "skipped.jsonl", "rows/block-00001.jsonl"])
def test_every_file_of_a_finished_set_has_a_checksum(name: str, whole: Path) -> None:
    require_whole_set(whole)
    (whole / name).write_bytes((whole / name).read_bytes().replace(b"p", b"q", 1))
    with pytest.raises(ValueError, match=f"{name} was changed since. Run the stress test"):
        require_whole_set(whole)


def test_set_says_which_software_edited_it(whole: Path) -> None:
    assert edited_by(whole)["versions"]["radedit"] == __version__


def test_set_that_was_moved_and_dated_otherwise_is_finished(whole: Path, tmp_path: Path) -> None:
    before = content(whole)
    moved = whole.rename(tmp_path / "elsewhere")
    for number, path in enumerate(moved.rglob("*")):
        os.utime(path, (0, 0) if number % 2 else (4e9, 4e9))  # 1970 and 2096
    with StressSetWriter(moved, FINGERPRINT) as writer:
        assert all(writer.done(number) for number in range(BLOCKS))
    assert content(moved) == before
    assert len(ManifestDataset(moved / "manifest.csv").records) == 14


@pytest.mark.parametrize("full_at", range(1, 29, 4))  # of 28 files
def test_full_disk_is_named_and_leaves_no_half_file(
    full_at: int, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, write = 0, Path.write_bytes

    def write_half(self: Path, data: bytes) -> int:
        nonlocal written
        written += 1
        if written < full_at:
            return write(self, data)
        write(self, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder = tmp_path / "set"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_half)
        with pytest.raises(OSError, match="disk is full.*make room, and run the same again") as full:
            generate(folder)
    assert str(folder) in str(full.value.filename)
    assert all(found == content(whole)[name] for name, found in content(folder).items())
    assert content(generate(folder).parent) == content(whole)
