"""A finished run's folder: `results.json` and the pictures it names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from radedit.data.atomic import write_atomically
from radedit.data.images import read_image, read_mask, write_png
from radedit.data.stress_set import image_path, read_rows
from radedit.data.transforms import preprocess
from radedit.harness.block_editor import CREDITS
from radedit.harness.changes import changes
from radedit.harness.evidence import Evidence
from radedit.harness.kept_curve import kept_curve
from radedit.harness.pooled import reading
from radedit.harness.statistics import INTERVAL
from radedit.report.pictures import contours
from radedit.report.results import FILE, OUTLINES

SHOWN = ("source", "edit", "sham", "twin")  # kinds of every gallery record, before those of other editors


def write_results(folder: Path, stress_set: Path, evidence: Evidence, about: Mapping[str, Any]) -> dict[str, Any]:
    """Write `results.json` and pictures.

    Args:
        folder: Of the run.
        stress_set: Whose pictures are shown.
        evidence: What was found.
        about: Provenance: setting, command, commit, seeds, versions, hashes, …

    Returns:
        The results as written.
    """
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for cell, reader in evidence.cells.items():
        film = preprocess(reader.load(reader.records[0]), _size(stress_set)).image
        write_png(folder / "pictures" / f"cell-{cell}.png", film, text={})
    editor = str(about["config"]["editor"]["_target_"]).split(".")[-2]
    scenario = evidence.scenario
    _, yardstick = reading(scenario)
    cosines = dict(zip(evidence.score["record"], evidence.score["cosine"], strict=True))
    results = {
        "name": scenario.name,
        "title": scenario.title,
        "section": scenario.section,
        **scenario.words,
        "interval": INTERVAL,
        **{
            key: getattr(evidence, key)
            for key in (
                "counts",
                "skipped",
                "predictors",
                "table",
                "attribution",
                "agreement",
                "contrasts",
                "ranking",
                "score",
                "notes",
            )
        },
        "changes": changes(evidence.measured, yardstick, evidence.kept or list(cosines)),
        "kept_curve": kept_curve(evidence.measured, yardstick.measure, cosines),
        "verdicts": [asdict(verdict) for verdict in evidence.verdicts],
        "gallery": [_example(folder, stress_set, evidence, record, editor) for record in evidence.gallery],
        "edit_quality": evidence.quality,
        **about,
    }
    write_atomically(folder / FILE, (json.dumps(results, indent=1, ensure_ascii=False) + "\n").encode())
    return results


def find_stress_set(run: Path, name: str, hash_: str) -> Path:
    """The stress set that a finished run was made on, beside it: `<run>/../../stress_sets/<name>-<hash>`.

    Args:
        run: Its folder.
        name: Of the scenario.
        hash_: Of the set, as the results have it.

    Raises:
        FileNotFoundError: If the set is gone.
        ValueError: If it is another one.
    """
    place = Path(run).resolve().parent.parent / "stress_sets" / f"{name}-{hash_[:12]}"
    if not hash_ or not (place / "manifest.csv").is_file():
        raise FileNotFoundError(
            f"The stress set of {run} is gone: there is no {place / 'manifest.csv'}. The same stress test, run again, "
            "makes it."
        )
    meta = json.loads((place / "meta.json").read_text(encoding="utf-8"))
    if meta.get("content_hash") != hash_:
        raise ValueError(
            f"{place} has hash {str(meta.get('content_hash'))[:24]}…, but {run} was made on {hash_[:24]}…. "
            "Run the stress test again."
        )
    return place


def _size(stress_set: Path) -> int:
    row = next(row for row in read_rows(stress_set) if row.get("image"))
    return int(read_image(stress_set / row["image"]).pixels.shape[-1])


def _example(folder: Path, stress_set: Path, evidence: Evidence, record: str, editor: str) -> dict[str, Any]:
    rows = {row["attr_kind"]: row for row in read_rows(stress_set) if row["attr_record"] == record}
    others = [kind for kind in ("diffedit", "lance", "sdedit", "radedit") if kind in rows and kind != editor]
    images: dict[str, str] = {}
    for kind in (*SHOWN, *others):
        if kind not in rows:
            continue
        name = editor if kind == "edit" else kind
        target = Path("pictures") / kind / Path(image_path(kind, record)).name
        (folder / target).parent.mkdir(exist_ok=True)
        (folder / target).write_bytes((stress_set / rows[kind]["image"]).read_bytes())
        images[name] = target.as_posix()
        if kind == "source":
            images["masks"] = _masks(folder, stress_set, rows["source"], record)
    predictions = {
        key: {editor if kind == "edit" else kind: p for kind, p in by_kind.items() if kind in (*SHOWN, *others)}
        for key, by_kind in evidence.probabilities[record].items()
    }
    edit = rows["edit"]
    return {
        "record": record,
        "kept": edit["kept"],
        "cosine": edit["cosine"],
        "images": images | _answers(folder, stress_set, evidence, rows, record, editor),
        "predictions": predictions,
        **{name: edit[f"attr_{name}"] for name in CREDITS if f"attr_{name}" in edit},
    }


def _answers(
    folder: Path, stress_set: Path, evidence: Evidence, rows: Mapping[str, Any], record: str, editor: str
) -> dict[str, str]:
    """What the predictors drew on a record's films, with the truth, one picture for each film and predictor."""
    paths = {}
    for kind, answers in evidence.answers.get(record, {}).items():
        film = read_image(stress_set / rows[kind]["image"]).pixels[0].numpy()
        for key, drawn in answers.items():
            name = f"{OUTLINES}{editor if kind == 'edit' else kind}:{key}"
            target = Path("pictures") / f"answers-{key}-{kind}" / Path(image_path(kind, record)).name
            (folder / target).parent.mkdir(exist_ok=True)
            masks = {"truth": evidence.truths[record].numpy(), "predicted": drawn.numpy()}
            contours(film, masks).save(folder / target)
            paths[name] = target.as_posix()
    return paths


def _masks(folder: Path, stress_set: Path, row: Mapping[str, Any], record: str) -> str:
    film = read_image(stress_set / row["image"]).pixels[0].numpy()
    masks = {name: read_mask(stress_set / row[f"mask_m_{name}"])[0].numpy() for name in ("edit", "keep")}
    target = Path("pictures") / "masks" / Path(image_path("masks", record)).name
    (folder / target).parent.mkdir(exist_ok=True)
    contours(film, masks).save(folder / target)
    return target.as_posix()
