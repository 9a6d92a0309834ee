"""Check a data set, and on request copy it small or encode it: `python -m radedit.prepare dataset=… dataset.root=…`.

summary.json       counts by split, view and label, and what was left out
index.parquet      one row an image: what is known of it, and what its check found
sheet.png          some images with their masks and boxes
missing.csv, unreadable.csv, identical.csv    only where there are such images
resized-<size>/    on request: images, masks and the tables manifest.csv and boxes.csv
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

from radedit.app.command import entry_point, typed_command
from radedit.app.configuration import CONF
from radedit.app.numbers import PREPARED, check_numbers

if TYPE_CHECKING:
    from radedit.data.checks.preparation import Preparation
    from radedit.types import Dataset

SHEET_PX = 256


@entry_point("prepare")
def main(config: DictConfig) -> None:
    """Refuse what can be refused at once, then check, copy and encode."""
    from radedit.data.checks.preparation import Preparation
    from radedit.data.checks.resized import ResizedCopy
    from radedit.data.image.transforms import preprocess
    from radedit.data.io.file_lock import FileLock
    from radedit.report.images.contact_sheet import contact_sheet

    check_numbers(config, PREPARED)
    out, workers = Path(config.out).expanduser(), config.workers or len(os.sched_getaffinity(0))
    dataset = open_set(config, {"out": out, "cache": Path(config.cache)})
    latents = None
    if config.latents:
        from radedit.training.latent_cache import LatentCache  # takes seconds, which a mere check need not wait

        latents = LatentCache(instantiate(config.generator), config.generator.get("folder"), config.size, config.cache)
    copy = ResizedCopy(out / f"resized-{config.size}", config.size) if config.resized else None
    preparation = Preparation(dataset, out, copy=copy, block=config.block, workers=workers)
    out.mkdir(parents=True, exist_ok=True)
    with FileLock(out / ".lock"):
        missing = preparation.run(retry=config.retry)
        write_summary(preparation, out)
        shown = [] if missing else preparation.records_to_show(config.n_sheet)
        if shown:
            contact_sheet([preprocess(dataset.load(record), SHEET_PX) for record in shown], out / "sheet.png")
        if latents is not None and not missing:
            print("Images and their latents for trainings on this set: {}, {}".format(*latents.fill(dataset, workers)))
    print(out.resolve())
    if missing:
        raise SystemExit(2)


def open_set(config: DictConfig, written: Mapping[str, Path]) -> Dataset:
    """The data set, without its own look for missing files, which would end at them.

    Raises:
        ValueError: If no data set was chosen, or one of the folders `written` to lies in it.
    """
    from radedit.types import Dataset

    if "dataset" not in config:
        choices = sorted(path.stem for path in (CONF / "dataset").glob("*.yaml"))
        raise ValueError(f"No dataset was given. Say dataset=… with one of: {', '.join(choices)}.")
    for root in _roots(OmegaConf.to_container(config.dataset, resolve=True, throw_on_missing=True)):
        for name, folder in written.items():
            if folder.resolve().is_relative_to(root.expanduser().resolve()):
                raise ValueError(
                    f"{name} is {folder.resolve()}, which lies in the data set {root}. Nothing is ever written there; "
                    f"name another {name}."
                )
    takes = inspect.signature(get_object(config.dataset["_target_"])).parameters
    dataset = instantiate(config.dataset, **({"check_files": False} if "check_files" in takes else {}))
    if not isinstance(dataset, Dataset):
        raise ValueError(f"A {type(dataset).__name__} has no records of its own. Name one data set, such as realcxr.")
    return dataset


def write_summary(preparation: Preparation, out: Path) -> None:
    """Tell and write the counts, and where the images stand that need a look."""
    from radedit.data.checks.preparation import IDENTICAL, MISSING, UNREADABLE
    from radedit.data.io.atomic import write_atomically
    from radedit.data.io.provenance import made_by

    command = typed_command("prepare")
    figures = {"command": command, **made_by(), **preparation.census.figures()}
    write_atomically(out / "summary.json", (json.dumps(figures, indent=1, ensure_ascii=False) + "\n").encode())
    print(preparation.census.text())
    for file, what in {
        MISSING: "Files are missing; fetch them, then run the same command again",
        UNREADABLE: "Some images can't be read and are left out; fetch them again, then add retry=true",
        IDENTICAL: "Some images have the very same pixels",
    }.items():
        if (out / file).exists():
            print(f"  {what}: {out / file}")


def _roots(dataset: Any) -> Iterator[Path]:
    """Every folder that a data set's configuration calls a root."""
    if isinstance(dataset, dict):
        for key, value in dataset.items():
            if key == "root" and isinstance(value, str):
                yield Path(value)
            yield from _roots(value)
    elif isinstance(dataset, list):
        for value in dataset:
            yield from _roots(value)


if __name__ == "__main__":
    main()
