"""A run in W&B: configuration with hashes, summary metrics, a table of edits, the report, and what it was made of.

Every scenario names its metrics alike, so that runs can be compared, and `radedit.report.wandb.workspace` shows them.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from radedit.data.io.provenance import without_places
from radedit.harness.evidence.results import FILE, Results
from radedit.harness.statistics.estimate import Estimate
from radedit.harness.sweep.pooled import only
from radedit.harness.sweep.results import Sweep
from radedit.report.images.strip import FILE as STRIP
from radedit.report.sweep.page import PAGE
from radedit.report.sweep.run_folder import find_stress_set

BOUNDS = ("low", "high")
EDITOR = "editor_name"  # key of the configuration by which runs are grouped


def slug(data: str) -> str:
    """A set of images, or a term, as part of a metric's name: `synthetic (kept)` is `synthetic_kept`."""
    return re.sub(r"[^a-z0-9]+", "_", data.lower()).strip("_")


def summary(results: Results, prefix: str = "") -> dict[str, float | str]:
    """Metrics of a finished run, whatever its scenario.

    | name | holds |
    |---|---|
    | `test/<predictor>/<set>/<measure>` | `accuracy`, or `dice`, `hd95`, …; with `/low` and `/high` |
    | `test/<predictor>/<set>/n` | images, and `missed` of a segmenter |
    | `attribution/<predictor>/<term>` | `reference`, `vae`, `inversion`, `artefact`, `shift`, `edit`, …; with bounds |
    | `agreement/<predictor>/difference` | synthetic less truly shifted, where that is known; with bounds |
    | `verdict/<predictor>` | `fail`, `pass` or `undecided`; with `/shift_effect`, `/artefact` (with bounds) and `/n` |
    | `counts/<name>` | records |
    | `score/kept_share` | kept of all edits, 0…1 |
    | `cost/<step>_minutes` | of generation and evaluation |

    Args:
        results: Of one run or of several.
        prefix: Before the key of a predictor, where there are several variants.

    Returns:
        Name → value. What is not known is left out.
    """
    found: dict[str, Any] = {}
    for row in results.table:
        name = f"test/{prefix}{row.predictor}/{slug(row.data)}"
        for measure, estimate in (row.scores or {"accuracy": row.main}).items():
            found |= _estimate(f"{name}/{measure}", estimate)
        found |= {f"{name}/n": row.n} | ({f"{name}/missed": row.missed} if row.scores else {})
    for entry in results.attribution:
        name = f"attribution/{prefix}{entry.predictor}"
        ends = {"reference": entry.reference, "edit": entry.edit}
        for term, estimate in (ends | {slug(term.name): term.value for term in (*entry.terms, *entry.split)}).items():
            found |= _estimate(f"{name}/{term}", estimate)
    for pair in results.agreements():
        found |= _estimate(f"agreement/{prefix}{pair.predictor}/difference", pair.difference)
    for verdict in results.verdicts:
        name = f"verdict/{prefix}{verdict.predictor}"
        found |= {name: verdict.outcome, f"{name}/n": verdict.n}
        for part in ("shift_effect", "artefact"):
            if (estimate := getattr(verdict, part)) is not None:  # else nothing was judged
                found |= _estimate(f"{name}/{part}", estimate)
    counts = results.counts
    found |= {f"counts/{name}": value for name, value in counts.items()}
    found["score/kept_share"] = counts["kept"] / counts["edited"] if counts.get("edited") else None
    found |= {f"cost/{step}_minutes": minutes for step, minutes in results.minutes.items()}
    return {
        name: value if isinstance(value, str) else float(value) for name, value in found.items() if value is not None
    }


def log_run(logger: Any, results: Results, folder: Path, config: Any) -> None:
    """Log a finished run to a Lightning logger; tables, pictures and artifacts only to W&B.

    Args:
        logger: Or None, to log nothing.
        results: Of the run.
        folder: Of the run.
        config: Of the command, as a plain mapping.
    """
    if logger is None:
        return
    about = {"hashes": results.hashes.model_dump(), "commit": results.commit, "versions": results.versions}
    logger.log_hyperparams(without_places({**config, **about, EDITOR: results.editor}))
    logger.log_metrics(summary(results))
    if _is_wandb(logger) and _shows_images(logger):
        run = logger.experiment
        run.log({"edits": _edits(results, folder), **_pictures(folder), "report": _html(folder / PAGE)})
        if not (run.offline or run.disabled):  # W&B refuses use_artifact offline; the configuration has the hashes
            _log_lineage(run, results, folder)
    logger.finalize("success")


def log_sweep(logger: Any, sweep: Sweep, folder: Path) -> None:
    """Log what a sweep found, all its runs put together, as a run of its own.

    Args:
        logger: Or None, to log nothing.
        sweep: Its metrics have the names that runs have, predictors `<variant>/<key>` where there are several variants.
        folder: Of the sweep; its `report.html` is logged.
    """
    if logger is None:
        return
    hashes = {"sweep": sweep.hash, "runs": {member.folder: member.run for member in sweep.runs}}
    about = {"hashes": hashes, "rules": asdict(sweep.rules), "setting": sweep.setting, "command": sweep.command}
    logger.log_hyperparams(without_places(about))
    logger.log_metrics(
        {
            name: value
            for variant in sweep.variants
            for name, value in summary(variant.results, f"{variant.key}/" if sweep.several else "").items()
        }
    )
    if _is_wandb(logger):
        import wandb

        columns: list[str | int] = ["variant", "predictor", "data", "label", "n", "seeds", "value", "std", "paper"]
        data = [
            [variant.key, row.predictor, row.data, row.label, row.n, row.seeds, row.main.value, row.std, row.paper]
            for variant in sweep.variants
            for row in variant.results.table
        ]
        logged: dict[str, Any] = {"sweep": wandb.Table(columns=columns, data=data)}
        if _shows_images(logger) and (folder / PAGE).is_file():
            logged["report"] = _html(folder / PAGE)
        logger.experiment.log(logged)
    logger.finalize("success")


def _estimate(name: str, estimate: Estimate) -> dict[str, Any]:
    return {name: estimate.value, **{f"{name}/{bound}": getattr(estimate, bound) for bound in BOUNDS}}


def _is_wandb(logger: Any) -> bool:
    return type(logger).__name__ == "WandbLogger"


def _shows_images(logger: Any) -> bool:
    """Whether images and ids may go where the logger sends; offline they stay here, and may."""
    return getattr(logger, "upload", None) != "numbers"


def _edits(results: Results, folder: Path) -> Any:
    """The gallery as a table: pictures and predictions of each record."""
    import wandb

    kinds = sorted({kind for example in results.gallery for kind in example.images})
    keys = [predictor.key for predictor in results.predictors]
    table = wandb.Table(columns=["record", "kept", "cosine", *kinds, *keys])
    for example in results.gallery:
        pictures = [wandb.Image(str(folder / example.images[k])) if k in example.images else None for k in kinds]
        predictions = [str(example.predictions[key]) for key in keys]
        table.add_data(example.record, example.kept, example.cosine, *pictures, *predictions)
    return table


def _pictures(folder: Path) -> dict[str, Any]:
    import wandb

    return {"strip": wandb.Image(str(folder / STRIP))} if (folder / STRIP).is_file() else {}


def _html(page: Path) -> Any:
    import wandb

    return wandb.Html(page.read_text(encoding="utf-8"))


def _log_lineage(run: Any, results: Results, folder: Path) -> None:
    """The stress set that was tested on, and the tested predictors, by their hashes; no weights, no images."""
    import wandb

    hash_ = results.hashes.stress_set
    stress_set = wandb.Artifact(f"stress-set-{hash_[:12]}", type="stress-set", metadata={"content_hash": hash_})
    place = find_stress_set(folder, results.name, hash_)
    for file in (place / "manifest.csv", place / "meta.json", folder / FILE):
        stress_set.add_file(str(file))
    run.log_artifact(stress_set)
    for predictor in results.predictors:
        tested = only(results.hashes.predictors[predictor.key])
        about = {key: getattr(predictor, key) for key in ("key", "name", "kind", "folder")} | {"hash": tested}
        reference = wandb.Artifact(f"predictor-{tested[:12]}", type="predictor", metadata=about)
        with reference.new_file("predictor.json", mode="w") as card:
            json.dump(about, card, indent=1)
        run.use_artifact(reference)
