"""Folders of finished runs with made-up predictions, as `radedit.stress` leaves them: several seeds, additions,
editors.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from radedit.data.io.fingerprint import content_hash
from radedit.harness.evidence.evidence import figures
from radedit.harness.evidence.removal import ranking
from radedit.harness.evidence.results import Example, Hashes, PredictorEntry, Results, Score, save
from radedit.harness.evidence.verdict import Rules
from radedit.harness.predictors.predictions import Measured, Predictions, write_predictions
from radedit.harness.statistics import means
from radedit.harness.stress.scenario import Addition, Removal
from radedit.harness.sweep.pooled import reading, training_of

MADE = tempfile.TemporaryDirectory(prefix="radedit-made-up-")  # gone with this process

REMOVAL: dict[str, Any] = {
    "name": "acquisition",
    "title": "Does the classifier see COVID-19, or the hospital?",
    "section": "Section 5.2, Table 1",
    "finding": "covid",
    "shortcut": "hospital",
    "called": {"finding": "COVID-19", "shortcut": "look of hospital B"},
    "prompt": "No acute cardiopulmonary process",
    "keep_sham_prompt": "Opacities.",
    "score_real": "Opacities",
    "score_edit": "No acute cardiopulmonary process",
    "paper": {
        "biased": {"in_distribution": [99.1, 0.2], "synthetic": [5.5, 2.1]},
        "unbiased": {"in_distribution": [74.4, 3.0], "synthetic": [76.0, 7.7]},
    },
    "qualifies": {"biased": {"0-1": [None, 0.40]}, "unbiased": {"0-1": [0.80, None]}},
}
PAIR = {"biased": ("biased", "Biased classifier"), "unbiased": ("unbiased", "Unbiased classifier")}
ADDITIONS = {  # as conf/addition has them
    "oedema": ("oedema", "Moderate pulmonary oedema. The heart size is normal.", ["right_lung", "left_lung"]),
    "consolidation_left": (
        "a left upper lobe consolidation", "New left upper lobe consolidation.", ["left_lung"],
    ),
    "consolidation_right": (
        "a right upper lobe consolidation", "New right upper lobe consolidation.", ["right_lung"],
    ),
}  # fmt: skip
SEGMENTERS = {"weak": ("weak", "Weak segmenter"), "strong": ("strong", "Strong segmenter")}

# Kind of image → rate at which a predictor of a role calls it positive.
RATES: dict[str, dict[str, float]] = {
    "biased": {
        "source": 0.98,
        "edit": 0.92,
        "counterfactual": 0.94,
        "sham": 0.03,
        "reference": 0.02,
        "in_distribution": 0.99,
    },
    "unbiased": {
        "source": 0.85,
        "edit": 0.08,
        "counterfactual": 0.05,
        "sham": 0.06,
        "reference": 0.05,
        "in_distribution": 0.84,
    },
}
# Kind of image → Dice of a predictor of a role.
DICES: dict[str, dict[str, float]] = {
    "weak": {"source": 0.95, "edit": 0.80, "counterfactual": 0.82, "sham": 0.945, "in_distribution": 0.95},
    "strong": {"source": 0.96, "edit": 0.93, "counterfactual": 0.94, "sham": 0.955, "in_distribution": 0.955},
}


def made_once(make: Callable[..., Path]) -> Callable[..., Path]:
    """A run of the same arguments is judged once for all tests of a process; each test has its own copy."""
    made: dict[str, Path] = {}

    @functools.wraps(make)
    def copy(out: Path, *given: Any, **named: Any) -> Path:
        key = repr((given, sorted(named.items()), means.RESAMPLES))
        if key not in made:
            made[key] = make(Path(MADE.name) / f"{make.__name__}-{len(made)}", *given, **named)
        return Path(shutil.copytree(made[key], out / made[key].name, dirs_exist_ok=True))

    return copy


@made_once
def removal_run(
    out: Path,
    seed: int | None = 0,
    *,
    n: int = 40,
    predictions_of: int | None = None,
    rates: Mapping[str, Mapping[str, float]] = RATES,
    lacks: Sequence[str] = (),
    stress_set: str = "set",
    editor: str = "radedit",
    **changed: Any,
) -> Path:
    """A run of a removal.

    Args:
        out: Folder of runs.
        seed: Of the predictors' training.
        n: Records, of n/2 patients.
        predictions_of: Seed whose predictions the predictors give; their own where None.
        rates: Role → kind of image → how often it is called positive.
        lacks: Records that the predictors could not measure.
        stress_set: Names the edits.
        editor: That made them.
        changed: Entries of `config.rules`, or of the results.
    """
    ids = [f"p{i // 2:03d}-{i % 2}" for i in range(n)]
    rng = np.random.default_rng([predictions_of if predictions_of is not None else seed or 0, n])
    measured = []
    for key, (role, _) in PAIR.items():
        sets = {}
        for kind, rate in rates[role].items():
            sets[kind] = _classified(rng, ids, rate, label=int(kind == "source"), lacks=lacks)
        for kind, like in (("vae", "source"), ("replay", "source"), ("keep_sham", "source")):
            sets[kind] = _classified(rng, ids, rates[role][like], label=1, lacks=lacks)
        for kind in ("reference_vae", "reference_replay"):
            sets[kind] = _classified(rng, ids, rates[role]["reference"], label=0, lacks=lacks)
        own = [f"own{i:03d}" for i in range(n)]
        positive = _classified(rng, own[: n // 2], rates[role]["in_distribution"], label=1)
        negative = _classified(rng, own[n // 2 :], 1 - rates[role]["in_distribution"], label=0)
        sets["in_distribution"] = Predictions(
            own, own, {m: np.concatenate([positive.values[m], negative.values[m]], axis=1) for m in positive.values}
        )
        for cell, rate in (("1-1", 0.97), ("1-0", 0.8), ("0-1", rates[role]["edit"]), ("0-0", 0.03)):
            sets[f"cell-{cell}"] = _classified(rng, own, rate, label=int(cell[0]))
        measured.append(Measured(key, role, sets, (seed,)))
    scenario = Removal(**REMOVAL)
    return _write(out, scenario, measured, ids, seed, stress_set, editor, PAIR, changed)


@made_once
def addition_run(out: Path, addition: str = "oedema", seed: int | None = 0, *, n: int = 40, **changed: Any) -> Path:
    """A run of an addition; records of all additions have the same names, and the same patients."""
    added, prompt, edited = ADDITIONS[addition]
    settings: dict[str, Any] = {
        "name": "population",
        "title": f"Does the segmenter find the lungs when there is {added}?",
        "section": "Section 5.4, Figure 5",
        "structures": ["right_lung", "left_lung"],
        "added": added,
        "edited": edited,
        "prompt": prompt,
        "sham_prompt": "No acute cardiopulmonary process.",
        "score_real": "No acute cardiopulmonary process.",
        "score_edit": prompt,
        "paper": {},
    }
    ids = [f"p{i // 2:03d}-{i % 2}" for i in range(n)]
    rng = np.random.default_rng([seed or 0, n, len(addition)])
    measured = []
    for key, (role, _) in SEGMENTERS.items():
        sets = {kind: _segmented(rng, ids, dice) for kind, dice in DICES[role].items() if kind != "in_distribution"}
        sets |= {kind: _segmented(rng, ids, DICES[role]["source"]) for kind in ("vae", "replay")}
        sets["in_distribution"] = _segmented(rng, [f"own{i:03d}" for i in range(n)], DICES[role]["in_distribution"])
        measured.append(Measured(key, role, sets, (seed,)))
    scenario = Addition(**settings)
    return _write(out, scenario, measured, ids, seed, addition, "radedit", SEGMENTERS, changed)


def _classified(
    rng: np.random.Generator, ids: Sequence[str], rate: float, *, label: int, lacks: Sequence[str] = ()
) -> Predictions:
    ids = [id_ for id_ in ids if id_ not in lacks]
    positive = (rng.uniform(size=len(ids)) < rate).astype(np.float64)
    probability = np.round(np.where(positive == 1, rng.uniform(0.5, 1, len(ids)), rng.uniform(0, 0.499, len(ids))), 4)
    values = {
        "label": np.full(len(ids), float(label)), "probability": probability, "positive": positive,
        "correct": (positive == label).astype(np.float64),
    }  # fmt: skip
    return Predictions(
        ids, [id_.partition("-")[0] for id_ in ids], {name: value[None] for name, value in values.items()}
    )


def _segmented(rng: np.random.Generator, ids: Sequence[str], dice: float) -> Predictions:
    found = np.round(np.clip(dice + rng.normal(0, 0.02, len(ids)), 0, 1), 5)
    values: dict[str, Any] = {
        "dice": found, "dice_all": found, "hd95": np.round(60 * (1 - found), 4), "asd": np.round(20 * (1 - found), 4),
        "missed": np.zeros(len(ids)), "area": found,
    }  # fmt: skip
    return Predictions(list(ids), [id_.partition("-")[0] for id_ in ids], {k: v[None] for k, v in values.items()})


def _write(
    out: Path, scenario: Removal | Addition, measured: list[Measured], ids: list[str],
    seed: int | None, stress_set: str, editor: str, names: Mapping[str, tuple[str, str]], changed: Mapping[str, Any],
) -> Path:  # fmt: skip
    wide = {"control_limit": 0.5}  # so few made-up images leave the control uncertain
    rules = Rules(**wide | {name: value for name, value in changed.items() if hasattr(Rules, name)})
    others = {name: value for name, value in changed.items() if not hasattr(Rules, name)}
    every = [id_ for id_ in ids if id_ in set(measured[0].sets["edit"].ids)]
    cosine = {id_: round(0.1 + 0.6 * (i / len(ids)), 4) for i, id_ in enumerate(ids)}
    kept = [id_ for id_ in every if cosine[id_] >= 0.2]
    ranked = ranking(measured, {}, kept) if isinstance(scenario, Removal) else []
    lines, yardstick = reading(scenario)
    known = {id_: cosine[id_] for id_ in every}
    found = figures(measured, lines, yardstick, scenario, rules, kept, known, ranked)
    run = content_hash([stress_set, editor, seed, sorted(map(str, changed.items()))])
    training = training_of(seed, run)
    about: dict[str, Any] = {
        "setting": "phantom", "interval": "95 % interval", "created": f"2026-01-0{1 + (seed or 0)}T00:00:00+00:00",
        "command": "python -m radedit.stress +scenario=made-up", "commit": "0123456789abcdef", "seed": 0,
        "predictor_seed": seed, "machine": "a machine", "versions": {"torch": "2.11"}, "threshold": 0.2,
        "minutes": {"generate": 1.0, "evaluate": 0.5},
        "hashes": Hashes(
            generator="aa11", stress_set=content_hash([stress_set, editor]), runs={training: run},
            predictors={key: {training: content_hash([key, seed])} for key in names},
        ),
        "config": {"editor": {"_target_": f"radedit.editing.{editor}.edit"}},
        "counts": {
            "sources": len(ids), "edited": len(ids), "skipped": 0, "kept": sum(c >= 0.2 for c in cosine.values()),
            "rejected": sum(c < 0.2 for c in cosine.values()), "undefined": 0,
        },
        "predictors": [
            PredictorEntry(key=key, name=name, role=role, kind="classifier", trained_on="made-up images", seeds=[seed])
            for key, (role, name) in names.items()
        ],
        "score": Score(record=ids, cosine=list(cosine.values()), kept=[c >= 0.2 for c in cosine.values()]),
        "gallery": [
            Example(
                record=every[0], kept=True, cosine=0.4,
                images={kind: f"pictures/{kind}.png" for kind in ("source", "masks", editor, "counterfactual")},
                predictions={key: {"source": 0.9, editor: 0.2} for key in names},
            )
        ],
        "notes": ["Every edit was kept by the editing score.", f"Only seed {seed} says this."],
    }  # fmt: skip
    results = Results(**dict(found), scenario=scenario, rules=rules, **(about | others))
    folder = out / f"{scenario.name}-{run[:12]}"
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for kind in ("source", "masks", editor, "counterfactual", *(f"cell-{f}-{s}" for f in (0, 1) for s in (0, 1))):
        Image.fromarray(np.full((8, 8), 90, dtype=np.uint8)).save(folder / "pictures" / f"{kind}.png")
    save(results, folder / "results.json")
    write_predictions(folder / "predictions.csv", measured, kept)
    return folder
