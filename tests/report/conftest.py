"""A small finished run, made up: two predictors, three edits, pictures of one grey level each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Run = dict[str, Any]


def estimate(value: float, low: float | None = None, high: float | None = None) -> Run:
    return {"value": value, "low": low, "high": high, "n": 60}


def between(value: float) -> Run:
    return estimate(value, max(0.0, value - 0.05), min(1.0, value + 0.05))


def predictor(key: str, role: str, cells: dict[str, float]) -> Run:
    return {
        "key": key,
        "name": f"{role.capitalize()} classifier",
        "role": role,
        "kind": "classifier",
        "trained_on": "phantoms",
        "parameters": 123456,
        "qualified": True,
        "why": "all four cells are as its training makes one expect",
        "cells": [
            {
                "finding": int(cell[0]), "shortcut": int(cell[2]), "n": 40, "accuracy": between(value),
                "picture": f"pictures/cell-{cell}.png",
            }
            for cell, value in cells.items()
        ],
    }  # fmt: skip


def row(key: str, data: str, value: float, n: int = 60, paper: float | None = None) -> Run:
    return {"predictor": key, "data": data, "label": "no drain", "n": n, "accuracy": between(value), "paper": paper}


def attribution(key: str, reference: float, terms: dict[str, float], n: int = 60) -> Run:
    edit = reference + sum(terms.values())
    return {
        "predictor": key,
        "n": n,
        "reference": between(reference),
        "terms": [
            {"name": name, "meaning": f"what {name} does", "value": between(value)} for name, value in terms.items()
        ],
        "edit": between(edit),
        "artefact": between(sum(value for name, value in terms.items() if name != "shift")),
        "shift_effect": between(terms["shift"]),
        "split": [
            {"name": "residual finding", "meaning": "left", "value": between(0.01)},
            {"name": "true shift", "meaning": "real", "value": between(edit - reference - 0.01)},
        ],
        "keep_sham": {"source": between(0.95), "keep_sham": between(0.94)},
    }


def example(record: str, kept: bool, cosine: float | None) -> Run:
    kinds = ("source", "masks", "radedit", "counterfactual")
    return {
        "record": record,
        "kept": kept,
        "cosine": cosine,
        "images": {kind: f"pictures/{kind}.png" for kind in kinds},
        "predictions": {
            "bad": {"source": 0.9, "radedit": 0.8, "counterfactual": 0.85},
            "good": {"source": 0.9, "radedit": 0.1, "counterfactual": 0.2},
        },
    }


ADDITION: Run = {
    "name": "population",
    "title": "Does the segmenter find the lungs when there is oedema?",
    "section": "Section 5.4, Figure 5",
    "added": "oedema",
    "structures": ["right_lung", "left_lung"],
    "edited": ["right_lung", "left_lung"],
    "prompt": "Moderate pulmonary oedema.",
    "sham_prompt": "No acute cardiopulmonary process.",
    "score_real": "No acute cardiopulmonary process.",
    "score_edit": "Moderate pulmonary oedema.",
}


def change(key: str, kind: str, value: Run) -> Run:
    return {"predictor": key, "kind": kind, "n": 60, "value": value}


def made_up() -> Run:
    return {
        "schema_version": 1,
        "scenario": {
            "name": "manifestation",
            "title": "Does the detector see the pneumothorax or the chest drain?",
            "section": "Section 5.3, Table 2",
            "finding": "pneumothorax",
            "shortcut": "drain",
            "prompt": "No acute cardiopulmonary process.",
            "keep_sham_prompt": "Pneumothorax.",
            "score_real": "Pneumothorax.",
            "score_edit": "No acute cardiopulmonary process.",
        },
        "rules": {"limit": 0.1, "control_limit": 0.1, "min_n": 30, "fail_on": None},
        "setting": "phantom",
        "created": "2026-01-02T03:04:05+00:00",
        "command": "python -m radedit.stress +scenario=manifestation",
        "commit": "0123456789abcdef",
        "seed": 7,
        "machine": "a machine",
        "versions": {"radedit": "0.1", "torch": "2.11"},
        "minutes": {"generate": 3.2, "evaluate": 0.4},
        "hashes": {
            "generator": "aa11", "predictors": {"bad": {"Seed 0": "bb22"}, "good": {"Seed 0": "cc33"}},
            "runs": {"Seed 0": "dd44"},
        },
        "config": {"editor": {"w": 15.0}},
        "counts": {"sources": 62, "skipped": 1, "edited": 61, "kept": 60, "rejected": 1, "undefined": 0},
        "skipped": [{"record": "lost-1", "reason": "45 % of m_edit is lost to m_keep."}],
        "threshold": 0.2,
        "predictors": [
            predictor("bad", "confounded", {"1-1": 1.0, "0-1": 0.1, "1-0": 0.8, "0-0": 0.95}),
            predictor("good", "unconfounded", {"1-1": 0.95, "0-1": 0.9, "1-0": 0.92, "0-0": 0.96}),
        ],
        "table": [
            row("bad", "in-distribution test set", 0.95, paper=93.3),
            row("bad", "synthetic (kept)", 0.18, paper=17.9),
            row("bad", "truly shifted, same patients", 0.16),
            row("good", "in-distribution test set", 0.94, paper=93.7),
            row("good", "synthetic (kept)", 0.92, paper=81.7),
        ],
        "attribution": [
            attribution("bad", 0.024, {"VAE": 0.004, "inversion": -0.0115, "artefact": 0.0085, "shift": 0.795}),
            attribution("good", 0.03, {"VAE": 0.0, "inversion": 0.001, "artefact": 0.0, "shift": 0.049}),
        ],
        "agreement": [
            {
                "predictor": "bad", "n": 60, "synthetic": between(0.18), "truth": between(0.16),
                "difference": estimate(0.02, -0.01, 0.05),
            },
        ],
        "changes": [
            change("bad", "synthetic", estimate(-0.77, -0.85, -0.68)),
            change("good", "synthetic", estimate(-0.02, -0.08, 0.04)),
        ],
        "score": {
            "record": [f"rec-{i}" for i in range(61)], "cosine": [0.4] * 60 + [0.1], "kept": [True] * 60 + [False],
        },
        "gallery": [example("rec-1", True, 0.41), example("rec-2", False, 0.1), example("rec-3", True, None)],
        "edit_quality": {"keep_change_mean": estimate(0.8, 0.7, 0.9), "keep_change_max": 31.0},
        "notes": ["Replay, sham and edit share their noise."],
    }  # fmt: skip


@pytest.fixture
def run() -> Run:
    """Results as a stress test writes them; tests may change them before they are written."""
    return made_up()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Run], Path]:
    """Writes results and the pictures that they name into a run folder."""
    return lambda run: written(run, tmp_path / "run")


def written(run: Run, folder: Path) -> Path:
    named = [cell.get("picture") for p in run["predictors"] for cell in p["cells"]]
    named += [path for example in run["gallery"] for path in example["images"].values()]
    for i, path in enumerate(dict.fromkeys(filter(None, named))):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((32, 32), 20 * i % 256, dtype=np.uint8)).save(folder / path)
    folder.mkdir(exist_ok=True)
    (folder / "results.json").write_text(json.dumps(run))
    return folder
