"""The table of a run, on the terminal and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radedit.data.atomic import write_atomically


def print_table(results: Mapping[str, Any]) -> None:
    """The main number of each predictor on each set."""
    names = {predictor["key"]: predictor["name"] for predictor in results["predictors"]}
    width = max(len(name) for name in names.values())
    measure = "Dice" if results.get("measure") == "dice" else "Accuracy"
    print(f"{'Model':{width}}  {'Test data':30}  {'n':>4}  {measure}, % ({results['interval']})   Paper")
    for row in results["table"]:
        found, paper = main(row), row["paper"]
        interval = "" if found["low"] is None else f"({100 * found['low']:.1f}–{100 * found['high']:.1f})"
        print(
            f"{names[row['predictor']]:{width}}  {row['data']:30}  {row['n']:4d}  "
            f"{100 * found['value']:5.1f} {interval:14}"
            f"{'' if paper is None else f'  {paper:.1f}'}"
        )


def main(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The estimate that a row of the results turns on."""
    return row["scores"]["dice"] if row.get("scores") else row["accuracy"]


def write_csv(results: Mapping[str, Any], path: Path) -> None:
    """One line for each predictor and set; for a segmenter, one for each measure, too."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if results.get("measure") == "dice":
        writer.writerow(["predictor", "data", "label", "n", "missed", "measure", "value", "low", "high"])
        for row in results["table"]:
            about = [row["predictor"], row["data"], row["label"], row["n"], row["missed"]]
            writer.writerows([*about, name, e["value"], e["low"], e["high"]] for name, e in row["scores"].items())
        write_atomically(path, text.getvalue().encode())
        return
    writer.writerow(["predictor", "data", "label", "n", "accuracy", "low", "high", "paper"])
    for row in results["table"]:
        found = row["accuracy"]
        paper = None if row["paper"] is None else row["paper"] / 100
        writer.writerow(
            [row["predictor"], row["data"], row["label"], row["n"], found["value"], found["low"], found["high"], paper]
        )
    write_atomically(path, text.getvalue().encode())
