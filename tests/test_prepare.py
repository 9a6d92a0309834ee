"""`python -m radedit.prepare` checks a download: what is there, what is missing, and nothing is written into it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from radedit import prepare
from radedit.data.batches.latents import LatentData
from radedit.data.batches.module import ImageData
from radedit.data.datasets.bimcv.siim_fisabio_rsna import SiimFisabioRsna
from radedit.models.bundle.bundle import hash_folder
from radedit.types import Dataset
from tests.commands import run
from tests.data.fixtures.siim_fisabio_rsna import RADIOGRAPHS, place, write_siim_fisabio_rsna
from tests.tiny_bundle import SIZE


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_siim_fisabio_rsna(tmp_path / "siim")


def words(root: Path, *more: str) -> list[str]:
    return ["dataset=siim_fisabio_rsna", f"dataset.root={root}", "out=out", "workers=1", *more]


def test_a_whole_download_is_counted_and_shown(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(prepare.main, words(root)) == 0
    assert "SIIM-FISABIO-RSNA: 5 images of 3 patients" in capsys.readouterr().out
    assert json.loads(Path("out/summary.json").read_text())["labels"]["covid"] == {"1": 3, "0": 2, "not read": 0}
    with Image.open("out/sheet.png") as sheet:
        assert min(sheet.size) > 200
        pixels = sheet.convert("RGB").crop((0, 40, *sheet.size)).getcolors(2**24) or []
    assert any(max(colour) - min(colour) > 60 for _, colour in pixels if isinstance(colour, tuple))  # boxes, in colour


def test_half_a_download_says_what_is_missing_and_ends_with_2(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place(root, RADIOGRAPHS[1]).unlink()
    assert run(prepare.main, words(root)) == 2
    assert "Files are missing" in capsys.readouterr().out
    assert RADIOGRAPHS[1].image in Path("out/missing.csv").read_text() and not Path("out/index.parquet").exists()


def test_a_download_without_its_tables_ends_with_2(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "train_study_level.csv").unlink()
    assert run(prepare.main, words(root)) == 2
    assert "train_study_level.csv" in capsys.readouterr().err


def test_a_damaged_image_is_listed_and_no_failure(root: Path) -> None:
    path = place(root, RADIOGRAPHS[1])
    path.write_bytes(path.read_bytes()[:-500])
    assert run(prepare.main, words(root)) == 0
    assert RADIOGRAPHS[1].image in Path("out/unreadable.csv").read_text()


@pytest.mark.parametrize("name", ["out", "cache"])
def test_nothing_is_written_into_the_set(name: str, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(root.rglob("*"))
    assert run(prepare.main, words(root, f"{name}={root}/made/here")) == 2
    assert f"{name} is" in capsys.readouterr().err and sorted(root.rglob("*")) == before


@pytest.mark.slow
def test_latents_are_those_that_a_training_on_the_same_set_looks_for(root: Path, tiny_bundle: Path) -> None:
    more = ("latents=true", f"size={SIZE}", f"generator.folder={tiny_bundle}", "generator.device=cpu")
    assert run(prepare.main, words(root, *more)) == 0
    (ready,) = Path(".cache/latents").glob("*.npy")

    class Nobody:
        """Of other patients than the set's; asked for nothing."""

        records = ()

    train: Dataset = SiimFisabioRsna(root)
    images = ImageData(train, Nobody(), size=SIZE, batch_size=1, cache=".cache/images")  # type: ignore[arg-type]
    del images.datasets["val"], images.paths["val"]
    data = LatentData(images, batch_size=1, cache=".cache/latents")
    data.use(lambda _: pytest.fail("encoded again"), hash_folder(tiny_bundle / "vae"))
    data.setup()
    assert len(data.latents["train"]) == 5 and [ready] == list(Path(".cache/latents").glob("*.npy"))


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([], "No dataset was given. Say dataset=… with one of: "),
        (["dataset=bimcv"], "dataset.root was not given"),
        (["dataset=bimcv", "dataset.root=nowhere"], "no table labels"),
        (["dataset=siim_fisabio_rsna", "dataset.root=nowhere"], "There is no file"),
    ],
)
def test_what_is_not_there_is_asked_for(more: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(prepare.main, more) == 2
    assert told in capsys.readouterr().err


def test_an_encoder_for_images_of_another_size_is_refused_at_once(
    root: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(prepare.main, words(root, "latents=true", f"generator.folder={tiny_bundle}")) == 2
    assert f"Say size={SIZE}" in capsys.readouterr().err and not Path("out").exists()
