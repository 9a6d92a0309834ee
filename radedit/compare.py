"""The paper's Figures 2, 3, 10 and 11, with numbers: `python -m radedit.compare`."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from radedit.configuration import entry_point
from radedit.data.atomic import write_atomically
from radedit.harness.comparison import MEANINGS, Comparison, compare
from radedit.harness.provenance import made_by
from radedit.models.bundle import Bundle
from radedit.report.sheet import sheet

logger = logging.getLogger(__name__)


@entry_point("compare")
def main(config: DictConfig) -> None:
    """Edit, measure and draw every comparison."""
    if config.threads:
        torch.set_num_threads(config.threads)
    folder = Path(config.out)
    folder.mkdir(parents=True, exist_ok=True)
    bundle: Bundle = instantiate(config.generator)
    bundle.require("vae", "unet", "text_encoder", "tokenizer")
    found = {}
    lines = []
    for name, node in config.comparisons.items():
        comparison: Comparison = instantiate(node, _convert_="all")
        logger.info("%s: %d films, %d ways", comparison.figure, len(comparison.reader.records), len(comparison.columns))
        rows, pictures = compare(comparison, bundle, **config.setup)
        shown = {caption: films[: config.n_pictures] for caption, films in pictures.items()}
        sheet(shown, folder / f"{name}.png")
        found[str(name)] = {"figure": comparison.figure, "claim": comparison.claim, "rows": rows}
        lines += [f"### {comparison.figure}\n", f"{comparison.claim}\n", *_table(rows, comparison.measures), ""]
    results = {
        "command": f"python -m radedit.compare {' '.join(sys.argv[1:])}".strip(),
        **made_by(),
        "generator": bundle.hash,
        "comparisons": found,
    }
    write_atomically(folder / "results.json", (json.dumps(results, indent=1, ensure_ascii=False) + "\n").encode())
    write_atomically(folder / "table.md", "\n".join(lines).encode())
    print("\n".join(lines))
    print(folder.resolve())


def _table(rows: list[dict[str, object]], measures: Sequence[str]) -> list[str]:
    """A Markdown table, one line a column of the picture."""

    def cell(estimate: dict[str, float | None]) -> str:
        value, low, high = estimate["value"], estimate["low"], estimate["high"]
        return f"{value:.1f}" if low is None else f"{value:.1f} ({low:.1f} to {high:.1f})"

    head = ["edit", "n", *(MEANINGS[name] for name in measures)]
    body = [[str(row["column"]), str(row["n"]), *(cell(row[name]) for name in measures)] for row in rows]  # type: ignore[arg-type]
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *body)]


if __name__ == "__main__":
    main()
