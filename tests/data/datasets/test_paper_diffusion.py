"""The three sets that the diffusion model is trained on, as `dataset=paper/diffusion` puts them together."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate

from radedit.data.datasets.chestxray14 import FINDINGS as NIH_FINDINGS
from radedit.data.views.mixture import Mixture
from radedit.training.draws import shuffle_sentences
from tests.data.fixtures.chestxray14 import write_chestxray14
from tests.data.fixtures.chexpert import write_chexpert
from tests.data.fixtures.mimic_cxr import write_mimic_cxr


def mixture(repository: Path, roots: Path, *overrides: str) -> Mixture:
    given = [f"roots.{name}={roots / name}" for name in ("mimic_cxr", "chexpert", "chestxray14")]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(repository / "conf"), version_base="1.3"):
        cfg = compose("prepare", overrides=["dataset=paper/diffusion", *given, *overrides])
    made = instantiate(cfg.dataset)
    assert isinstance(made, Mixture)
    return made


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("roots")
    write_mimic_cxr(folder / "mimic_cxr")
    write_chexpert(folder / "chexpert")
    write_chestxray14(folder / "chestxray14")
    return folder


@pytest.fixture(scope="module")
def images(repository: Path, roots: Path) -> Mixture:
    return mixture(repository, roots)


def test_images_say_what_the_paper_says(images: Mixture) -> None:
    assert [record.report for record in images.records] == [
        "No acute process.",  # MIMIC-CXR: impressions
        "Mild edema.",
        "Cardiomegaly. Pneumothorax.",  # CheXpert: lists, without the uncertain oedema
        "No findings.",
        "No findings.",  # an uncertain pneumonia only
        "No findings.",  # nothing mentioned
        "Infiltration. Pleural thickening.",  # ChestX-ray14: lists, in its own names
        "No findings.",
        "Mass.",
        "Oedema. Effusion.",
    ]
    assert {images.load(record).image.ndim for record in images.records} == {3}


def test_one_override_makes_the_spelling_american(repository: Path, roots: Path) -> None:
    images = mixture(repository, roots, "dataset.datasets.chexpert.sentences.oedema=Edema.")
    assert images.records[-1].report == "Edema. Effusion."


def test_each_set_keeps_its_natural_share_and_what_it_left_out(images: Mixture) -> None:
    assert images.describe(487_680).startswith(
        "Mixture of 10 images: mimic_cxr 2 (20.0 %), chexpert 4 (40.0 %), chestxray14 4 (40.0 %)"
    )
    assert images.excluded["chexpert: not frontal"] == 1 and images.excluded["mimic_cxr: split validate"] == 2


@pytest.mark.parametrize("name, count", [("chexpert", 13), ("chestxray14", 14)])
def test_every_finding_but_none_has_a_sentence(images: Mixture, name: str, count: int) -> None:
    dataset = images.datasets[name]
    sentences = dataset.sentences  # type: ignore[attr-defined]
    read = {finding for record in dataset.records for finding in record.labels} - {"no_finding"}
    assert read <= set(sentences) and len(sentences) == count
    assert all(s.endswith(".") and s == s.capitalize() for s in sentences.values())
    assert name != "chestxray14" or set(sentences) == set(NIH_FINDINGS.values()) - {"no_finding"}


def test_a_list_of_findings_is_shuffled_as_an_impression_is() -> None:
    generator = torch.Generator().manual_seed(0)
    orders = {shuffle_sentences("Lung opacity. Pleural effusion.", generator) for _ in range(20)}
    assert orders == {"Lung opacity. Pleural effusion.", "Pleural effusion. Lung opacity."}
