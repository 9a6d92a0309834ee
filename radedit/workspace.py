"""Save a W&B workspace that shows finished runs: `python -m radedit.workspace entity=…`, see `conf/workspace.yaml`."""

from __future__ import annotations

import json
from pathlib import Path

from omegaconf import DictConfig, ListConfig

from radedit.configuration import entry_point
from radedit.data.atomic import write_atomically
from radedit.report.results import FILE, load
from radedit.report.wandb_workspace import specification, workspace


@entry_point("workspace")
def main(config: DictConfig) -> None:
    """Read which metrics finished runs have, and make a view of them."""
    named = config.runs if isinstance(config.runs, ListConfig) else [config.runs]
    places = [Path(str(place)).expanduser() for place in named]
    folders = [path.parent for place in places for path in sorted([*place.glob(FILE), *place.glob(f"*/{FILE}")])]
    if not folders:
        raise ValueError(
            f"There is no finished run in {', '.join(map(str, places))}: no {FILE} in it or in a folder of it. "
            "Say runs=… with a folder of runs."
        )
    if config.save and config.entity is None:
        raise ValueError("entity was not given. Say entity=… (W&B user or team), or save=false to write a file only.")
    for folder in folders:
        load(folder)  # says what is wrong with it
    runs = [json.loads((folder / FILE).read_text(encoding="utf-8")) for folder in folders]
    view = workspace(str(config.entity or ""), config.project, config.name, runs)
    if config.save:
        print(view.save().url)
        return
    out = Path(config.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, specification(view).encode())
    print(out.resolve())


if __name__ == "__main__":
    main()
