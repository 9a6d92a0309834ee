"""`python -m radedit.edit`: one image or a folder of them, as a user types it."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid
from torch import Tensor

from radedit import __version__, edit
from radedit.data.io.file_lock import FileLock
from radedit.data.io.provenance import sha256_of
from radedit.harness.single.outputs import write_edit
from radedit.models.bundle.bundle import Bundle

CONF = Path(__file__).resolve().parents[1] / "conf"
HEIGHT, WIDTH = 48, 40
PROMPT = "prompt=No acute cardiopulmonary process."

Run = Callable[..., int]


@pytest.fixture(autouse=True)
def _logging_is_left_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in this process and returns its exit code."""

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["radedit.edit", *arguments])
        try:
            edit.main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    return run


@pytest.fixture
def run(command: Run, tiny_bundle: Path) -> Run:
    """The same with the tiny generator and two steps."""
    return lambda *arguments: command(PROMPT, f"generator.folder={tiny_bundle}", "steps=2", "out=out", *arguments)


@pytest.fixture
def grey() -> NDArray[np.uint8]:
    """An image's grey levels, shape (48, 40)."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return (40 + 2 * rows + 60 * np.sin(columns / 5) ** 2).astype(np.uint8)


@pytest.fixture
def files(grey: NDArray[np.uint8]) -> list[str]:
    """Arguments that name an image and its masks, which lie in the working folder."""
    Image.fromarray(grey).save("image.png")
    save_mask("edit.png", slice(10, 30), slice(5, 18))
    save_mask("keep.png", slice(12, 40), slice(22, 30))
    return ["image=image.png", "edit_mask=edit.png", "keep_mask=keep.png"]


def save_mask(path: str | Path, rows: slice, columns: slice, size: tuple[int, int] = (HEIGHT, WIDTH)) -> None:
    mask = np.zeros(size, dtype=np.uint8)
    mask[rows, columns] = 255
    Image.fromarray(mask).save(path)


def save_dicom(path: str | Path, stored: NDArray[np.uint16] | None, photometric: str = "MONOCHROME1") -> None:
    dataset = Dataset()
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=["edit"])
    if stored is not None:
        dataset.Rows, dataset.Columns = stored.shape
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, photometric
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation = 15, 0
        dataset.PixelData = stored.tobytes()
        dataset["PixelData"].VR = "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)


def pixels(path: str | Path) -> NDArray[Any]:
    with Image.open(path) as image:
        return np.asarray(image)


def note(image: str = "image") -> Any:
    return json.loads(Path(f"out/{image}.json").read_text())


def test_edit_has_the_images_size_and_says_that_it_is_synthetic(run: Run, files: list[str]) -> None:
    assert run(*files) == 0
    with Image.open("out/image-edited.png") as image:
        assert (image.size, image.mode) == ((WIDTH, HEIGHT), "L")
        assert image.info["Disclaimer"] == f"synthetic: edited with radedit {__version__}, not for clinical use"
    with Image.open("out/image-side-by-side.png") as image:
        assert image.width > 1000 and "synthetic" in image.info["Disclaimer"]


def test_provenance_names_everything_that_determines_the_edit(run: Run, files: list[str]) -> None:
    assert run(*files, "seed=3", "editor.w=7.5", "spacing=1.5") == 0
    found = note()
    assert found["spacing"] == 1.5
    assert found["editor"] == {"name": "radedit", "w": 7.5, "start": None}
    assert (found["seed"], found["steps"], found["prompt"]) == (3, 2, "No acute cardiopulmonary process.")
    assert all(len(found[key]["sha256"]) == 64 for key in ("image", "edit_mask", "keep_mask"))
    assert len(found["generator"]) == 64 and found["versions"]["radedit"] == __version__
    assert 0 <= found["edit_mask_lost_to_keep"] < 1
    assert found["change"]["square_to_vae_round_trip"]["keep_mask"]["max"] >= 0


def test_dicom_keeps_its_16_bits(run: Run, files: list[str], grey: NDArray[np.uint8]) -> None:
    save_dicom("image.dcm", grey.astype(np.uint16) * 13)
    assert run("image=image.dcm", *files[1:]) == 0
    assert pixels("out/image-edited.png").dtype == np.uint16
    assert "MONOCHROME1 inverted" in note()["notes"]


def test_colour_image_is_converted_with_a_note(run: Run, files: list[str], grey: NDArray[np.uint8]) -> None:
    Image.fromarray(grey).convert("RGB").save("image.png")
    assert run(*files) == 0
    assert any("colour image" in line for line in note()["notes"])


def test_kept_pixels_are_the_images_own_when_pasted_back(run: Run, files: list[str], grey: NDArray[np.uint8]) -> None:
    assert run(*files, "paste_back=keep") == 0
    edited, keep = pixels("out/image-edited.png"), pixels("keep.png") > 0
    assert (edited[keep] == grey[keep]).all() and (edited[~keep] != grey[~keep]).any()


def test_kept_pixels_are_pasted_back_unless_told_otherwise(run: Run, files: list[str], grey: NDArray[np.uint8]) -> None:
    assert run(*files) == 0
    edited, keep = pixels("out/image-edited.png"), pixels("keep.png") > 0
    assert (edited[keep] == grey[keep]).all() and note()["paste_back"]["mode"] == "keep"
    assert run(*files, "paste_back=none", "overwrite=true") == 0
    assert (pixels("out/image-edited.png")[keep] != grey[keep]).any() and note()["paste_back"]["mode"] == "none"


def test_editor_that_does_not_read_the_keep_mask_shows_what_it_does_inside(run: Run, files: list[str]) -> None:
    assert run(*files, "editor=lance") == 0
    assert note()["paste_back"]["mode"] == "none"


def test_all_but_the_edit_mask_is_the_images_own_when_pasted_outside(
    run: Run, files: list[str], grey: NDArray[np.uint8]
) -> None:
    assert run(*files, "paste_back=outside") == 0
    edited, inside = pixels("out/image-edited.png"), pixels("edit.png") > 0
    assert (edited[~inside] == grey[~inside]).all() and (edited[inside] != grey[inside]).any()


@pytest.mark.slow
@pytest.mark.parametrize("editor", sorted(path.stem for path in (CONF / "editor").glob("*.yaml")))
def test_every_editor_can_be_chosen(editor: str, run: Run, files: list[str]) -> None:
    assert run(*files, f"editor={editor}") == 0
    assert note()["editor"]["name"] == editor


def test_editor_without_masks_needs_none(run: Run, files: list[str]) -> None:
    assert run(files[0], "editor=lance") == 0
    assert note()["edit_mask"] is None and note()["change"]["output_to_input"]["edit_mask"] is None


@pytest.mark.slow
def test_image_in_a_folder_is_edited_as_it_is_alone(run: Run, files: list[str], grey: NDArray[np.uint8]) -> None:
    for folder in ("images", "edits"):
        Path(folder).mkdir()
    for name in ("a", "image"):
        Image.fromarray(grey if name == "image" else 255 - grey).save(f"images/{name}.png")
        save_mask(f"edits/{name}.png", slice(10, 30), slice(5, 18))
    assert run("image=images", "edit_mask=edits") == 0
    together = [Path(f"out/image-{name}.png").read_bytes() for name in ("edited", "side-by-side")]
    assert run(*files[:2], "out=alone") == 0
    assert together == [Path(f"alone/image-{name}.png").read_bytes() for name in ("edited", "side-by-side")]


@pytest.mark.slow
def test_another_seed_is_another_edit(run: Run, files: list[str]) -> None:
    assert run(*files) == 0 and run(*files, "seed=1", "out=other") == 0
    assert (pixels("out/image-edited.png") != pixels("other/image-edited.png")).any()


def test_finished_edit_is_not_made_again(run: Run, files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*files) == 0
    before = Path("out/image-edited.png").stat().st_mtime_ns
    assert run(*files) == 0
    assert Path("out/image-edited.png").stat().st_mtime_ns == before
    assert "finished already" in capsys.readouterr().out


@pytest.mark.slow
def test_damaged_output_is_made_again(run: Run, files: list[str]) -> None:
    assert run(*files) == 0
    whole = Path("out/image-edited.png").read_bytes()
    Path("out/image-edited.png").write_bytes(whole[:100])
    assert run(*files) == 0
    assert Path("out/image-edited.png").read_bytes() == whole


@pytest.fixture
def named_files(grey: NDArray[np.uint8]) -> list[str]:
    """Arguments that name folders of one image and its mask, both called after a patient."""
    for folder in ("images", "Smith John"):
        Path(folder).mkdir()
    Image.fromarray(grey).save("images/SMITH_JOHN_1950.png")
    levels = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    levels[10:30, 5:18], levels[10, 5:18] = 255, np.linspace(1, 254, 13)  # of which a note is made
    Image.fromarray(levels).save("Smith John/SMITH_JOHN_1950.png")
    save_mask("Smith John/keep.png", slice(0), slice(0))
    return ["image=images", "edit_mask=Smith John"]


def test_file_name_that_may_be_a_persons_names_no_output_unless_asked(run: Run, named_files: list[str]) -> None:
    named_files = [f"{one}/SMITH_JOHN_1950.png" for one in named_files] + ["keep_mask=Smith John/keep.png"]
    assert run(*named_files) == 0
    (edited,) = Path("out").glob("*-edited.png")
    id_ = edited.name.removesuffix("-edited.png")
    assert note(id_)["id"] == id_ == f"image-{sha256_of(Path('images/SMITH_JOHN_1950.png'))[:12]}"
    assert any("grey levels instead of two" in line for line in note(id_)["notes"])
    assert any("keep.png is empty" in line for line in note(id_)["notes"])
    for path in Path("out").iterdir():
        assert b"smith" not in (path.name.encode() + path.read_bytes()).lower(), path
    assert run(*named_files, "names=file", "out=asked") == 0
    assert Path("asked/SMITH_JOHN_1950-edited.png").exists()


@pytest.mark.slow
def test_image_called_after_a_person_is_edited_alike_in_a_folder_alone_under_another_name_and_from_python(
    run: Run, named_files: list[str], tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*named_files) == 0
    assert "of SMITH_JOHN_1950.png: not named after it" in capsys.readouterr().out
    for one in ("images", "Smith John"):
        Path(f"{one}/SMITH_JOHN_1950.png").rename(f"{one}/MÜLLER.png")
    assert run("image=images/MÜLLER.png", "edit_mask=Smith John/MÜLLER.png", "out=alone") == 0
    together, alone = ({path.name: path.read_bytes() for path in Path(out).glob("*")} for out in ("out", "alone"))
    assert together == alone
    (edited,) = Path("out").glob("*-edited.png")
    found = edit("images/MÜLLER.png", "Smith John/MÜLLER.png", PROMPT.removeprefix("prompt="), steps=2,
                 generator=tiny_bundle, w=5.0)  # fmt: skip
    assert note(edited.name.removesuffix("-edited.png"))["fingerprint"] == found.provenance["fingerprint"]
    assert "LLER" not in json.dumps(found.provenance, ensure_ascii=False)


def test_names_that_are_no_choice_are_refused(run: Run, files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*files, "names=always") == 2
    assert "names is 'always'; allowed are auto, file, content." in capsys.readouterr().err


@pytest.mark.slow
def test_another_edit_is_replaced_only_on_request(
    run: Run, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*files) == 0
    assert run(*files, "editor.w=2") == 2
    assert "differs in editor" in capsys.readouterr().err and note()["editor"]["w"] == 5
    assert run(*files, "editor.w=2", "overwrite=true") == 0 and note()["editor"]["w"] == 2


# A missing generator would be noticed last, so these are noticed before one is loaded

MISTAKES = {
    "no image": ([PROMPT], "image was not given. Say image=… (a PNG, JPEG or DICOM file, or a folder of them)."),
    "no prompt": (["image=image.png"], "prompt was not given"),
    "empty prompt": (["image=image.png", "prompt="], "prompt is empty"),
    "missing image": ([PROMPT, "image=nope.png"], "no file or folder nope.png"),
    "missing mask": (
        [PROMPT, "image=image.png", "edit_mask=nope.png"],
        "edit_mask: there is no file or folder nope.png",
    ),
    "no edit mask": ([PROMPT, "image=image.png"], "edit_mask was not given, but is needed here: a PNG of 40×48"),
    "mask of another size": ([PROMPT, "image=image.png", "edit_mask=small.png"], "is 20×20 but its image is 40×48"),
    "empty mask": ([PROMPT, "image=image.png", "edit_mask=black.png"], "black.png is empty"),
    "all is kept": (
        [PROMPT, "image=image.png", "edit_mask=edit.png", "keep_mask=edit.png"],
        "covers all of the edit mask",
    ),
    "edit mask is cut off": ([PROMPT, "image=image.png", "edit_mask=top.png"], "outside the image's centre square"),
    "corrupt PNG": ([PROMPT, "image=corrupt.png", "edit_mask=edit.png"], "corrupt.png cannot be read"),
    "text file": ([PROMPT, "image=notes.txt", "edit_mask=edit.png"], "no known format"),
    "DICOM without pixels": ([PROMPT, "image=report.dcm", "edit_mask=edit.png"], "holds no pixels"),
    "keep mask to paste": (
        [PROMPT, "image=image.png", "edit_mask=edit.png", "paste_back=keep"],
        "keep_mask was not given",
    ),
    "misspelt key": ([PROMPT, "edit_maks=edit.png"], "Did you mean edit_mask"),
    "misspelt parameter": (
        [PROMPT, "editor=lance", "editor.ww=3"],
        "There is no 'editor.ww' in conf/edit.yaml. Did you",
    ),
    "unknown editor": ([PROMPT, "editor=radedt"], "There is no editor 'radedt'. Did you mean radedit"),
    "no key": ([PROMPT, "image.png"], "'image.png' can't be read. Arguments are key=value"),
    "w is no number": ([PROMPT, "image=image.png", "editor.w=much"], "editor.w is 'much'; allowed are numbers"),
    "steps is no number": ([PROMPT, "image=image.png", "steps=ten"], "steps is 'ten'; allowed are whole numbers"),
    "start beyond steps": ([PROMPT, "image=image.png", "start=51"], "start is 51; allowed are the steps 1…50"),
    "unknown paste_back": ([PROMPT, "image=image.png", "paste_back=yes"], "allowed are none, keep, contrast, outside"),
    "no folder to write": ([PROMPT, "image=image.png", "edit_mask=edit.png", "out=notes.txt/x"], "can't be written"),
    "masks for a folder": (
        [PROMPT, "image=images", "edit_mask=edit.png"],
        "image is a folder, but edit_mask is the file",
    ),
    "folder without images": ([PROMPT, "image=images"], "There is no image in images"),
    "no generator": ([PROMPT, "image=image.png", "edit_mask=edit.png"], "No generator bundle in"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_named_in_one_line(
    mistake: str, command: Run, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    save_mask("small.png", slice(5, 9), slice(5, 9), size=(20, 20))
    save_mask("black.png", slice(0), slice(0))
    save_mask("top.png", slice(0, 3), slice(None))
    Path("corrupt.png").write_bytes(Path("image.png").read_bytes()[:60])
    Path("notes.txt").write_text("no image")
    Path("images").mkdir()
    save_dicom("report.dcm", None)
    arguments, message = MISTAKES[mistake]
    assert command("generator.folder=nowhere", *arguments) == 2
    errors = capsys.readouterr().err
    assert message in errors and errors.count("\n") == 1, errors
    assert not list(Path().glob("outputs/edit/*.json"))


def test_bad_image_of_a_folder_stops_no_other(
    run: Run, grey: NDArray[np.uint8], capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("images", "edits"):
        Path(folder).mkdir()
    for name in ("a", "b", "c"):
        Image.fromarray(grey).save(f"images/{name}.png")
        save_mask(f"edits/{name}.png", slice(10, 30), slice(5, 18))
    Path("images/b.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    Path("edits/c.png").unlink()
    Path("images/readme.txt").write_text("no image")
    assert run("image=images", "edit_mask=edits") == 1
    assert Path("out/a-edited.png").exists() and not Path("out/b-edited.png").exists()
    out = capsys.readouterr().out
    assert "Not read, as they are no images by their names: readme.txt" in out
    assert "2 of 3 images could not be edited" in out and "b.png: " in out and "has no mask for 'c'" in out


@pytest.fixture
def folder_of_images(grey: NDArray[np.uint8]) -> list[str]:
    """Arguments that name a folder of three images and one of their masks."""
    for folder in ("images", "edits"):
        Path(folder).mkdir()
    for name in ("a", "b", "c"):
        Image.fromarray(grey).save(f"images/{name}.png")
        save_mask(f"edits/{name}.png", slice(10, 30), slice(5, 18))
    return ["image=images", "edit_mask=edits"]


@pytest.mark.slow
def test_a_full_disk_ends_the_command_and_the_same_one_goes_on(
    run: Run, folder_of_images: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if not self.name.startswith(".b-edited"):
            return write(self, data)
        write(self, data[:50])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert run(*folder_of_images) == 2
    assert "b-edited.png: the disk is full" in capsys.readouterr().err
    assert {path.name for path in Path("out").glob("*.json")} == {"a.json"}
    assert not list(Path("out").glob("b*")) and not list(Path("out").glob(".b*"))
    assert run(*folder_of_images) == 0
    out = capsys.readouterr().out
    assert "1/3 a.png is finished already" in out and {f"{path.stem}" for path in Path("out").glob("*.json")} == set(
        "abc"
    )


@pytest.mark.slow
def test_ctrl_c_finishes_the_image_and_the_same_command_goes_on(
    run: Run, folder_of_images: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pressed(*given: Any) -> Path:
        signal.raise_signal(signal.SIGINT)
        return write_edit(*given)

    with monkeypatch.context() as patch:
        patch.setattr("radedit.harness.single.folder.write_edit", pressed)
        assert run(*folder_of_images) == 130
    assert "the same command goes on from there" in capsys.readouterr().err
    assert [path.name for path in Path("out").glob("*.json")] == ["a.json"]
    assert run(*folder_of_images) == 0
    assert "1/3 a.png is finished already" in capsys.readouterr().out


def test_two_commands_do_not_write_one_folder(
    run: Run, folder_of_images: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("out").mkdir()
    with FileLock("out/.lock"):
        assert run(*folder_of_images) == 2
    assert f"error: out is being written by process {os.getpid()} on " in capsys.readouterr().err


def test_images_of_which_the_network_gives_nan_are_not_written_and_listed(
    run: Run, folder_of_images: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    decode, asked = Bundle.decode, []

    def nan_for_the_second(self: Bundle, latents: Tensor) -> Tensor:
        asked.append(1)
        return decode(self, latents) * (torch.nan if len(asked) == 3 else 1)  # two an image: the edit, the round trip

    monkeypatch.setattr(Bundle, "decode", nan_for_the_second)
    assert run(*folder_of_images) == 1
    out = capsys.readouterr().out
    assert "1 of 3 images could not be edited" in out and "b.png: The edit diverged" in out
    assert {path.name for path in Path("out").glob("*.json")} == {"a.json", "c.json"}


@pytest.mark.slow
def test_command_ends_without_a_traceback(files: list[str], repository: Path) -> None:
    command = [sys.executable, "-m", "radedit.edit", "image=image (1).png", *files[1:], "prompt=Effusion, left."]
    done = subprocess.run(command, capture_output=True, text=True, cwd=repository, check=False)
    assert done.returncode == 2
    assert (
        done.stderr.startswith("error: image: there is no file or folder image (1).png")
        and "\n" not in done.stderr[:-1]
    )
