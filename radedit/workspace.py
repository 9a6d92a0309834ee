"""Save a W&B workspace that shows finished runs: `python -m radedit.workspace entity=…`, see `conf/workspace.yaml`."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, ListConfig

from radedit.app.command import entry_point


@entry_point("workspace")
def main(config: DictConfig) -> None:
    """Read which metrics finished runs have, and make a view of them."""
    from radedit.data.io.atomic import write_atomically
    from radedit.harness.evidence.results import FILE, load
    from radedit.report.wandb.workspace import specification, workspace

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
    view = workspace(str(config.entity or ""), config.project, config.name, [load(folder) for folder in folders])
    if config.save:
        print(view.save().url)
        return
    out = Path(config.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, specification(view).encode())
    print(out.resolve())


if __name__ == "__main__":
    main()
