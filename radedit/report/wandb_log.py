"""A run in W&B: configuration with hashes, summary metrics, a table of edits, the report, and what it was made of.

Every scenario names its metrics alike, so that runs can be compared, and `radedit.report.wandb_workspace` shows them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from radedit.report.results import FILE
from radedit.report.run_folder import find_stress_set
from radedit.report.strip import FILE as STRIP

BOUNDS = ("low", "high")
EDITOR = "editor_name"  # key of the configuration by which runs are grouped


def slug(data: str) -> str:
    """A set of films, or a term, as part of a metric's name: `synthetic (kept)` is `synthetic_kept`."""
    return re.sub(r"[^a-z0-9]+", "_", data.lower()).strip("_")


def editor_of(results: Mapping[str, Any]) -> str:
    """Name of the tested editor, as in `conf/editor`; empty where it is not known."""
    target = str(results.get("config", {}).get("editor", {}).get("_target_", ""))
    return target.split(".")[-2] if "." in target else ""


def summary(results: Mapping[str, Any]) -> dict[str, float | str]:
    """Metrics of a finished run, whatever its scenario.

    | name | holds |
    |---|---|
    | `test/<predictor>/<set>/<measure>` | `accuracy`, or `dice`, `hd95`, …; with `/low` and `/high` |
    | `test/<predictor>/<set>/n` | films, and `missed` of a segmenter |
    | `attribution/<predictor>/<term>` | `reference`, `vae`, `inversion`, `artefact`, `shift`, `edit`, …; with bounds |
    | `agreement/<predictor>/difference` | synthetic less truly shifted, where that is known; with bounds |
    | `verdict/<predictor>` | `fail`, `pass` or `undecided`; with `/excess`, `/path` (with bounds) and `/n` |
    | `counts/<name>` | records |
    | `score/kept_share` | kept of all edits, 0…1 |
    | `cost/<step>_minutes` | of generation and evaluation |

    Args:
        results: As `results.json` has them.

    Returns:
        Name → value. What is not known is left out.
    """
    found: dict[str, Any] = {}
    for row in results["table"]:
        name = f"test/{row['predictor']}/{slug(row['data'])}"
        for measure, estimate in (row.get("scores") or {"accuracy": row["accuracy"]}).items():
            found |= _estimate(f"{name}/{measure}", estimate)
        found |= {f"{name}/{count}": row[count] for count in ("n", "missed") if count in row}
    for entry in results.get("attribution", ()):
        name = f"attribution/{entry['predictor']}"
        ends = {end: entry[end] for end in ("reference", "edit")}
        terms = {slug(term["name"]): term["value"] for term in (*entry["terms"], *entry.get("split", ()))}
        for term, estimate in (ends | terms).items():
            found |= _estimate(f"{name}/{term}", estimate)
    for entry in reversed(results.get("agreement", ())):  # the kept edits come first, and go above all of them
        found |= _estimate(f"agreement/{entry['predictor']}/difference", entry["difference"])
    for verdict in results.get("verdicts", ()):
        name = f"verdict/{verdict['predictor']}"
        found |= {name: verdict["outcome"], f"{name}/n": verdict["n"]}
        for part in ("excess", "path"):
            found |= _estimate(f"{name}/{part}", verdict[part])
    counts = results["counts"]
    found |= {f"counts/{name}": value for name, value in counts.items()}
    found["score/kept_share"] = counts["kept"] / counts["edited"] if counts.get("edited") else None
    found |= {f"cost/{step}_minutes": minutes for step, minutes in (results.get("minutes") or {}).items()}
    return {
        name: value if isinstance(value, str) else float(value) for name, value in found.items() if value is not None
    }


def log_run(logger: Any, results: Mapping[str, Any], folder: Path, config: Any) -> None:
    """Log a finished run to a Lightning logger; tables, pictures and artifacts only to W&B.

    Args:
        logger: Or None, to log nothing.
        results: As `results.json` has them.
        folder: Of the run.
        config: Of the command, as a plain mapping.
    """
    if logger is None:
        return
    named = {key: results[key] for key in ("hashes", "commit", "versions")} | {EDITOR: editor_of(results)}
    logger.log_hyperparams({**config, **named})
    logger.log_metrics(summary(results))
    if _is_wandb(logger):
        run = logger.experiment
        run.log({"edits": _edits(results, folder), **_pictures(folder), "report": _html(folder / "report.html")})
        if not (run.offline or run.disabled):  # W&B refuses use_artifact offline; the configuration has the hashes
            _log_lineage(run, results, folder)
    logger.finalize("success")


def log_sweep(
    logger: Any, table: Sequence[Mapping[str, Any]], folder: Path, config: Any, results: Mapping[str, Any] | None = None
) -> None:
    """Log what a sweep found, all its runs put together, as a run of its own.

    Args:
        logger: Or None, to log nothing.
        table: Rows as mappings of the same keys; shown as they are. Those that are rows of `results.json` (with
            `predictor`, `data` and `accuracy` or `scores`) are summary metrics too, by the names that runs have.
        folder: Of the sweep; its `report.html`, if there is one, is logged.
        config: Of the command, as a plain mapping.
        results: The sweep as `results.json` would have it; its metrics instead of the table's.
    """
    if logger is None:
        return
    logger.log_hyperparams(dict(config))
    rows = [row for row in table if {"predictor", "data"} <= {*row} and {"accuracy", "scores"} & {*row}]
    metrics = summary(results or {"table": rows, "counts": {}})
    if metrics:
        logger.log_metrics(metrics)
    if _is_wandb(logger):
        import wandb

        columns: list[str | int] = list(dict.fromkeys(column for row in table for column in row))
        data = [[_cell(row.get(str(column))) for column in columns] for row in table]
        logged: dict[str, Any] = {"sweep": wandb.Table(columns=columns, data=data)}
        if (folder / "report.html").is_file():
            logged["report"] = _html(folder / "report.html")
        logger.experiment.log(logged)
    logger.finalize("success")


def _estimate(name: str, estimate: Mapping[str, Any]) -> dict[str, Any]:
    return {name: estimate["value"], **{f"{name}/{bound}": estimate.get(bound) for bound in BOUNDS}}


def _is_wandb(logger: Any) -> bool:
    return type(logger).__name__ == "WandbLogger"


def _edits(results: Mapping[str, Any], folder: Path) -> Any:
    """The gallery as a table: pictures and answers of each record."""
    import wandb

    kinds = sorted({kind for example in results["gallery"] for kind in example["images"]})
    keys = [predictor["key"] for predictor in results["predictors"]]
    table = wandb.Table(columns=["record", "kept", "cosine", *kinds, *keys])
    for example in results["gallery"]:
        pictures = [wandb.Image(str(folder / example["images"][k])) if k in example["images"] else None for k in kinds]
        answers = [str(example["predictions"][key]) for key in keys]
        table.add_data(example["record"], example["kept"], example["cosine"], *pictures, *answers)
    return table


def _pictures(folder: Path) -> dict[str, Any]:
    import wandb

    return {"strip": wandb.Image(str(folder / STRIP))} if (folder / STRIP).is_file() else {}


def _html(page: Path) -> Any:
    import wandb

    return wandb.Html(page.read_text(encoding="utf-8"))


def _cell(value: Any) -> Any:
    """An estimate as its number, anything else that a table can't hold as text."""
    if isinstance(value, Mapping):
        return value["value"] if "value" in value else json.dumps(dict(value))
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _log_lineage(run: Any, results: Mapping[str, Any], folder: Path) -> None:
    """The stress set that was tested on, and the predictors that were tested, by their hashes; no weights, no films."""
    import wandb

    hash_ = results["hashes"]["stress_set"]
    stress_set = wandb.Artifact(f"stress-set-{hash_[:12]}", type="stress-set", metadata={"content_hash": hash_})
    place = find_stress_set(folder, results["name"], hash_)
    for file in (place / "manifest.csv", place / "meta.json", folder / FILE):
        stress_set.add_file(str(file))
    run.log_artifact(stress_set)
    for predictor in results["predictors"]:
        tested = results["hashes"]["predictors"][predictor["key"]]
        about = {key: predictor.get(key, "") for key in ("key", "name", "kind", "folder")} | {"hash": tested}
        reference = wandb.Artifact(f"predictor-{tested[:12]}", type="predictor", metadata=about)
        with reference.new_file("predictor.json", mode="w") as card:
            json.dump(about, card, indent=1)
        run.use_artifact(reference)
