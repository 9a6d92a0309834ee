"""Folders of finished runs with made-up answers, as `radedit.stress` leaves them: several seeds, additions, editors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from radedit.data.fingerprint import content_hash
from radedit.harness.answers import Answers, Measured, write_films
from radedit.harness.evidence import figures
from radedit.harness.pooled import reading
from radedit.harness.removal import ranking
from radedit.harness.scenario import Addition, Removal
from radedit.harness.verdict import Rules

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
        "biased": {"ordinary": [99.1, 0.2], "synthetic": [5.5, 2.1]},
        "unbiased": {"ordinary": [74.4, 3.0], "synthetic": [76.0, 7.7]},
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
    "biased": {"source": 0.98, "edit": 0.92, "twin": 0.94, "sham": 0.03, "reference": 0.02, "ordinary": 0.99},
    "unbiased": {"source": 0.85, "edit": 0.08, "twin": 0.05, "sham": 0.06, "reference": 0.05, "ordinary": 0.84},
}
# Kind of image → Dice of a predictor of a role.
DICES: dict[str, dict[str, float]] = {
    "weak": {"source": 0.95, "edit": 0.80, "twin": 0.82, "sham": 0.945, "ordinary": 0.95},
    "strong": {"source": 0.96, "edit": 0.93, "twin": 0.94, "sham": 0.955, "ordinary": 0.955},
}


def removal_run(
    out: Path,
    seed: int | None = 0,
    *,
    n: int = 40,
    answers_of: int | None = None,
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
        answers_of: Seed whose answers the predictors give; their own where None.
        rates: Role → kind of image → how often it is called positive.
        lacks: Records that the predictors could not measure.
        stress_set: Names the edits.
        editor: That made them.
        changed: Entries of `config.rules`, or of the results.
    """
    ids = [f"p{i // 2:03d}-{i % 2}" for i in range(n)]
    rng = np.random.default_rng([answers_of if answers_of is not None else seed or 0, n])
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
        positive = _classified(rng, own[: n // 2], rates[role]["ordinary"], label=1)
        negative = _classified(rng, own[n // 2 :], 1 - rates[role]["ordinary"], label=0)
        sets["ordinary"] = Answers(
            own, own, {m: np.concatenate([positive.values[m], negative.values[m]], axis=1) for m in positive.values}
        )
        for cell, rate in (("1-1", 0.97), ("1-0", 0.8), ("0-1", rates[role]["edit"]), ("0-0", 0.03)):
            sets[f"cell-{cell}"] = _classified(rng, own, rate, label=int(cell[0]))
        measured.append(Measured(key, role, sets, (seed,)))
    scenario = Removal(**REMOVAL)
    return _write(out, scenario, REMOVAL, measured, ids, seed, stress_set, editor, PAIR, changed)


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
        sets = {kind: _segmented(rng, ids, dice) for kind, dice in DICES[role].items() if kind != "ordinary"}
        sets |= {kind: _segmented(rng, ids, DICES[role]["source"]) for kind in ("vae", "replay")}
        sets["ordinary"] = _segmented(rng, [f"own{i:03d}" for i in range(n)], DICES[role]["ordinary"])
        measured.append(Measured(key, role, sets, (seed,)))
    scenario = Addition(**settings)
    return _write(out, scenario, settings, measured, ids, seed, addition, "radedit", SEGMENTERS, changed)


def _classified(
    rng: np.random.Generator, ids: Sequence[str], rate: float, *, label: int, lacks: Sequence[str] = ()
) -> Answers:
    ids = [id_ for id_ in ids if id_ not in lacks]
    positive = (rng.uniform(size=len(ids)) < rate).astype(np.float64)
    probability = np.round(np.where(positive == 1, rng.uniform(0.5, 1, len(ids)), rng.uniform(0, 0.499, len(ids))), 4)
    values = {
        "label": np.full(len(ids), float(label)), "probability": probability, "positive": positive,
        "correct": (positive == label).astype(np.float64),
    }  # fmt: skip
    return Answers(ids, [id_.partition("-")[0] for id_ in ids], {name: value[None] for name, value in values.items()})


def _segmented(rng: np.random.Generator, ids: Sequence[str], dice: float) -> Answers:
    found = np.round(np.clip(dice + rng.normal(0, 0.02, len(ids)), 0, 1), 5)
    values: dict[str, Any] = {
        "dice": found, "dice_all": found, "hd95": np.round(60 * (1 - found), 4), "asd": np.round(20 * (1 - found), 4),
        "missed": np.zeros(len(ids)), "area": found,
    }  # fmt: skip
    return Answers(list(ids), [id_.partition("-")[0] for id_ in ids], {k: v[None] for k, v in values.items()})


def _write(
    out: Path, scenario: Removal | Addition, settings: Mapping[str, Any], measured: list[Measured], ids: list[str],
    seed: int | None, stress_set: str, editor: str, names: Mapping[str, tuple[str, str]], changed: Mapping[str, Any],
) -> Path:  # fmt: skip
    wide = {"path_limit": 0.5}  # so few made-up films leave the path uncertain
    rules = Rules(**wide | {name: value for name, value in changed.items() if hasattr(Rules, name)})
    others = {name: value for name, value in changed.items() if not hasattr(Rules, name)}
    every = [id_ for id_ in ids if id_ in set(measured[0].sets["edit"].ids)]
    cosine = {id_: round(0.1 + 0.6 * (i / len(ids)), 4) for i, id_ in enumerate(ids)}
    kept = [id_ for id_ in every if cosine[id_] >= 0.2]
    rows, yardstick = reading(scenario)
    found = figures(measured, rows, yardstick, scenario, rules, kept, every)
    who = {key: content_hash([key, seed]) for key in names}
    hashes: dict[str, Any] = {
        "generator": "aa11", "stress_set": content_hash([stress_set, editor]), "predictors": who,
        "run": content_hash([stress_set, editor, seed, sorted(map(str, changed.items()))]),
    }  # fmt: skip
    results = {
        "name": scenario.name, "title": scenario.title, "section": scenario.section, **scenario.words,
        "setting": "phantom", "interval": "95 % interval", "created": f"2026-01-0{1 + (seed or 0)}T00:00:00+00:00",
        "command": "python -m radedit.stress +scenario=made-up", "commit": "0123456789abcdef", "seed": 0,
        "predictor_seed": seed, "machine": "a machine", "versions": {"torch": "2.11"}, "threshold": 0.2,
        "minutes": {"generate": 1.0, "evaluate": 0.5},
        "hashes": hashes,
        "config": {
            "editor": {"_target_": f"radedit.editing.{editor}.edit"},
            "scenario": {"_target_": f"radedit.harness.scenario.{type(scenario).__name__}", **settings},
            "rules": {"_target_": "radedit.harness.verdict.Rules", **vars(rules)},
        },
        "counts": {
            "sources": len(ids), "edited": len(ids), "skipped": 0, "kept": sum(c >= 0.2 for c in cosine.values()),
            "rejected": sum(c < 0.2 for c in cosine.values()), "undefined": 0,
        },
        "skipped": [],
        "predictors": [
            {"key": key, "name": name, "role": role, "kind": "classifier", "trained_on": "made-up films", "seed": seed}
            for key, (role, name) in names.items()
        ],
        **found,
        "verdicts": [verdict.dict() for verdict in found["verdicts"]],
        "ranking": ranking(measured, {}, kept) if isinstance(scenario, Removal) else [],
        "score": {"record": ids, "cosine": list(cosine.values()), "kept": [c >= 0.2 for c in cosine.values()]},
        "gallery": [
            {
                "record": every[0], "kept": True, "cosine": 0.4,
                "images": {kind: f"pictures/{kind}.png" for kind in ("source", "masks", editor, "twin")},
                "predictions": {key: {"source": 0.9, editor: 0.2} for key in names},
            }
        ],
        "edit_quality": None,
        "notes": ["Every edit was kept by the editing score.", f"Only seed {seed} says this."],
        **others,
    }  # fmt: skip
    folder = out / f"{scenario.name}-{hashes['run'][:12]}"
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for kind in ("source", "masks", editor, "twin", *(f"cell-{f}-{s}" for f in (0, 1) for s in (0, 1))):
        Image.fromarray(np.full((8, 8), 90, dtype=np.uint8)).save(folder / "pictures" / f"{kind}.png")
    (folder / "results.json").write_text(json.dumps(results))
    write_films(folder / "films.csv", measured, kept)
    return folder
