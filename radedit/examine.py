"""Say in figures how good a generator is: `python -m radedit.examine` (a model card's numbers and sample grid)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from radedit.configuration import entry_point
from radedit.data.atomic import write_atomically
from radedit.harness.examine import Examination, draw_samples
from radedit.harness.provenance import made_by
from radedit.models.bundle import Bundle
from radedit.report.sheet import sheet


@entry_point("examine")
def main(config: DictConfig) -> None:
    """Examine the generator on films that it never saw, and draw samples."""
    if config.threads:
        torch.set_num_threads(config.threads)
    folder = Path(config.out)
    folder.mkdir(parents=True, exist_ok=True)
    bundle: Bundle = instantiate(config.generator)
    examination: Examination = instantiate(config.examination)
    figures = {
        "command": f"python -m radedit.examine {' '.join(sys.argv[1:])}".strip(),
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
