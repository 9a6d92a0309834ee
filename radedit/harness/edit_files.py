"""Files of an edited film: whole or absent, and never another edit's by mistake."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radedit.data.atomic import write_atomically
from radedit.data.images import write_png
from radedit.harness.provenance import sha256_of
from radedit.harness.single import EditedFilm, contents


def prepare_folder(folder: Path) -> None:
    """Make the output folder, and check that it can be written.

    Raises:
        OSError: If it can't.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / ".radedit"
        trial.touch()
        trial.unlink(missing_ok=True)  # another process may try at the same time
    except OSError as error:
        raise OSError(f"out: {folder} can't be written ({error.strerror}). Give another folder with out=…") from error


def is_finished(folder: Path, film: str, expected: Mapping[str, Any]) -> bool:
    """Whether the files of this very edit are there and whole.

    Args:
        folder: Of the outputs.
        film: The film's id.
        expected: What the provenance must say.

    Raises:
        FileExistsError: If the files are those of another edit.
    """
    note = folder / f"{film}.json"
    if not note.exists():
        return False
    try:
        found = json.loads(note.read_bytes())
        there = contents(found)
    except (ValueError, AttributeError):
        there = found = {}
    if differs := [key for key, value in contents(expected).items() if key not in there or there[key] != value]:
        raise FileExistsError(
            f"{note} is there already, of another edit (it differs in {', '.join(differs)}). "
            "Give another folder with out=…, or say overwrite=true."
        )
    edited = folder / f"{film}-edited.png"
    whole = edited.exists() and sha256_of(edited) == found.get("output_sha256")
    return whole and (folder / f"{film}-side-by-side.png").exists()


def write_edit(edited: EditedFilm, side_by_side: bytes, folder: Path) -> Path:
    """Write the edited film, the picture, and last the provenance, whose presence says that all is there.

    Returns:
        The edited film's path.
    """
    film, provenance = edited.film.files.id, edited.provenance
    path = folder / f"{film}-edited.png"
    text = {
        "Disclaimer": f"synthetic: {provenance['synthetic']}",
        "Software": f"radedit {provenance['radedit']}",
        "Description": f"prompt: {provenance['prompt']}",
        "Fingerprint": provenance["fingerprint"],
    }
    write_png(path, edited.image, text=text, bits=edited.bits)
    write_atomically(folder / f"{film}-side-by-side.png", side_by_side)
    note = provenance | {"output_sha256": sha256_of(path)}
    write_atomically(folder / f"{film}.json", (json.dumps(note, indent=2, ensure_ascii=False) + "\n").encode())
    return path
