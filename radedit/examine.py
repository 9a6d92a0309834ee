"""Say in figures how good a generator is: `python -m radedit.examine` (a model card's numbers and sample grid)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.utils import instantiate
from omegaconf import DictConfig

from radedit.app.command import entry_point, typed_command

if TYPE_CHECKING:
    from radedit.models.bundle.bundle import Bundle
    from radedit.studies.generator.examine import Examination


@entry_point("examine")
def main(config: DictConfig) -> None:
    """Examine the generator on images that it never saw, and draw samples."""
    import torch

    from radedit.data.io.atomic import write_atomically
    from radedit.data.io.provenance import made_by
    from radedit.report.images.sheet import sheet
    from radedit.studies.generator.examine import draw_samples

    if config.threads:
        torch.set_num_threads(config.threads)
    folder = Path(config.out)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"report: {folder.resolve() / 'examination.json'}\n", flush=True)
    bundle: Bundle = instantiate(config.generator)
    examination: Examination = instantiate(config.examination)
    figures = {
        "command": typed_command("examine"),
        **made_by(),
        "generator": bundle.hash,
        **examination.run(bundle),
    }
    write_atomically(folder / "examination.json", (json.dumps(figures, indent=1) + "\n").encode())
    drawn = draw_samples(bundle, config.prompts, config.n_samples, **config.sampling)
    sheet(dict(zip(config.prompts, drawn, strict=True)), folder / "samples.png")
    print(json.dumps(figures, indent=1))
    print(folder.resolve())


if __name__ == "__main__":
    main()
