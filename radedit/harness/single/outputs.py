"""Files of an edited image: whole or absent, and never another edit's by mistake."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radedit.data.image.files import write_png
from radedit.data.io.atomic import write_atomically
from radedit.data.io.provenance import sha256_of, without_places
from radedit.harness.single.edit import EditedImage, contents

SUFFIXES = EDITED, BESIDE, NOTE = "-edited.png", "-side-by-side.png", ".json"


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


def check_name(folder: Path, image: str) -> None:
    """Check that the outputs' names are short enough for a folder.

    Raises:
        ValueError: If they are not.
    """
    most = os.pathconf(folder, "PC_NAME_MAX")
    longest = max(len(f"{image}{suffix}".encode()) for suffix in SUFFIXES)
    if longest > most:
        raise ValueError(
            f"Its name is too long: an output named after it has {longest} bytes, the file system allows {most}. "
            "Rename it."
        )


def is_finished(folder: Path, image: str, expected: Mapping[str, Any]) -> bool:
    """Whether the files of this very edit are there and whole.

    Args:
        folder: Of the outputs.
        image: The image's id.
        expected: What the provenance must say.

    Raises:
        FileExistsError: If the files are those of another edit.
    """
    note = folder / f"{image}{NOTE}"
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
    edited = folder / f"{image}{EDITED}"
    whole = edited.exists() and sha256_of(edited) == found.get("output_sha256")
    return whole and (folder / f"{image}{BESIDE}").exists()


def write_edit(edited: EditedImage, side_by_side: bytes, folder: Path) -> Path:
    """Write the edited image, the picture, and last the provenance, whose presence says that all is there.

    Returns:
        The edited image's path.
    """
    image, provenance = edited.original.files.id, edited.provenance
    path = folder / f"{image}{EDITED}"
    text = {
        "Disclaimer": f"synthetic: {provenance['synthetic']}",
        "Software": f"radedit {provenance['radedit']}",
        "Description": f"prompt: {provenance['prompt']}",
        "Fingerprint": provenance["fingerprint"],
    }
    write_png(path, edited.image, text=text, bits=edited.bits)
    write_atomically(folder / f"{image}{BESIDE}", side_by_side)
    note = without_places(provenance | {"output_sha256": sha256_of(path)})
    write_atomically(folder / f"{image}{NOTE}", (json.dumps(note, indent=2, ensure_ascii=False) + "\n").encode())
    return path
