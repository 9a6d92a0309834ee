"""Finding the files of a published set below the folder that a user names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def set_root(name: str, root: str | Path) -> Path:
    """The folder of a data set.

    Raises:
        FileNotFoundError: If it is no folder.
    """
    path = Path(root)
    if not path.is_dir():
        raise FileNotFoundError(f"{name}: there is no folder {path} (looked in {path.resolve().parent}). Check root.")
    return path


def find_table(folders: Sequence[Path], *names: str) -> Path | None:
    """The first of `names` (without `.csv`) that lies in one of the folders, as `.csv` or `.csv.gz`."""
    places = (folder / f"{name}{suffix}" for name in names for folder in folders for suffix in (".csv", ".csv.gz"))
    return next((place for place in places if place.is_file()), None)


def not_found(name: str, root: Path, sought: Sequence[str], advice: str) -> FileNotFoundError:
    """An error with what was expected below the root, and what is there."""
    return FileNotFoundError(f"{name}: {root} has no {' or '.join(sought)}. It has: {listing(root)}. {advice}")


def listing(root: Path) -> str:
    """The first things in a folder, for errors."""
    there = sorted(f"{path.name}/" if path.is_dir() else path.name for path in root.iterdir())
    return (", ".join(there[:8]) or "nothing") + (f", … ({len(there)} in all)" if len(there) > 8 else "")
