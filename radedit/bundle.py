"""Pass a generator on, and fetch one: `python -m radedit.bundle …`, see `conf/bundle.yaml`."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from radedit.app.command import entry_point


@entry_point("bundle")
def main(config: DictConfig) -> None:
    """Lay a bundle out with a model card, push it to the hub, or pull one from there."""
    from radedit.models.bundle.shared import ModelCard, lay_out, pull, push

    out = Path(str(config.out)).expanduser()
    if config.pull is not None:
        if config.push is not None or config.folder is not None:
            raise ValueError("pull fetches a bundle, folder and push pass one on: give one of them.")
        print(pull(str(config.pull), str(config.revision or ""), out))
        return
    if config.folder is None or config.license is None:
        raise ValueError("Say folder=… with a bundle and license=… with its licence (such as mit), or pull=owner/name.")
    card = ModelCard(str(config.name), str(config.license), config.trained_on or "", config.limits or "")
    print(lay_out(Path(str(config.folder)).expanduser(), out, card))
    if config.push is not None:
        commit = push(out, str(config.push), private=bool(config.private))
        print(f"python -m radedit.bundle pull={config.push} revision={commit} out=…")


if __name__ == "__main__":
    main()
