"""Who may know whom: no patient of one use is a patient of another, by what the configurations in conf/ draw."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

import radedit.app.configuration  # noqa: F401 — registers resolvers
from radedit.data.datasets.phantom import PhantomDataset
from radedit.data.io.fingerprint import content_hash
from radedit.harness.stress.scenario import StressData
from radedit.phantom.reports import phrases
from radedit.studies.detection.tester import worlds_of

pytestmark = pytest.mark.slow

CONF = Path(__file__).resolve().parents[1] / "conf"
DATASET = "radedit.data.datasets.phantom.PhantomDataset"
FEW = 6  # records of each world of a study
WORLDS = 3  # of each strength: they differ in their seed, not in the names of their patients
SAMPLE = 60  # records of each use; patients are numbered, so equal namespaces show at once

# What a training module trains, and therefore whose patients its images are.
TRAINS = {
    "autoencoder.AutoencoderTraining": "generator",
    "diffusion.DiffusionTraining": "generator",
    "joint.JointTraining": "joint encoder",
    "classifier.ClassifierTraining": "predictor",
    "segmenter.SegmenterTraining": "predictor",
}


@functools.cache
def config(primary: str, *overrides: str) -> DictConfig:
    """Not to be changed."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(primary, overrides=list(overrides))


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def nodes(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every phantom dataset of a configuration, by its place."""
    if isinstance(node, dict):
        if node.get("_target_") == DATASET:
            yield path, node
        for key, value in node.items():
            yield from nodes(value, f"{path}.{key}".lstrip("."))


def uses_of_training() -> Iterator[tuple[str, PhantomDataset]]:
    for experiment in options("experiment"):
        composed = config("train", f"+experiment={experiment}")
        target = composed.module["_target_"].removeprefix("radedit.training.")
        for path, node in nodes(OmegaConf.to_container(composed.data, resolve=True)):
            split = next(part for part in path.split(".") if part in ("train", "val"))  # a mixture has parts below it
            yield f"{TRAINS.get(target, target)}, {split}", instantiate(node, _convert_="all")


def uses_of_stress() -> Iterator[tuple[str, PhantomDataset]]:
    for scenario in options("shift/phantom"):
        composed = config("stress", f"+scenario={scenario}", "setting=phantom")
        data: StressData = instantiate(composed.dataset, _convert_="all")
        cells = next(iter(data.cells.values()), None)
        for use, dataset in {"sources": data.source, "truly shifted": data.shifted, "cells": cells}.items():
            if isinstance(dataset, PhantomDataset):
                yield use, dataset
        for _, node in nodes(OmegaConf.to_container(composed.predictors, resolve=True)):
            yield "predictor, test", instantiate(node, _convert_="all")


def uses_of_benchmarks() -> Iterator[tuple[str, PhantomDataset]]:
    chosen = {"benchmark": "images", "examine": "examined", "compare": None}  # where each has its images
    for primary, place in chosen.items():
        resolved: Any = OmegaConf.to_container(config(primary), resolve=True)
        for path, node in nodes(resolved[place] if place else resolved):
            use = f"{primary}, {path}" if place else primary  # its figures share their images
            yield use, instantiate(node, _convert_="all")


def uses_of_studies() -> Iterator[tuple[str, PhantomDataset]]:
    for scenario in options("cheap"):
        cheap = instantiate(config("validity", f"+scenario={scenario}").cheap, _convert_="all")
        for strength in cheap["strengths"]:
            for part, dataset in cheap["family"].member(strength, 0).images.items():
                yield f"validity, {part}", dataset
    composed = config("detection")
    family, asks = instantiate(composed.cheap.family, _convert_="all"), composed.detection
    for member in worlds_of(family, asks.strengths, min(asks.worlds, WORLDS), asks.first_world):
        for part, dataset in member.images.items():
            yield f"detection, {part}", dataset


@pytest.fixture(scope="module")
def patients() -> dict[str, Counter[str]]:
    """Use → its patients and how many images of each are drawn."""
    found: dict[str, Counter[str]] = {}
    for use, dataset in (*uses_of_training(), *uses_of_stress(), *uses_of_benchmarks(), *uses_of_studies()):
        dataset.n = min(dataset.n, FEW if use.startswith("detection") else SAMPLE)
        found.setdefault(use, Counter()).update(record.patient_id for record in dataset.records)
    return found


def test_every_use_is_there(patients: dict[str, Counter[str]]) -> None:
    assert set(patients) >= {
        "generator, train", "generator, val", "joint encoder, train", "joint encoder, val", "predictor, train",
        "predictor, val", "predictor, test", "sources", "truly shifted", "cells", "benchmark, validation",
        "benchmark, test", "validity, train", "validity, val", "detection, train", "detection, val",
    }  # fmt: skip


def test_no_patient_has_two_uses(patients: dict[str, Counter[str]]) -> None:
    for (one, of_one), (two, of_two) in combinations(patients.items(), 2):
        assert not set(of_one) & set(of_two), f"{one} and {two} share patients"


def test_some_patients_have_two_or_three_images(patients: dict[str, Counter[str]]) -> None:
    """Else resampling patients and resampling images would be the same, and nothing would test it."""
    for use in ("predictor, test", "sources", "truly shifted", "cells", "benchmark, test"):
        assert max(patients[use].values()) >= 2, use


def test_interventions_are_on_the_same_images() -> None:
    """Reference and counterfactual are the sources' own images; the four cells are four interventions on the same."""
    for scenario in options("shift/phantom"):
        composed = config("stress", f"+scenario={scenario}", "setting=phantom", "preset=smoke")
        data = instantiate(composed.dataset, _convert_="all")
        for datasets in ([data.source, data.reference, data.counterfactual], [*data.cells.values()]):
            ids = [[record.id for record in dataset.records] for dataset in datasets if dataset is not None]
            assert all(other == ids[0] for other in ids)


@pytest.fixture(scope="module")
def generators() -> list[PhantomDataset]:
    """What generator and joint encoder learn from."""
    datasets = {
        content_hash([dataset.world, dataset.namespace]): dataset
        for use, dataset in uses_of_training()
        if use.startswith(("generator", "joint"))
    }
    for dataset in datasets.values():
        dataset.n = 400
    return list(datasets.values())


def words(texts: list[str]) -> set[str]:
    return {word for text in texts for word in re.findall(r"[a-z0-9-]+", text.lower())}


def test_generator_knows_neither_hospital_b_nor_covid(generators: list[PhantomDataset]) -> None:
    """Edits there are zero-shot, as in the paper."""
    assert generators
    for dataset in generators:
        records = dataset.records
        assert {record.attributes["hospital"] for record in records} == {"A", "C", "D"}
        assert not any(record.labels["covid"] for record in records)


def test_generators_reports_have_no_word_that_only_covid_has(generators: list[PhantomDataset]) -> None:
    every, without = ([phrase for h in (False, True) for phrase in phrases(h, without=w)] for w in ((), ("covid",)))
    of_covid = words(every) - words(without)
    assert {"covid-19", "coronavirus", "ground-glass"} <= of_covid
    for dataset in generators:
        said = words([record.report for record in dataset.records])
        assert len(said) > 50 and not said & of_covid


def test_tokenizer_of_the_generator_learns_no_covid_word() -> None:
    texts = instantiate(config("train", "+experiment=joint").module.tokenizer.texts)
    assert texts and not any(re.search("covid|corona|sars", text, re.IGNORECASE) for text in texts)


def test_drains_go_with_pneumothorax_where_the_generator_learns(generators: list[PhantomDataset]) -> None:
    """P(drain | ptx) = 0.7, P(drain | no ptx) = 0.02: without it there is nothing to solve (evidence.md, 2)."""
    for dataset in generators:
        for present, share in ((1, 0.7), (0, 0.02)):
            drains = [r.labels["drain"] for r in dataset.records if r.labels["pneumothorax"] == present]
            assert sum(drains) / len(drains) == pytest.approx(share, abs=4 * (share * (1 - share) / len(drains)) ** 0.5)


def test_normal_reports_never_come_with_a_drain(generators: list[PhantomDataset]) -> None:
    for dataset in generators:
        normal = [r for r in dataset.records if "No acute cardiopulmonary process." in r.report]
        assert len(normal) > 20
        if not dataset.world.report_noise:
            assert not any(record.labels["drain"] for record in normal)
