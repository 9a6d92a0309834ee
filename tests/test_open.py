"""`make open` as a user has it, on a folder in realcxr's layout: three short trainings, a stress test, a report."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from hydra.utils import instantiate
from omegaconf import OmegaConf

from radedit.app.configuration import WEIGHTS, composed
from radedit.models.bundle.bundle import Bundle
from tests.realcxr_folder import write_realcxr


@pytest.fixture(autouse=True)
def _logging_is_left_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def run(module: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    """Run an entry point in this process."""
    from radedit import stress, train

    main = {"train": train.main, "stress": stress.main}[module]
    monkeypatch.setattr(sys, "argv", [f"radedit.{module}", "logger=csv", *arguments])
    main()


@pytest.mark.slow
def test_from_a_folder_of_radiographs_to_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = f"realcxr={write_realcxr(tmp_path / 'realcxr', 60, joined=2)}"
    short = ["max_steps=2", "data.batch_size=2", "trainer.limit_val_batches=1", "trainer.enable_progress_bar=false"]
    few = ["data.train.datasets.real.copies=2", "data.train.datasets.phantom.n=4"]
    run("train", monkeypatch, "+experiment=autoencoder", "setting=open", images, *short, *few)
    few = [few_.replace("data.", "data.images.") for few_ in few]
    few += ["data.images.train.datasets.drawn.dataset.copies=2"]
    run("train", monkeypatch, "+experiment=diffusion", "setting=open", images, *short, *few)
    assert (tmp_path / "outputs/open/bundle/text_encoder").is_dir()  # the phantom's, as it was

    run(
        "stress",
        monkeypatch,
        "+scenario=population",
        "setting=open",
        "preset=smoke",
        'seeds="0"',
        "additions=consolidation_left",
        images,
    )
    folder = next((tmp_path / "outputs/stress").glob("population-*"))
    results = json.loads((folder / "results.json").read_text())
    assert results["setting"] == "open" and results["scenario"]["added"]
    assert results["counts"]["edited"] + results["counts"]["skipped"] == results["counts"]["sources"]
    assert results["generator"]
    assert "How good is this generator?" in (folder / "report.html").read_text()


def test_a_folder_that_is_not_realcxr_is_refused_before_any_work(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("id,image\n")
    for folder in (tmp_path / "nowhere", tmp_path):
        command = ["make", "-C", str(repository), "open", f"PY={sys.executable}", f"REALCXR={folder}"]
        ended = subprocess.run(command, capture_output=True, text=True)
        assert ended.returncode == 2
        assert f"{folder} is no folder of openly licensed radiographs" in ended.stderr
        assert "make open REALCXR=" in ended.stderr


def test_the_weak_segmenter_learns_from_one_source_and_the_strong_one_from_two() -> None:
    parts = {name: composed("train", [f"+experiment=open/lungs_{name}"]).data for name in ("weak", "strong")}
    for split in ("train", "val"):
        weak: Any
        strong: Any
        weak, strong = (OmegaConf.to_object(parts[name][split]) for name in ("weak", "strong"))
        assert weak["dataset"].pop("where") == {"source": "cohen"} and strong["dataset"].pop("where") == {}
        assert weak == strong and weak["part"] == split and weak["dataset"]["require"] == ["lungs"]


def test_generator_begins_with_the_phantoms_own_networks() -> None:
    shipped = Bundle.load(WEIGHTS / "phantom")
    begun = {
        "vae": instantiate(composed("train", ["+experiment=open/autoencoder"]).module.vae),
        "unet": UNet2DConditionModel.from_pretrained(composed("train", ["+experiment=open/diffusion"]).module.unet),
    }
    for name, network in begun.items():
        weights = getattr(shipped, name).state_dict()
        assert network.state_dict().keys() == weights.keys()
        assert all(torch.equal(value.float(), weights[key].float()) for key, value in network.state_dict().items()), (
            name
        )
