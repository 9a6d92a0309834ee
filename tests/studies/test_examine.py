"""What a model card says of a generator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from radedit import examine, phantoms
from radedit.data.datasets.phantom import PhantomDataset
from radedit.models.bundle.bundle import Bundle
from radedit.phantom.reports import phrases
from radedit.phantom.world import FINDINGS, World
from radedit.studies.generator.examine import LATERAL, Examination, draw_samples, sentences
from tests.commands import run
from tests.tiny_bundle import SIZE


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.load(tiny_bundle)


def images(namespace: str, n: int, **where: int) -> PhantomDataset:
    world = World(prevalence=dict.fromkeys((f for f in FINDINGS if f not in ("drain", "covid")), 0.3))
    return PhantomDataset(world, namespace, n, SIZE, where=where)


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("finding", list(LATERAL))
def test_sentences_name_one_side_each_and_differ_in_nothing_else(finding: str, held_out: bool) -> None:
    found = sentences(finding, held_out)
    assert len(found) >= 3
    for text in found:
        swapped = text["left"].replace("left", "right").replace("Left", "Right")
        assert "left" in text["left"].lower() and text["right"] == swapped


@pytest.mark.parametrize("finding", list(LATERAL))
def test_held_out_sentences_are_in_no_training_report(finding: str) -> None:
    trained = set(phrases())
    assert not any(text[side] in trained for text in sentences(finding, True) for side in text)


def test_examination_has_a_figure_for_every_part(bundle: Bundle) -> None:
    healthy = images("examine-healthy", 2, **{finding: 0 for finding in FINDINGS if finding != "covid"})
    found = Examination(images("examine", 12), healthy, steps=2, w=2.0, n_sentences=1).run(bundle)
    assert all(parameters > 0 for parameters in found["parameters"].values())
    assert found["reconstruction"]["psnr"] > 0 and found["reconstruction"]["ssim"] <= 1
    assert set(found["noise"]) == {"report", "another", "none"}
    assert found["joint_space"] and all(0 <= auroc <= 1 for auroc in found["joint_space"].values())
    asked = [(row["finding"], row["sentences"]) for row in found["reaction"]]
    assert asked == [(f, s) for f in LATERAL for s in ("trained", "held out")]
    assert all(row["n"] == 2 * 2 and 0 <= row["right"]["value"] <= 1 for row in found["reaction"])


def test_samples_of_two_prompts_begin_with_the_same_noise(bundle: Bundle) -> None:
    one, other = draw_samples(bundle, ["Large left pneumothorax.", "Opacities."], 2, steps=2, w=0.0, seed=0)
    torch.testing.assert_close(one, other)  # without guidance, the prompt is all that could differ
    guided = draw_samples(bundle, ["Large left pneumothorax."], 2, steps=2, w=5.0, seed=0)
    assert not torch.allclose(guided[0], one)


@pytest.mark.slow
def test_commands_write_their_figures(tiny_bundle: Path, tmp_path: Path) -> None:
    small = [f"examined.{images}.size={SIZE}" for images in ("images", "healthy")]
    small += ["examined.images.n=14", "examined.healthy.n=2", "examination.n_samples=4"]
    sampling = ["sampling.steps=2", "n_samples=2", "examination.steps=2", "examination.n_sentences=1"]
    assert run(examine.main, [f"generator.folder={tiny_bundle}", f"out={tmp_path}", *small, *sampling]) == 0
    assert run(phantoms.main, [f"out={tmp_path}", "n=2", f"size={SIZE}"]) == 0
    written = {path.name for path in tmp_path.iterdir()}
    assert {"examination.json", "samples.png", "findings.png", "hospitals.png"} <= written
    distances = json.loads((tmp_path / "examination.json").read_text())["kernel_distance"]
    assert distances["samples"]["n_made"] == 4 and distances["other patients"]["deviation"] >= 0
