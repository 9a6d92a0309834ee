"""Tables of a validity study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from radedit.report.words.markdown import markdown, number, with_interval

TITLES = {
    "synthetic": "Synthetic set",
    "in_distribution": "In-distribution test set",
    "corrupted": "Corruption of equal size",
}
WAYS = {
    "synthetic": "synthetic set (edits)",
    "in_distribution": "in-distribution test set",
    "corrupted": "corruption of equal size",
}


def figures_of(way: Mapping[str, Any]) -> tuple[str, str]:
    """Mean difference to the truth in points, and Kendall's τ, with their intervals."""
    tau = way["tau"]
    return with_interval(way["difference"], 100, 1), "–" if tau is None else with_interval(tau, 1, 2, sign=False)


def validity_table(results: Mapping[str, Any]) -> str:
    """Markdown: a line for each way of testing, then one for each predictor."""
    chosen = [(name, results[name]) for name in ("kept", "all") if name in results]
    head = ["edits", "n", "patients", "predictors", "measured on", "mean difference to the truth, points (95 %)"]
    lines = [[*head, "mean absolute", "largest", "τ (95 %)"]]
    for name, found in chosen:
        for way, title in WAYS.items():
            difference, tau = figures_of(found["ways"][way])
            sizes = [str(found[key]) for key in ("n", "patients", "predictors")]
            absolute, largest = (f"{100 * found['ways'][way][key]:.1f}" for key in ("absolute", "largest"))
            lines.append([name, *sizes, title, difference, absolute, largest, tau])
    kept = chosen[0][1]
    each = [
        [
            "predictor",
            "strength",
            "seed",
            "truth, %",
            "synthetic, %",
            "difference",
            "in-distribution, %",
            "corrupted, %",
        ]
    ]
    for row in kept["rows"]:
        about = ["–" if row[key] is None else f"{row[key]:.2g}" for key in ("strength", "seed")]
        truth, synthetic, in_distribution, corrupted = (
            f"{100 * row[key]:.1f}" for key in ("truth", "synthetic", "in_distribution", "corrupted")
        )
        difference = number(100 * (row["synthetic"] - row["truth"]), 1)
        each.append([row["predictor"], *about, truth, synthetic, difference, in_distribution, corrupted])
    notes = [_corruption(entry["name"], entry["corruption"]) for entry in results["sets"]]
    notes += [f"{entry['predictor']} could not be trained: {entry['reason']}" for entry in results["failed"]]
    return "\n\n".join([markdown(lines), markdown(each), *notes]) + "\n"


def _corruption(name: str, match: Mapping[str, Any]) -> str:
    """How large the corruption is, in a sentence."""
    of = f" of {name}" if name else ""
    unreached = "" if match["reached"] else " No corruption is as large as the edits."
    return (
        f"Corruption{of}: at strength {match['strength']:.2f} it moves the score's embeddings by "
        f"{match['of_corruption']:.3f} and grey levels by {match['pixels_corruption']:.1f} of 255; the edits move them "
        f"by {match['of_edit']:.3f} and {match['pixels_edit']:.1f}.{unreached}"
    )
