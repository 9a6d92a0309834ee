"""A run in W&B: configuration with hashes, summary metrics, a table of edits, the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radedit.report.table import main


def log_run(logger: Any, results: Mapping[str, Any], folder: Path, config: Any) -> None:
    """Log a finished run to a Lightning logger; tables and pictures only to W&B."""
    if logger is None:
        return
    logger.log_hyperparams(
        {**config, "hashes": results["hashes"], "commit": results["commit"], "versions": results["versions"]}
    )
    measure = results.get("measure", "accuracy")
    metrics = {f"{measure}/{row['predictor']}/{row['data']}": main(row)["value"] for row in results["table"]}
    metrics |= {f"count/{name}": float(value) for name, value in results["counts"].items()}
    for entry in results["attribution"]:
        metrics |= {
            f"attribution/{entry['predictor']}/{term['name']}": term["value"]["value"] for term in entry["terms"]
        }
    logger.log_metrics(metrics)
    if type(logger).__name__ == "WandbLogger":
        import wandb

        kinds = sorted({kind for example in results["gallery"] for kind in example["images"]})
        keys = [predictor["key"] for predictor in results["predictors"]]
        table = wandb.Table(columns=["record", "kept", "cosine", *kinds, *keys])
        for example in results["gallery"]:
            pictures = [
                wandb.Image(str(folder / example["images"][k])) if k in example["images"] else None for k in kinds
            ]
            answers = [str(example["predictions"][key]) for key in keys]
            table.add_data(example["record"], example["kept"], example["cosine"], *pictures, *answers)
        logger.experiment.log(
            {"edits": table, "report": wandb.Html((folder / "report.html").read_text(encoding="utf-8"))}
        )
    logger.finalize("success")
