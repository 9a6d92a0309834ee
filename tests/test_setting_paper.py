"""`setting=paper` as a user has it, on phantoms in the eight sets' published layouts and small random weights.

Each scenario trains its predictors, edits, scores and reports; what it is tested on, no predictor has learned from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from radedit import plan, stress, train, trained
from radedit.configuration import composed
from radedit.data.leaks import check_leaks
from radedit.models.bundle import Bundle
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
def test_acquisition_counts_films_without_boxes_and_stands_beside_table_1(dry_run: Arguments) -> None:
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
def test_population_edits_training_films_and_stands_beside_figure_5(
    dry_run: Arguments, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(stress.main, dry_run("population")) == 0
    assert report("population")["counts"] == dict(sources=8, edited=8, skipped=0, kept=8, rejected=0, undefined=0)
    assert "paper −11.5" in capsys.readouterr().out


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


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_predictor_has_learned_from_a_patient_it_is_tested_on(scenario: str, data: str) -> None:
    config = composed("stress", [f"+scenario={scenario}", "setting=paper", "source_split=test", data])
    films = instantiate(config.dataset, _convert_="all")
    tested = {"source": films.source, **films.cells}
    tested |= {"reference": films.reference} if films.reference else {}
    tested |= {"shifted": films.shifted} if films.shifted else {}
    for key, name in trained.missing(config.predictors).items():
        own = {"own test": instantiate(config.predictors[key].own_test, _convert_="all")}
        learned = instantiate(composed("train", [f"+experiment={name}", data]).data.train, _convert_="all")
        for test, reader in (tested | own).items():
            check_leaks({f"{name}'s training": learned.records, test: reader.records})


def test_films_that_are_edited_by_default_are_the_predictors_training_films(data: str) -> None:
    config = composed("stress", ["+scenario=manifestation", "setting=paper", data])
    learned = instantiate(composed("train", ["+experiment=paper/ptx_confounded_classifier", data]).data.train)
    edited = instantiate(config.dataset, _convert_="all").source
    assert len(edited.records) > 0 and ids(edited.records) < ids(learned.records)


def test_a_patient_with_and_without_covid_is_in_bimcv_positive_only(data: str) -> None:
    readers = composed("train", ["+experiment=paper/covid_unbiased", data]).data
    parts = [instantiate(reader, _convert_="all") for reader in (readers.train, readers.val)]
    patient = [record for part in parts for record in part.records if record.subject_id == f"c{BOTH:011x}"]
    assert [record.labels for record in patient] == [{"covid": 1}]
    assert all(part.excluded["bimcv_negative: subject is in the other set"] == 1 for part in parts)


def test_the_strong_segmenter_has_not_seen_the_weak_ones_patients(data: str) -> None:
    weak, strong = (composed("train", [f"+experiment=paper/lungs_{name}", data]).data for name in ("weak", "strong"))
    seen = [instantiate(part, _convert_="all").records for part in (strong.train, strong.val)]
    check_leaks({"weak": instantiate(weak.train, _convert_="all").records, "strong": [*seen[0], *seen[1]]})


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_predictors_are_trained_on_the_sets_that_lie_where_the_stress_test_was_told(scenario: str) -> None:
    roots = composed("stress", [f"+scenario={scenario}", "setting=paper"]).roots
    moved = [f"roots.{name}=elsewhere/{name}" for name in roots if name != "data"]
    config = composed("stress", [f"+scenario={scenario}", "setting=paper", f"size={SIZE}", *moved])
    for name in trained.missing(config.predictors).values():
        learned = composed("train", [f"+experiment={name}", *config.training_roots])
        text = OmegaConf.to_yaml(learned.data, resolve=True)
        assert "root: elsewhere/" in text and "root: data/" not in text and "tables: data/" not in text
        assert learned.size == learned.data.size == learned.module.network.size == SIZE


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_plan_counts_films_and_trainings(
    scenario: str, dry_run: Arguments, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(plan.main, dry_run(scenario)) == 0
    told = capsys.readouterr().out
    n, predictors = {"acquisition": (8, 2), "manifestation": (8, 4), "population": (8, 2)}[scenario]
    assert f"Editing {n} records" in told
    assert f"Predictors to be trained: {predictors} of {predictors}.\n" in told


def test_the_diffusion_model_is_trained_on_published_encoders(
    data: str, weights: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    adopted = [f"adopt.{argument}" for argument in weights if not argument.startswith("generator.unet.")]
    short = ["max_steps=2", "data.batch_size=4", "trainer.val_check_interval=2", "trainer.enable_progress_bar=false",
             "module.compile=false", "data.loaders=1"]  # fmt: skip
    arguments = ["+experiment=diffusion", "setting=paper", data, f"size={SIZE}", "logger=csv"]
    assert run(train.main, [*arguments, *short, *adopted, *SMALL_UNET]) == 0
    assert "Mixture of 28 films: mimic_cxr 20" in (told := capsys.readouterr().out) and "487,680" in told
    assert len(list(Path(".cache/latents").glob("*.npy"))) == 2  # of training and validation
    generator = composed("stress", ["+scenario=population", "generator=trained",
                                    "generator.folder=outputs/paper/bundle"]).generator  # fmt: skip
    bundle = instantiate(generator)
    assert isinstance(bundle, Bundle) and bundle.size == SIZE
    bundle.require("vae", "unet", "scheduler", "text_encoder", "tokenizer", "image_encoder")


def test_the_u_net_is_appendix_as() -> None:
    with torch.device("meta"):
        unet = instantiate(composed("train", ["+experiment=paper/diffusion"]).module.unet, _convert_="all")
    assert sum(parameter.numel() for parameter in unet.parameters()) == pytest.approx(548.8e6, rel=1e-4)
    widths = [128 * factor for factor in (1, 2, 4, 6, 8)]
    assert list(unet.config["block_out_channels"]) == widths
    attended = [hasattr(block, "attentions") for block in unet.down_blocks]
    assert attended == [hasattr(block, "attentions") for block in reversed(unet.up_blocks)] == [False] + 4 * [True]
    for block, width in zip(unet.down_blocks[1:], widths[1:], strict=True):
        attention = block.attentions[0].transformer_blocks[0].attn2
        assert (width // attention.heads, attention.to_k.in_features) == (32, 768)


def test_the_diffusion_model_is_optimised_as_in_appendix_a() -> None:
    config = composed("train", ["+experiment=paper/diffusion"])
    (average,) = config.callbacks
    assert (config.module.lr, config.module.get("warmup", 0), average.decay) == (1e-4, 0, 0.999)
    assert config.max_steps * 48 * config.data.batch_size == 300 * 487_680  # epochs of films, on 48 GPUs


def ids(records: Sequence[Record]) -> set[str]:
    return {record.id for record in records}
