"""Where a result comes from: files by checksum, software by version."""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any

import torch

from radedit import __version__

PACKAGES = ("torch", "diffusers", "transformers", "numpy")
# A path from the root or from a home folder, but no part of an address or of a fraction.
_WORD = r"[^\s/\\'\"<>|,;:()\[\]{}]+"
PLACE = re.compile(rf"(?<![\w./:…-])(?:/|~[\w.-]*/|[A-Za-z]:\\)(?:{_WORD}(?: {_WORD})*[/\\])+(?P<name>(?:{_WORD})?)")
NOTICE = f"edited with radedit {__version__}, not for clinical use"  # follows the word "synthetic"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def without_places(found: Any) -> Any:
    """The same without where things lie on this machine: of an absolute path only its last part is kept.

    What is passed on (results, reports, notes of edits) names no folder, which may hold the name of a user or of a
    patient.

    Args:
        found: Mappings, sequences and scalars, nested as needed.
    """
    if isinstance(found, str):
        near = found.replace(f"{Path.cwd()}/", "")
        return PLACE.sub(lambda place: f"…/{place['name']}", near)
    if isinstance(found, PurePath):
        return without_places(str(found))
    if isinstance(found, Mapping):
        return {key: without_places(value) for key, value in found.items()}
    if isinstance(found, Sequence) and not isinstance(found, bytes):
        return [without_places(value) for value in found]
    return found


def made_by() -> dict[str, Any]:
    """Commit, machine and versions, as the files of a result have them; the commit is empty where none is known."""
    return {"commit": git_commit() or "", "machine": machine(), "versions": versions()}


def versions() -> dict[str, str]:
    """Versions of all that computes an edit."""
    return {"radedit": __version__, "python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def machine() -> str:
    """Processor or GPU, and how many threads torch uses."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else _processor()
    threads = torch.get_num_threads()
    return f"{device}, {threads} {'thread' if threads == 1 else 'threads'}, {platform.system()}"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def git_commit() -> str | None:
    """Commit of the checkout that radedit runs from, with "-dirty" if files differ from it; None if there is none."""
    checkout = Path(__file__).resolve().parents[3]
    if not (checkout / ".git").exists():
        return None
    command = ["git", "-C", str(checkout), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or a checkout that is someone else's
        return None
