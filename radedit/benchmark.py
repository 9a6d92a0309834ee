"""Measure the editors where the truth is known: `python -m radedit.benchmark` (also `make editors`)."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from radedit.app.command import entry_point, typed_command

logger = logging.getLogger(__name__)


@entry_point("benchmark")
def main(config: DictConfig) -> None:
    """Choose each editor's best weight on validation images, then measure all of them on test images."""
    import torch

    from radedit.data.io.atomic import write_atomically
    from radedit.data.io.provenance import made_by
    from radedit.editing.editor import Editor
    from radedit.report.images.sheet import sheet
    from radedit.studies.editors.benchmark import Setup, at_weight, best_weights, run, summarise, write_rows
    from radedit.studies.editors.table import editor_table

    if config.threads:
        torch.set_num_threads(config.threads)
    folder = Path(config.out)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"report: {folder.resolve() / 'table.md'}\n", flush=True)
    bundle = instantiate(config.generator)
    bundle.require("vae", "unet", "text_encoder", "tokenizer")
    setup = Setup(
        bundle, instantiate(config.scenario, _convert_="all"), instantiate(config.mask_strategy), **config.setup
    )
    editors = {name: Editor.of(edit) for name, edit in instantiate(config.editors).items()}
    started = time.monotonic()
    images = {part: instantiate(config.images[part], _convert_="all") for part in ("validation", "test")}
    logger.info("Choosing weights on %d validation images", len(images["validation"].records))
    sweep = {name: [at_weight(editor, w) for w in config.weights] for name, editor in editors.items()}
    validation = run(setup, images["validation"], sweep, references=False)
    best = best_weights(validation)
    logger.info("Best weights: %s", best)
    chosen = {
        name: [at_weight(editor, w) for w in dict.fromkeys([config.paper_weight, best[name]])]
        for name, editor in editors.items()
    }
    pictures: dict[str, torch.Tensor] = {}
    rows = run(setup, images["test"], chosen, masks=config.masks, pictures=pictures)
    table = summarise(rows)
    write_rows(rows, folder / "images.csv")
    write_rows(validation, folder / "validation.csv")
    shown = {name: images[: config.n_pictures, 0] for name, images in pictures.items() if "mask" not in name}
    sheet(shown, folder / "editors.png")
    results = {
        "command": typed_command("benchmark"),
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
