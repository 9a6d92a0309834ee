"""A finished run's folder: `results.json` and the pictures it names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from radedit.data.image.files import read_image, read_mask, write_png
from radedit.data.image.transforms import preprocess
from radedit.data.io.atomic import write_atomically
from radedit.data.io.checksums import FILE as SUMS
from radedit.data.io.checksums import sums_of, write_sums
from radedit.data.io.names import checked_digest, checked_name, inside
from radedit.data.io.provenance import without_places
from radedit.data.stress_set import image_path, read_rows, require_whole_set
from radedit.harness.evidence.checks import keeps_shortcut
from radedit.harness.evidence.evidence import Evidence
from radedit.harness.evidence.generator_fit import Judgement
from radedit.harness.evidence.results import FILE, OUTLINES, Example, PredictorEntry, Provenance, Results, save
from radedit.harness.predictors.predictions import FILE as IMAGES
from radedit.harness.statistics.estimate import Estimate
from radedit.harness.statistics.means import INTERVAL
from radedit.harness.stress.block_editor import CREDITS
from radedit.report.images.pictures import contours, png

PACKAGE = Path(__file__).resolve().parents[2]
SHIPPED = "radedit:"  # begins the place of weights that came with the package
SHOWN = ("source", "edit", "sham", "counterfactual")  # kinds of every gallery record, before those of other editors


def write_results(
    folder: Path,
    stress_set: Path,
    evidence: Evidence,
    provenance: Provenance,
    *,
    setting: str,
    threshold: float,
    edit_quality: Mapping[str, Estimate | float],
    judgement: Judgement | None = None,
) -> Results:
    """Write `results.json` and the pictures that it names.

    Args:
        folder: Of the run.
        stress_set: Whose pictures are shown.
        evidence: What was found.
        provenance: Where it comes from.
        setting: Where images and weights come from.
        threshold: Editing scores at or above it were kept.
        edit_quality: Beside what `evidence` has.
        judgement: Of the generator, where it was judged.

    Returns:
        The results as written.
    """
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for cell, reader in evidence.cells.items():
        image = preprocess(reader.load(reader.records[0]), _size(stress_set)).image
        write_png(folder / "pictures" / f"cell-{cell}.png", image, text={})
    results = Results(
        **dict(provenance),
        **dict(evidence.figures),
        scenario=evidence.scenario,
        rules=evidence.rules,
        setting=setting,
        predictors=evidence.predictors,
        counts=evidence.counts,
        skipped=evidence.skipped,
        threshold=threshold,
        interval=INTERVAL,
        score=evidence.score,
        edit_quality={**evidence.quality, **edit_quality},
        generator=judgement.figures if judgement else [],
        weaknesses=judgement.weaknesses if judgement else [],
        remarks=judgement.remarks if judgement else [],
        notes=evidence.notes,
        checks=evidence.checks,
        failed=evidence.failed,
    )
    gallery = [_example(folder, stress_set, evidence, record, results.editor) for record in evidence.gallery]
    found = results.model_copy(update={"gallery": gallery, "predictors": _placed(evidence.predictors, folder)})
    results = Results.model_validate_json(json.dumps(without_places(found.model_dump(mode="json"))))
    save(results, folder / FILE)
    return results


def _placed(predictors: Sequence[PredictorEntry], folder: Path) -> list[PredictorEntry]:
    """Where their weights lie, seen from the folder of all outputs; nothing where they lie elsewhere."""
    out = folder.resolve().parent.parent
    placed = []
    for predictor in predictors:
        place = Path(predictor.folder or ".")
        inside = place.is_absolute() and place.is_relative_to(out)
        shipped = place.is_absolute() and place.is_relative_to(PACKAGE)
        where = str(place.relative_to(out)) if inside else f"{SHIPPED}{place.relative_to(PACKAGE)}" if shipped else ""
        placed.append(predictor.model_copy(update={"folder": where}))
    return placed


def place_of(run: Path, folder: str) -> str:
    """Where the weights of a tested predictor lie, from what its run's results say; empty where these do not know."""
    if folder.startswith(SHIPPED):
        return str(PACKAGE / folder.removeprefix(SHIPPED))
    return str(Path(run).resolve().parent.parent / folder) if folder else ""


def seal_run(folder: Path, results: Results) -> None:
    """Write checksums of all that is read back from a finished run: its results, its predictions and its pictures."""
    write_sums(folder / SUMS, sums_of(folder, sorted({FILE, IMAGES, *results.pictures})))


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
    checked_name(name, f"The scenario's name in {run}")
    if hash_:
        checked_digest(hash_, f"The hash of the stress set in {run}")
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
    require_whole_set(place)
    return place


def _size(stress_set: Path) -> int:
    row = next(row for row in read_rows(stress_set) if row.get("image"))
    return int(read_image(stress_set / row["image"]).pixels.shape[-1])


def _example(folder: Path, stress_set: Path, evidence: Evidence, record: str, editor: str) -> Example:
    rows = {row["attr_kind"]: row for row in read_rows(stress_set) if row["attr_record"] == record}
    others = [kind for kind in ("diffedit", "lance", "sdedit", "radedit") if kind in rows and kind != editor]
    images: dict[str, str] = {}
    for kind in (*SHOWN, *others):
        if kind not in rows:
            continue
        name = editor if kind == "edit" else kind
        target = Path("pictures") / kind / Path(image_path(kind, record)).name
        (folder / target).parent.mkdir(exist_ok=True)
        source = inside(stress_set, rows[kind]["image"], f"The image of {record!r}")
        write_atomically(folder / target, source.read_bytes())
        images[name] = target.as_posix()
        if kind == "source":
            images["masks"] = _masks(folder, stress_set, rows["source"], record)
    predictions: dict[str, dict[str, float | None]] = {
        key: {editor if kind == "edit" else kind: p for kind, p in by_kind.items() if kind in (*SHOWN, *others)}
        for key, by_kind in evidence.probabilities[record].items()
    }
    edit = rows["edit"]
    return Example(
        record=record,
        kept=bool(edit["kept"]),
        cosine=edit["cosine"],
        images=images | _predictions(folder, stress_set, evidence, rows, record, editor),
        predictions=predictions,
        structures={
            editor if kind == "edit" else kind: there
            for kind, there in keeps_shortcut(stress_set, rows, ["edit", *others]).items()
        },
        **{name: edit[f"attr_{name}"] for name in CREDITS if f"attr_{name}" in edit},
    )


def _predictions(
    folder: Path, stress_set: Path, evidence: Evidence, rows: Mapping[str, Any], record: str, editor: str
) -> dict[str, str]:
    """What the predictors drew on a record's images, with the truth, one picture for each image and predictor."""
    paths = {}
    for kind, predictions in evidence.predictions.get(record, {}).items():
        image = read_image(stress_set / rows[kind]["image"]).pixels[0].numpy()
        for key, drawn in predictions.items():
            name = f"{OUTLINES}{editor if kind == 'edit' else kind}:{key}"
            target = Path("pictures") / f"predictions-{key}-{kind}" / Path(image_path(kind, record)).name
            (folder / target).parent.mkdir(exist_ok=True)
            masks = {"truth": evidence.truths[record].numpy(), "predicted": drawn.numpy()}
            write_atomically(folder / target, png(contours(image, masks)))
            paths[name] = target.as_posix()
    return paths


def _masks(folder: Path, stress_set: Path, row: Mapping[str, Any], record: str) -> str:
    image = read_image(stress_set / row["image"]).pixels[0].numpy()
    masks = {name: read_mask(stress_set / row[f"mask_m_{name}"])[0].numpy() for name in ("edit", "keep")}
    target = Path("pictures") / "masks" / Path(image_path("masks", record)).name
    (folder / target).parent.mkdir(exist_ok=True)
    write_atomically(folder / target, png(contours(image, masks)))
    return target.as_posix()
