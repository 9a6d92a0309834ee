"""Check a data set, and on request copy it small or encode it: `python -m radedit.prepare dataset=… dataset.root=…`.

summary.json       counts by split, view and label, and what was left out
index.parquet      one row a film: what is known of it, and what its check found
sheet.png          some films with their masks and boxes
missing.csv, unreadable.csv, identical.csv    only where there are such films
resized-<size>/    on request: images, masks and the tables manifest.csv and boxes.csv
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

from radedit.configuration import CONF, entry_point
from radedit.data.atomic import write_atomically
from radedit.data.cache import cached_films, films_path
from radedit.data.file_lock import FileLock
from radedit.data.latents import latents_path, write_latents
from radedit.data.preparation import IDENTICAL, MISSING, UNREADABLE, Preparation
from radedit.data.resized import ResizedCopy
from radedit.data.transforms import preprocess
from radedit.harness.provenance import made_by
from radedit.models.bundle import Bundle, hash_folder
from radedit.report.contact_sheet import contact_sheet
from radedit.types import Reader

SHEET_PX = 256


@entry_point("prepare")
def main(config: DictConfig) -> None:
    """Refuse what can be refused at once, then check, copy and encode."""
    out, workers = Path(config.out).expanduser(), config.workers or len(os.sched_getaffinity(0))
    reader = open_set(config, {"out": out, "cache": Path(config.cache)})
    bundle = load_encoder(config) if config.latents else None
    copy = ResizedCopy(out / f"resized-{config.size}", config.size) if config.resized else None
    preparation = Preparation(reader, out, copy=copy, block=config.block, workers=workers)
    out.mkdir(parents=True, exist_ok=True)
    with FileLock(out / ".lock"):
        missing = preparation.run(retry=config.retry)
        write_summary(preparation, out)
        shown = [] if missing else preparation.samples_to_show(config.n_sheet)
        if shown:
            contact_sheet([preprocess(reader.load(record), SHEET_PX) for record in shown], out / "sheet.png")
        if bundle is not None and not missing:
            folder, cache = Path(config.generator.get("folder") or ""), Path(config.cache)
            name = hash_folder(folder / "vae") if (folder / "vae").is_dir() else bundle.hash  # as trainings name it
            encode(reader, bundle, name, config.size, cache, workers)
    print(out.resolve())
    if missing:
        raise SystemExit(2)


def open_set(config: DictConfig, written: Mapping[str, Path]) -> Reader:
    """The data set, without its own look for missing files, which would end at them.

    Raises:
        ValueError: If no data set was chosen, or one of the folders `written` to lies in it.
    """
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
    reader = instantiate(config.dataset, **({"check_files": False} if "check_files" in takes else {}))
    if not isinstance(reader, Reader):
        raise ValueError(f"A {type(reader).__name__} has no records of its own. Name one data set, such as realcxr.")
    return reader


def load_encoder(config: DictConfig) -> Bundle:
    """The generator whose VAE makes the latents.

    Raises:
        ValueError: If it has none, or one for films of another size.
    """
    bundle: Bundle = instantiate(config.generator)
    bundle.require("vae")
    if bundle.size != config.size:
        raise ValueError(
            f"The generator is for films of {bundle.size} px, but size is {config.size}. Say size={bundle.size}."
        )
    return bundle


def write_summary(preparation: Preparation, out: Path) -> None:
    """Tell and write the counts, and where the films stand that need a look."""
    command = f"python -m radedit.prepare {' '.join(sys.argv[1:])}".strip()
    figures = {"command": command, **made_by(), **preparation.census.figures()}
    write_atomically(out / "summary.json", (json.dumps(figures, indent=1, ensure_ascii=False) + "\n").encode())
    print(preparation.census.text())
    for file, what in {
        MISSING: "Files are missing; fetch them, then run the same command again",
        UNREADABLE: "Some films can't be read and are left out; fetch them again, then add retry=true",
        IDENTICAL: "Some films have the very same pixels",
    }.items():
        if (out / file).exists():
            print(f"  {what}: {out / file}")


def encode(reader: Reader, bundle: Bundle, encoder_hash: str, size: int, cache: Path, workers: int) -> None:
    """Fill the caches that a training on this set looks for."""
    path = films_path(cache / "films", reader, size)
    records, films = cached_films(reader, size, path, workers=workers)
    latents = latents_path(cache / "latents", encoder_hash, path, records)
    write_latents(latents, films, lambda batch: bundle.encode(batch.to(bundle.device)))
    print(f"{len(records):,} films and their latents: {path}, {latents}")


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
