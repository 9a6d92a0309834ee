"""Measure the editors where the truth is known: `python -m radedit.benchmark` (also `make editors`)."""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from radedit.configuration import entry_point
from radedit.data.atomic import write_atomically
from radedit.harness.editor_benchmark import Setup, at_weight, best_weights, run, summarise, write_rows
from radedit.harness.editors import Editor
from radedit.harness.provenance import made_by
from radedit.report.editor_table import editor_table
from radedit.report.sheet import sheet

logger = logging.getLogger(__name__)


@entry_point("benchmark")
def main(config: DictConfig) -> None:
    """Choose each editor's best weight on validation films, then measure all of them on test films."""
    if config.threads:
        torch.set_num_threads(config.threads)
    folder = Path(config.out)
    folder.mkdir(parents=True, exist_ok=True)
    bundle = instantiate(config.generator)
    bundle.require("vae", "unet", "text_encoder", "tokenizer")
    setup = Setup(
        bundle, instantiate(config.scenario, _convert_="all"), instantiate(config.mask_strategy), **config.setup
    )
    editors = {name: Editor.of(edit) for name, edit in instantiate(config.editors).items()}
    started = time.monotonic()
    films = {part: instantiate(config.films[part], _convert_="all") for part in ("validation", "test")}
    logger.info("Choosing weights on %d validation films", len(films["validation"].records))
    sweep = {name: [at_weight(editor, w) for w in config.weights] for name, editor in editors.items()}
    validation = run(setup, films["validation"], sweep, references=False)
    best = best_weights(validation)
    logger.info("Best weights: %s", best)
    chosen = {
        name: [at_weight(editor, w) for w in dict.fromkeys([config.paper_weight, best[name]])]
        for name, editor in editors.items()
    }
    pictures: dict[str, torch.Tensor] = {}
    rows = run(setup, films["test"], chosen, masks=config.masks, pictures=pictures)
    table = summarise(rows)
    write_rows(rows, folder / "films.csv")
    write_rows(validation, folder / "validation.csv")
    shown = {name: films[: config.n_pictures, 0] for name, films in pictures.items() if "mask" not in name}
    sheet(shown, folder / "editors.png")
    results = {
        "command": f"python -m radedit.benchmark {' '.join(sys.argv[1:])}".strip(),
        **made_by(),
        "generator": bundle.hash,
        "minutes": (time.monotonic() - started) / 60,
        "best_weights": best,
        "table": table,
    }
    write_atomically(folder / "results.json", (json.dumps(results, indent=1) + "\n").encode())
    text = editor_table(table)
    write_atomically(folder / "table.md", text.encode())
    print(f"{text}\n{folder.resolve()}")


if __name__ == "__main__":
    main()
