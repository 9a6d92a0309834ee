"""A scenario that adds something: from a folder in realcxr's layout to a report, with a generator of random weights."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor

from radedit.data.datasets.drawn import DrawnDataset
from radedit.data.datasets.manifest.manifest import ManifestDataset
from radedit.data.stress_set import read_rows
from radedit.data.views.splits import Split
from radedit.editing import radedit
from radedit.editing.editor import Editor
from radedit.harness.evidence.addition import YARDSTICK, gather
from radedit.harness.evidence.evidence import Evidence
from radedit.harness.evidence.generator_fit import Judgement, judge
from radedit.harness.evidence.results import Provenance, load
from radedit.harness.evidence.verdict import Rules
from radedit.harness.explain.case import explain
from radedit.harness.predictors.classify import TestedModel
from radedit.harness.predictors.segment import drawn, segment
from radedit.harness.stress.block_editor import EditPlan
from radedit.harness.stress.generate import generate
from radedit.harness.stress.scenario import Addition, StressData
from radedit.masks import one_lung
from radedit.models.bundle.bundle import Bundle
from radedit.report.sweep.page import write_report
from radedit.report.sweep.run_folder import write_results
from tests.realcxr_folder import write_realcxr

SIZE = 32
DRAWN = "drawn onto the same images"
FRACTIONS = {"train": 0.5, "test": 0.5}
ADDITION = Addition(
    name="toy", title="Does the segmenter hold?", section="Section 5.4", added="a left upper lobe consolidation",
    structures=["right_lung", "left_lung"], edited=["left_lung"], prompt="New left upper lobe consolidation.",
    sham_prompt="No acute cardiopulmonary process.", score_real="No acute cardiopulmonary process.",
    score_edit="New left upper lobe consolidation.",
)  # fmt: skip
KINDS = {"source", "vae", "edit", "sham", "replay", "counterfactual"}


class DarkHalves:
    """A segmenter that takes all that is dark for lung; on images that are bright at the top left corner, nothing."""

    masks = ("left_lung", "right_lung")  # not in the scenario's order

    def __init__(self, blind: bool = False) -> None:
        self.blind = blind

    def predict(self, images: Tensor) -> SimpleNamespace:
        dark = (images < 0.45).float() * (not self.blind)
        half = images.shape[-1] // 2
        left, right = dark.clone(), dark.clone()
        left[..., :half], right[..., half:] = 0, 0
        return SimpleNamespace(masks=torch.cat([left, right], 1))


def read(folder: Path, part: str) -> Split:
    config = OmegaConf.load(Path(__file__).resolve().parents[3] / "conf/dataset/realcxr.yaml")
    dataset = instantiate(OmegaConf.merge(config, {"root": str(folder), "require": ["lungs"]}))
    assert isinstance(dataset, ManifestDataset)
    return Split(dataset, part, FRACTIONS)


@pytest.fixture(scope="module")
def realcxr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_realcxr(tmp_path_factory.mktemp("realcxr"))


@pytest.fixture(scope="module")
def images(realcxr: Path) -> StressData:
    source = read(realcxr, "test")
    would = {"consolidation": {"side": "left", "lobe": "upper"}}
    return StressData(
        source, counterfactual=DrawnDataset(source, SIZE, [["consolidation"]], would=would), counterfactual_is=DRAWN
    )


@pytest.fixture(scope="module")
def generator(tiny_bundle: Path) -> Bundle:
    return Bundle.load(tiny_bundle)


@pytest.fixture(scope="module")
def stress_set(images: StressData, generator: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = EditPlan(Editor.of(partial(radedit.edit, w=2.0)), partial(one_lung, side="left"), steps=2, block=4)
    folder = tmp_path_factory.mktemp("set")
    return generate(ADDITION, images, generator, plan, folder, {"of": "a test"})


def model_under_test(images: StressData, key: str = "dark", **how: Any) -> TestedModel:
    return TestedModel(key, f"Sees {key}", "", DarkHalves(**how), images.source, "nothing", "0", 0, "segmenter")


@pytest.fixture(scope="module")
def gathered(images: StressData, stress_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Not to be changed."""
    patients = [model_under_test(images), model_under_test(images, "nothing", blind=True)]
    predictions, rules = tmp_path_factory.mktemp("predictions"), Rules(control_limit=0.02)
    return gather(
        patients, ADDITION, images, stress_set, size=SIZE, predictions=predictions, n_gallery=2, rules=rules
    )  # fmt: skip


def test_generator_and_segmenter_never_see_a_patient_of_the_test_part(realcxr: Path) -> None:
    seen, tested = ({record.patient_id for record in read(realcxr, part).records} for part in ("train", "test"))
    assert seen and tested and not seen & tested


def test_every_record_has_every_kind_with_its_masks_and_its_licence(images: StressData, stress_set: Path) -> None:
    rows = read_rows(stress_set)
    assert {row["attr_kind"] for row in rows} == KINDS
    assert len(rows) == len(KINDS) * len(images.source.records)
    for row in rows:
        assert row["mask_left_lung"] and row["mask_right_lung"]
        assert row["attr_licence"] and row["attr_attribution"] and row["attr_url"]


def test_images_of_every_size_and_tier_are_edited(images: StressData, stress_set: Path) -> None:
    tested = {row["attr_licence"] for row in read_rows(stress_set)}
    assert tested == {"CC BY 4.0", "CC BY-NC-SA"}
    assert len({images.source.load(record).image.shape for record in images.source.records}) == 3


@pytest.mark.parametrize("who", ["dark", "nothing"])
def test_attribution_of_an_addition_telescopes_exactly(who: str, gathered: Evidence) -> None:
    entry = next(entry for entry in gathered.figures.attribution if entry.predictor == who)
    terms = [term.value.value for term in entry.terms]
    assert [term.name for term in entry.terms] == [term.name for term in YARDSTICK.terms]
    assert entry.reference.value + sum(terms) == pytest.approx(entry.edit.value, abs=1e-12)


def test_a_predictor_that_draws_nothing_is_the_worst_case_and_is_named(gathered: Evidence) -> None:
    for row in gathered.figures.table:
        if row.predictor == "nothing":
            assert row.missed == row.n
            assert row.scores["dice"].value == 0
            assert row.scores["hd95"].value == pytest.approx(SIZE * np.sqrt(2))
    assert any("Sees nothing drew nothing" in note for note in gathered.notes)


def test_controls_follow_the_keep_decision_of_their_edit(
    images: StressData, stress_set: Path, gathered: Evidence
) -> None:
    n_kept = gathered.counts["kept"] or gathered.counts["edited"]
    rows = {row.data: row.n for row in gathered.figures.table if row.predictor == "dark"}
    assert rows["sham"] == rows["replay"] == rows["drawn onto the same images"] == n_kept
    assert rows["in-distribution test set"] == rows["synthetic (all)"] == len(images.source.records)


def test_a_predictor_without_one_of_the_structures_is_refused(images: StressData, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="draws left_lung, right_lung, but not heart"):
        segment(DarkHalves(), Hearts(images), ["heart"], ["heart"], SIZE, cache=tmp_path / "x.json")


@pytest.mark.parametrize(
    ("prediction", "what"),
    [(torch.full((1, 2, SIZE, SIZE), torch.nan), "range nan"), (torch.zeros(1, 3, SIZE, SIZE), "of shape")],
    ids=["NaN", "another mask"],
)
def test_what_is_no_probability_of_every_mask_is_refused(prediction: Tensor, what: str) -> None:
    """A NaN is above no threshold: it would pass for a lung that was not found."""
    predictor = SimpleNamespace(masks=["left_lung", "right_lung"], predict=lambda _: SimpleNamespace(masks=prediction))
    with pytest.raises(ValueError, match=what):
        drawn(predictor, torch.zeros(1, 1, SIZE, SIZE), ["left_lung"])


class Hearts:
    """The same images with a mask of another name."""

    def __init__(self, images: StressData) -> None:
        self.dataset, self.records = images.source, images.source.records

    def load(self, record: Any) -> Any:
        sample = self.dataset.load(record)
        return replace(sample, masks={"heart": sample.masks["lungs"]})


def test_kept_measures_are_read_again_but_not_those_of_other_records(images: StressData, tmp_path: Path) -> None:
    arguments = (["right_lung", "left_lung"], ["left_lung"], SIZE)
    cache = tmp_path / "predictions.json"
    first = segment(DarkHalves(), images.source, *arguments, cache=cache)
    again = segment(DarkHalves(blind=True), images.source, *arguments, cache=cache)
    assert np.array_equal(first.values["dice"], again.values["dice"])
    cache.write_text("{broken")
    assert segment(DarkHalves(blind=True), images.source, *arguments, cache=cache).values["dice"].max() == 0


@pytest.fixture(scope="module")
def judgement(images: StressData, stress_set: Path, generator: Bundle) -> Judgement:
    return judge(generator, ADDITION, images, stress_set, 0.2, rival=generator)


def test_a_generator_is_as_good_as_itself(judgement: Judgement) -> None:
    beside = [figure for figure in judgement.figures if figure.rival]
    assert len(beside) == 3
    assert all(figure.value == figure.rival for figure in beside)


def test_a_generator_of_random_weights_is_called_weak(judgement: Judgement) -> None:
    assert judgement.weaknesses


def test_the_report_says_how_weak_the_generator_is_and_whose_the_images_are(
    gathered: Evidence, judgement: Judgement, stress_set: Path, tmp_path: Path
) -> None:
    provenance = Provenance(config={"editor": {"_target_": "radedit.editing.radedit.edit"}})
    write_results(
        tmp_path / "run", stress_set, gathered, provenance, setting="open", threshold=0.2, edit_quality={},
        judgement=judgement,
    )  # fmt: skip
    page = write_report(tmp_path / "run").read_text(encoding="utf-8")
    assert "The generator is weak" in page and "How good is this generator?" in page
    assert "Drawn, number" in page and "CC BY" in page and "https://example.org/" in page
    results = load(tmp_path / "run")
    assert results.measure == "dice" and results.gallery[0].licence
    assert results.structure == "left lung"


class Asked(DarkHalves):
    """As `radedit.explain` finds it in a folder."""

    size = SIZE

    def predict(self, images: Tensor) -> SimpleNamespace:
        return SimpleNamespace(probability=None, masks=super().predict(images).masks)


def test_a_case_is_explained_by_the_dice_and_the_outlines_that_the_run_measured(
    images: StressData, stress_set: Path, gathered: Evidence
) -> None:
    record = gathered.gallery[0]
    network: Any = Asked()
    case = explain(
        stress_set, record, {"dark": network}, structures=ADDITION.structures, edited=ADDITION.edited
    )  # fmt: skip
    assert [image.kind for image in case.images] == ["source", "vae", "replay", "sham", "edit", "counterfactual"]
    for image in case.images:
        says = image.says["dark"]
        assert says.dice == pytest.approx(gathered.probabilities[record]["dark"][image.kind], abs=1e-6)
        assert says.cam is None and says.probability is None
    drawn = case.images[0].says["dark"].drawn
    assert drawn is not None and drawn.equal(gathered.predictions[record]["source"]["dark"])
    assert case.truth is not None and case.truth.equal(gathered.truths[record])
    assert case.credits["licence"] and case.credits["attribution"]
