"""A scenario that adds something: from a folder in realcxr's layout to a report, with a generator of random weights."""

from __future__ import annotations

import json
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

from radedit.data.readers.drawn import DrawnReader
from radedit.data.readers.manifest import ManifestReader
from radedit.data.splits import Split
from radedit.data.stress_set import read_rows
from radedit.editing import radedit
from radedit.harness.addition import YARDSTICK, gather
from radedit.harness.edit_plan import EditPlan
from radedit.harness.editors import Editor
from radedit.harness.evaluate import Subject
from radedit.harness.evidence import Evidence
from radedit.harness.explain import explain
from radedit.harness.generate import generate
from radedit.harness.generator import Judgement, judge
from radedit.harness.scenario import Addition, StressData
from radedit.harness.segmentation import drawn, segment
from radedit.harness.verdict import Rules
from radedit.masks import one_lung
from radedit.models.bundle import Bundle
from radedit.report.page import write_report
from radedit.report.results import load
from radedit.report.run_folder import write_results
from tests.realcxr_folder import write_realcxr

SIZE = 32
DRAWN = "drawn onto the same films"
FRACTIONS = {"train": 0.5, "test": 0.5}
ADDITION = Addition(
    name="toy", title="Does the segmenter hold?", section="Section 5.4", added="a left upper lobe consolidation",
    structures=["right_lung", "left_lung"], edited=["left_lung"], prompt="New left upper lobe consolidation.",
    sham_prompt="No acute cardiopulmonary process.", score_real="No acute cardiopulmonary process.",
    score_edit="New left upper lobe consolidation.",
)  # fmt: skip
KINDS = {"source", "vae", "edit", "sham", "replay", "twin"}


class DarkHalves:
    """A segmenter that takes all that is dark for lung; on films that are bright at the top left corner, nothing."""

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
    config = OmegaConf.load(Path(__file__).resolve().parents[2] / "conf/dataset/realcxr.yaml")
    reader = instantiate(OmegaConf.merge(config, {"root": str(folder), "require": ["lungs"]}))
    assert isinstance(reader, ManifestReader)
    return Split(reader, part, FRACTIONS)


@pytest.fixture(scope="module")
def realcxr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_realcxr(tmp_path_factory.mktemp("realcxr"))


@pytest.fixture(scope="module")
def films(realcxr: Path) -> StressData:
    source = read(realcxr, "test")
    would = {"consolidation": {"side": "left", "lobe": "upper"}}
    return StressData(source, twin=DrawnReader(source, SIZE, [["consolidation"]], would=would), twin_is=DRAWN)


@pytest.fixture(scope="module")
def generator(tiny_bundle: Path) -> Bundle:
    return Bundle.load(tiny_bundle)


@pytest.fixture(scope="module")
def stress_set(films: StressData, generator: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = EditPlan(Editor.of(partial(radedit.edit, w=2.0)), partial(one_lung, side="left"), steps=2, block=4)
    folder = tmp_path_factory.mktemp("set")
    return generate(ADDITION, films, generator, plan, folder, {"of": "a test"})


def subject(films: StressData, key: str = "dark", **how: Any) -> Subject:
    return Subject(key, f"Sees {key}", "", DarkHalves(**how), films.source, "nothing", "0", 0, "segmenter")


@pytest.fixture
def gathered(films: StressData, stress_set: Path, tmp_path: Path) -> Evidence:
    subjects = [subject(films), subject(films, "nothing", blind=True)]
    how: dict[str, Any] = {"size": SIZE, "answers": tmp_path, "n_gallery": 2, "rules": Rules(path_limit=0.02)}
    return gather(subjects, ADDITION, films, stress_set, **how)


def test_generator_and_segmenter_never_see_a_subject_of_the_test_part(realcxr: Path) -> None:
    seen, tested = ({record.subject_id for record in read(realcxr, part).records} for part in ("train", "test"))
    assert seen and tested and not seen & tested


def test_every_record_has_every_kind_with_its_masks_and_its_licence(films: StressData, stress_set: Path) -> None:
    rows = read_rows(stress_set)
    assert {row["attr_kind"] for row in rows} == KINDS
    assert len(rows) == len(KINDS) * len(films.source.records)
    for row in rows:
        assert row["mask_left_lung"] and row["mask_right_lung"]
        assert row["attr_licence"] and row["attr_attribution"] and row["attr_url"]


def test_films_of_every_size_and_tier_are_edited(films: StressData, stress_set: Path) -> None:
    tested = {row["attr_licence"] for row in read_rows(stress_set)}
    assert tested == {"CC BY 4.0", "CC BY-NC-SA"}
    assert len({films.source.load(record).image.shape for record in films.source.records}) == 3


@pytest.mark.parametrize("who", ["dark", "nothing"])
def test_attribution_of_an_addition_telescopes_exactly(who: str, gathered: Evidence) -> None:
    entry = next(entry for entry in gathered.attribution if entry["predictor"] == who)
    terms = [term["value"]["value"] for term in entry["terms"]]
    assert [term["name"] for term in entry["terms"]] == [term.name for term in YARDSTICK.terms]
    assert entry["reference"]["value"] + sum(terms) == pytest.approx(entry["edit"]["value"], abs=1e-12)


def test_a_predictor_that_draws_nothing_is_the_worst_case_and_is_named(gathered: Evidence) -> None:
    for row in gathered.table:
        if row["predictor"] == "nothing":
            assert row["missed"] == row["n"]
            assert row["scores"]["dice"]["value"] == 0
            assert row["scores"]["hd95"]["value"] == pytest.approx(SIZE * np.sqrt(2))
    assert any("Sees nothing drew nothing" in note for note in gathered.notes)


def test_controls_follow_the_keep_decision_of_their_edit(
    films: StressData, stress_set: Path, gathered: Evidence
) -> None:
    n_kept = gathered.counts["kept"] or gathered.counts["edited"]
    rows = {row["data"]: row["n"] for row in gathered.table if row["predictor"] == "dark"}
    assert rows["sham"] == rows["replay"] == rows["drawn onto the same films"] == n_kept
    assert rows["ordinary test set"] == rows["synthetic (all)"] == len(films.source.records)


def test_a_predictor_without_one_of_the_structures_is_refused(films: StressData, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="draws left_lung, right_lung, but not heart"):
        segment(DarkHalves(), Hearts(films), ["heart"], ["heart"], SIZE, cache=tmp_path / "x.json")


@pytest.mark.parametrize(
    ("answer", "what"),
    [(torch.full((1, 2, SIZE, SIZE), torch.nan), "range nan"), (torch.zeros(1, 3, SIZE, SIZE), "of shape")],
    ids=["NaN", "another mask"],
)
def test_what_is_no_probability_of_every_mask_is_refused(answer: Tensor, what: str) -> None:
    """A NaN is above no threshold: it would pass for a lung that was not found."""
    predictor = SimpleNamespace(masks=["left_lung", "right_lung"], predict=lambda _: SimpleNamespace(masks=answer))
    with pytest.raises(ValueError, match=what):
        drawn(predictor, torch.zeros(1, 1, SIZE, SIZE), ["left_lung"])


class Hearts:
    """The same films with a mask of another name."""

    def __init__(self, films: StressData) -> None:
        self.reader, self.records = films.source, films.source.records

    def load(self, record: Any) -> Any:
        sample = self.reader.load(record)
        return replace(sample, masks={"heart": sample.masks["lungs"]})


def test_kept_measures_are_read_again_but_not_those_of_other_records(films: StressData, tmp_path: Path) -> None:
    arguments = (["right_lung", "left_lung"], ["left_lung"], SIZE)
    cache = tmp_path / "answers.json"
    first = segment(DarkHalves(), films.source, *arguments, cache=cache)
    again = segment(DarkHalves(blind=True), films.source, *arguments, cache=cache)
    assert np.array_equal(first.values["dice"], again.values["dice"])
    cache.write_text("{broken")
    assert segment(DarkHalves(blind=True), films.source, *arguments, cache=cache).values["dice"].max() == 0


@pytest.fixture
def judgement(films: StressData, stress_set: Path, generator: Bundle) -> Judgement:
    return judge(generator, ADDITION, films, stress_set, 0.2, rival=generator)


def test_a_generator_is_as_good_as_itself(judgement: Judgement) -> None:
    beside = [figure for figure in judgement.figures if figure["rival"]]
    assert len(beside) == 3
    assert all(figure["value"] == figure["rival"] for figure in beside)


def test_a_generator_of_random_weights_is_called_weak(judgement: Judgement) -> None:
    assert judgement.weaknesses


def test_the_report_says_how_weak_the_generator_is_and_whose_the_films_are(
    gathered: Evidence, judgement: Judgement, stress_set: Path, tmp_path: Path
) -> None:
    about = {
        "setting": "open",
        "config": {"editor": {"_target_": "radedit.editing.radedit.edit"}},
        "threshold": 0.2,
        "generator": judgement.figures,
        "weaknesses": judgement.weaknesses,
    }
    write_results(tmp_path / "run", stress_set, gathered, about)
    page = write_report(tmp_path / "run").read_text(encoding="utf-8")
    assert "The generator is weak" in page and "How good is this generator?" in page
    assert "Drawn, number" in page and "CC BY" in page and "https://example.org/" in page
    results = load(tmp_path / "run")
    assert results.measure == "dice" and results.gallery[0].licence
    assert json.loads((tmp_path / "run" / "results.json").read_text())["structure"] == "left lung"


class Asked(DarkHalves):
    """As `radedit.explain` finds it in a folder."""

    size = SIZE

    def predict(self, images: Tensor) -> SimpleNamespace:
        return SimpleNamespace(probability=None, masks=super().predict(images).masks)


def test_a_case_is_explained_by_the_dice_and_the_outlines_that_the_run_measured(
    films: StressData, stress_set: Path, gathered: Evidence
) -> None:
    record = gathered.gallery[0]
    network: Any = Asked()
    case = explain(
        stress_set, record, {"dark": network}, structures=ADDITION.structures, edited=ADDITION.edited
    )  # fmt: skip
    assert [film.kind for film in case.films] == ["source", "vae", "replay", "sham", "edit", "twin"]
    for film in case.films:
        says = film.says["dark"]
        assert says.dice == pytest.approx(gathered.probabilities[record]["dark"][film.kind], abs=1e-6)
        assert says.cam is None and says.probability is None
    drawn = case.films[0].says["dark"].drawn
    assert drawn is not None and drawn.equal(gathered.answers[record]["source"]["dark"])
    assert case.truth is not None and case.truth.equal(gathered.truths[record])
    assert case.credits["licence"] and case.credits["attribution"]
