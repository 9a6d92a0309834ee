"""`setting=paper` as a user has it, on phantoms in the eight sets' published layouts and small random weights.

Each scenario trains its predictors, edits, scores and reports; what it is tested on, no predictor has learned from.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from radedit import plan, stress, train
from radedit.app import trained_predictors as trained
from radedit.app.configuration import CONF, composed
from radedit.data.checks.leaks import check_leaks
from radedit.models.bundle.bundle import Bundle
from radedit.types import Record
from tests.commands import run
from tests.data.fixtures.paper_sets import BOTH, write_paper_sets
from tests.published import SIZE, overrides

SCENARIOS = ("acquisition", "manifestation", "population")
SHORT = ["max_steps=2", "+data.limit=64", "trainer.val_check_interval=2", "data.batch_size=4"]
SMALL_UNET = [
    "module.unet.block_out_channels=[8,8]", "module.unet.down_block_types=[DownBlock2D,CrossAttnDownBlock2D]",
    "module.unet.up_block_types=[CrossAttnUpBlock2D,UpBlock2D]", "module.unet.layers_per_block=1",
    "module.unet.cross_attention_dim=12", "module.unet.attention_head_dim=2", "+module.unet.norm_num_groups=4",
    f"module.unet.sample_size={SIZE // 8}",
]  # fmt: skip

Arguments = Callable[..., list[str]]


@functools.cache
def training(experiment: str, *given: str) -> DictConfig:
    """The configuration of one of the paper's experiments. Not to be changed."""
    return composed("train", [f"+experiment=paper/{experiment}", *given])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The argument that says where all sets lie."""
    return f"roots.data={write_paper_sets(tmp_path_factory.mktemp('data'))}"


@pytest.fixture
def weights(published: Path) -> list[str]:
    """Arguments that point the setting's own generator at small random weights."""
    return overrides(published)[1:]


@pytest.fixture
def dry_run(data: str, weights: list[str]) -> Arguments:
    """Arguments of a scenario's dry run at 64 px, of which every edit is kept."""

    def arguments(scenario: str, *further: str) -> list[str]:
        return [
            f"+scenario={scenario}", "setting=paper", "preset=smoke", "logger=csv", "seeds='0'", data, f"size={SIZE}",
            "additions=consolidation_left", "edit.threshold=-1", "edit.max_lost=1",
            f"training=[{','.join(map(repr, SHORT))}]", *weights, *further,
        ]  # fmt: skip

    return arguments


def report(scenario: str) -> dict[str, Any]:
    """Results of the one run, once it has a report."""
    (file,) = Path("outputs/stress").glob(f"{scenario}-*/results.json")
    assert (file.parent / "report.html").stat().st_size > 1000
    results: dict[str, Any] = json.loads(file.read_text())
    assert results["setting"] == "paper"
    return results


def papers(results: dict[str, Any]) -> dict[str, set[float]]:
    """Predictor → the paper's numbers in its rows of the table."""
    rows = [row for row in results["table"] if row["paper"] is not None]
    return {row["predictor"]: {own["paper"] for own in rows if own["predictor"] == row["predictor"]} for row in rows}


@pytest.mark.slow  # a minute and more: two trainings, and edits that are scored by an encoder of full size
def test_acquisition_counts_images_without_boxes_and_stands_beside_table_1(dry_run: Arguments) -> None:
    assert run(stress.main, dry_run("acquisition", "limit=null")) == 0
    results = report("acquisition")
    assert results["counts"] == dict(sources=10, edited=8, skipped=2, kept=8, rejected=0, undefined=0)
    assert all("boxes 'opacities'" in skipped["reason"] for skipped in results["skipped"])
    assert papers(results) == {"biased_classifier": {99.1, 5.5}, "unbiased_classifier": {74.4, 76.0}}


@pytest.mark.slow  # two minutes: four trainings
def test_manifestation_edits_pneumothorax_beside_drain_and_stands_beside_table_2(dry_run: Arguments) -> None:
    assert run(stress.main, dry_run("manifestation")) == 0
    results = report("manifestation")
    assert results["counts"] == dict(sources=8, edited=8, skipped=0, kept=8, rejected=0, undefined=0)
    found = papers(results)
    assert found["confounded_classifier"] == {93.3, 17.9} and found["unconfounded_segmenter"] == {93.7, 81.7}


@pytest.mark.slow
def test_population_edits_training_images_and_stands_beside_figure_5(dry_run: Arguments) -> None:
    assert run(stress.main, dry_run("population")) == 0
    assert report("population")["counts"] == dict(sources=8, edited=8, skipped=0, kept=8, rejected=0, undefined=0)
    (tables,) = Path("outputs/sweeps").glob("population-*/tables.md")
    row = r"^\| Left upper lobe consolidation +\| Weak segmenter +\|.*\| −11\.5 \|"
    assert re.search(row, tables.read_text(), re.MULTILINE)


@pytest.mark.slow
def test_predictors_that_were_trained_by_hand_are_found_and_tested(
    dry_run: Arguments, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("lungs_weak", "lungs_strong"):
        folder = f"outputs/predictors/paper/{name}/by-hand"
        given = [data, f"size={SIZE}", f"bundle={folder}", f"folder={folder}/training", "logger=csv", *SHORT]
        assert run(train.main, [f"+experiment={name}", "setting=paper", *given]) == 0
    monkeypatch.setattr(trained, "_train", None)
    assert run(stress.main, dry_run("population", "source_split=test", "n_also=0", "edit.block=1")) == 0
    results = report("population")
    assert results["counts"] == dict(sources=1, edited=1, skipped=0, kept=1, rejected=0, undefined=0)
    assert [Path(predictor["folder"]).name for predictor in results["predictors"]] == ["by-hand", "by-hand"]


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_predictor_has_learned_from_a_patient_it_is_tested_on(scenario: str, data: str) -> None:
    config = composed("stress", [f"+scenario={scenario}", "setting=paper", "source_split=test", data])
    images = instantiate(config.dataset, _convert_="all")
    tested = {"source": images.source, **images.cells}
    tested |= {"reference": images.reference} if images.reference else {}
    tested |= {"shifted": images.shifted} if images.shifted else {}
    for key, name in trained.missing(config.predictors).items():
        own = {"own test": instantiate(config.predictors[key].own_test, _convert_="all")}
        parts = training(name.removeprefix("paper/"), data).data
        for part in ("train", "val"):
            learned = instantiate(parts[part], _convert_="all")
            for test, dataset in (tested | own).items():
                check_leaks({f"{name}'s {part}": learned.records, test: dataset.records})


def test_images_that_are_edited_by_default_are_the_predictors_training_images(data: str) -> None:
    config = composed("stress", ["+scenario=manifestation", "setting=paper", data])
    learned = instantiate(training("ptx_confounded_classifier", data).data.train)
    edited = instantiate(config.dataset, _convert_="all").source
    assert len(edited.records) > 0 and ids(edited.records) < ids(learned.records)


def test_a_patient_with_and_without_covid_is_in_bimcv_positive_only(data: str) -> None:
    datasets = training("covid_unbiased", data).data
    parts = [instantiate(dataset, _convert_="all") for dataset in (datasets.train, datasets.val)]
    patient = [record for part in parts for record in part.records if record.patient_id == f"c{BOTH:011x}"]
    assert [record.labels for record in patient] == [{"covid": 1}]
    assert all(part.excluded["bimcv_negative: patient is in the other set"] == 1 for part in parts)


def test_the_strong_segmenter_has_not_seen_the_weak_ones_patients(data: str) -> None:
    weak, strong = (training(f"lungs_{name}", data).data for name in ("weak", "strong"))
    seen = [instantiate(part, _convert_="all").records for part in (strong.train, strong.val)]
    check_leaks({"weak": instantiate(weak.train, _convert_="all").records, "strong": [*seen[0], *seen[1]]})


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_predictors_are_trained_on_the_sets_that_lie_where_the_stress_test_was_given(scenario: str) -> None:
    roots = OmegaConf.load(CONF / "roots/paper.yaml")
    moved = [f"roots.{name}=elsewhere/{name}" for name in map(str, roots) if name != "data"]
    config = composed("stress", [f"+scenario={scenario}", "setting=paper", f"size={SIZE}", *moved])
    for name in trained.missing(config.predictors).values():
        learned = composed("train", [f"+experiment={name}", *config.training_roots])
        text = OmegaConf.to_yaml(learned.data, resolve=True)
        assert "root: elsewhere/" in text and "root: data/" not in text and "tables: data/" not in text
        assert learned.size == learned.data.size == learned.module.network.size == SIZE


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_plan_counts_images_and_trainings(
    scenario: str, dry_run: Arguments, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(plan.main, dry_run(scenario)) == 0
    told = capsys.readouterr().out
    n, predictors = {"acquisition": (8, 2), "manifestation": (8, 4), "population": (8, 2)}[scenario]
    assert f"Editing {n} records" in told
    assert f"Predictors to be trained: {predictors} of {predictors}.\n" in told


@pytest.mark.slow
def test_the_diffusion_model_is_trained_on_published_encoders(
    data: str, weights: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    adopted = [f"adopt.{argument}" for argument in weights if not argument.startswith("generator.unet.")]
    short = ["max_steps=2", "data.batch_size=4", "trainer.val_check_interval=2", "trainer.enable_progress_bar=false",
             "module.compile=false", "data.loaders=1"]  # fmt: skip
    arguments = ["+experiment=diffusion", "setting=paper", data, f"size={SIZE}", "logger=csv"]
    assert run(train.main, [*arguments, *short, *adopted, *SMALL_UNET]) == 0
    assert "Mixture of 28 images: mimic_cxr 20" in (told := capsys.readouterr().out) and "487,680" in told
    assert len(list(Path(".cache/latents").glob("*.npy"))) == 2  # of training and validation
    generator = composed("stress", ["+scenario=population", "generator=trained",
                                    "generator.folder=outputs/paper/bundle"]).generator  # fmt: skip
    bundle = instantiate(generator)
    assert isinstance(bundle, Bundle) and bundle.size == SIZE
    bundle.require("vae", "unet", "scheduler", "text_encoder", "tokenizer", "image_encoder")


def test_the_u_net_is_appendix_as() -> None:
    with torch.device("meta"):
        unet = instantiate(training("diffusion").module.unet, _convert_="all")
    assert sum(parameter.numel() for parameter in unet.parameters()) == pytest.approx(548.8e6, rel=1e-4)
    widths = [128 * factor for factor in (1, 2, 4, 6, 8)]
    assert list(unet.config["block_out_channels"]) == widths
    attended = [hasattr(block, "attentions") for block in unet.down_blocks]
    assert attended == [hasattr(block, "attentions") for block in reversed(unet.up_blocks)] == [False] + 4 * [True]
    for block, width in zip(unet.down_blocks[1:], widths[1:], strict=True):
        attention = block.attentions[0].transformer_blocks[0].attn2
        assert (width // attention.heads, attention.to_k.in_features) == (32, 768)


def test_the_diffusion_model_is_optimised_as_in_appendix_a() -> None:
    config = training("diffusion")
    (average,) = config.callbacks
    assert (config.module.lr, config.module.get("warmup", 0), average.decay) == (1e-4, 0, 0.999)


@pytest.mark.parametrize(
    ("experiment", "given"),
    [
        ("diffusion", ()),
        ("diffusion", ("trainer.devices=8", "trainer.num_nodes=6")),
        ("lungs_weak", ("trainer.devices=8",)),
        ("ptx_confounded_classifier", ("trainer.devices=[0,1]", "data.batch_size=32")),
    ],
)
def test_trainings_last_the_papers_epochs_on_any_number_of_gpus(experiment: str, given: Sequence[str]) -> None:
    config = training(experiment, *given)
    devices = config.trainer.devices
    gpus = (devices if isinstance(devices, int) else len(devices)) * config.trainer.num_nodes
    wanted = {"diffusion": 300 * 487_680, "lungs_weak": 100 * 911, "ptx_confounded_classifier": 100 * 13_836}[
        experiment
    ]
    at_a_time = config.data.batch_size * gpus
    assert 0 <= config.max_steps * at_a_time - wanted < at_a_time


def test_the_score_gets_appendix_cs_words_in_setting_paper_only() -> None:
    def words(setting: str) -> list[str]:
        scenario = composed("stress", ["+scenario=manifestation", f"setting={setting}"]).scenario
        return [scenario.score_real, scenario.score_edit]

    assert words("paper") == ["Pneumothorax", "No acute cardiopulmonary process"]
    assert words("phantom") == ["Pneumothorax.", "No acute cardiopulmonary process."]


def test_the_frozen_text_encoder_is_taken_as_it_was_published() -> None:
    adopt = training("diffusion").adopt
    assert (adopt.generator.dtype, adopt.generator.vae_dtype) == ("float32", "float32")


def ids(records: Sequence[Record]) -> set[str]:
    return {record.id for record in records}
