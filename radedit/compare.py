"""The paper's Figures 2, 3, 10 and 11, with numbers: `python -m radedit.compare`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from radedit.app.command import entry_point, typed_command

if TYPE_CHECKING:
    from radedit.models.bundle.bundle import Bundle
    from radedit.studies.figures.comparison import Comparison


@entry_point("compare")
def main(config: DictConfig) -> None:
    """Edit, measure and draw every comparison."""
    import torch

    from radedit.data.io.atomic import write_atomically
    from radedit.data.io.fingerprint import content_hash
    from radedit.data.io.provenance import made_by
    from radedit.report.images.sheet import sheet
    from radedit.studies.figures.comparison import compare

    if config.threads:
        torch.set_num_threads(config.threads)
    folder = Path(config.out)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"report: {folder.resolve() / 'table.md'}\n", flush=True)
    bundle: Bundle = instantiate(config.generator)
    bundle.require("vae", "unet", "text_encoder", "tokenizer")
    found = {}
    lines = []
    for name, node in config.comparisons.items():
        comparison: Comparison = instantiate(node, _convert_="all")
        asked = [OmegaConf.to_container(part, resolve=True) for part in (node, config.setup)]
        named = content_hash([asked, bundle.hash, config.n_pictures])[:12]
        picture, numbers = (folder / "parts" / f"{name}-{named}.{kind}" for kind in ("png", "json"))
        if numbers.is_file():  # of a run that was stopped
            rows = json.loads(numbers.read_text(encoding="utf-8"))
        else:
            rows, pictures = compare(comparison, bundle, **config.setup)
            numbers.parent.mkdir(exist_ok=True)
            sheet({caption: images[: config.n_pictures] for caption, images in pictures.items()}, picture)
            write_atomically(numbers, json.dumps(rows, ensure_ascii=False).encode())
        shutil.copyfile(picture, folder / f"{name}.png")
        found[str(name)] = {"figure": comparison.figure, "claim": comparison.claim, "rows": rows}
        lines += [f"### {comparison.figure}\n", f"{comparison.claim}\n", *_table(rows, comparison.measures), ""]
    results = {
        "command": typed_command("compare"),
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
    from radedit.report.words.markdown import markdown
    from radedit.studies.figures.comparison import MEANINGS

    def cell(estimate: dict[str, float | None]) -> str:
        value, low, high = estimate["value"], estimate["low"], estimate["high"]
        return f"{value:.1f}" if low is None else f"{value:.1f} ({low:.1f} to {high:.1f})"

    head = ["edit", "n", *(MEANINGS[name] for name in measures)]
    body = [[str(row["column"]), str(row["n"]), *(cell(row[name]) for name in measures)] for row in rows]  # type: ignore[arg-type]
    return markdown([head, *body]).split("\n")


if __name__ == "__main__":
    main()
