"""Bundles in the hub's layout: a folder with a model card, pushed to the Hugging Face hub and pulled from it."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from huggingface_hub import HfApi, hf_hub_download
from safetensors import safe_open

from radedit import __version__
from radedit.models.bundle.bundle import PARTS, hash_folder
from radedit.models.bundle.hub import PublishedFile, published_files

ALSO = ("scheduler", "tokenizer")
SUFFIXES = {".safetensors", ".json", ".txt"}  # of a bundle: tensors and text, nothing that runs
CARD = "README.md"
COMMIT = re.compile(r"[0-9a-f]{40}")
NAME = re.compile(r"[\w.-]+/[\w.-]+")
BYTES_MAX = 2**35  # of a whole bundle; the published one has 2.6 GB
NOTICE = "Weights leave this machine. Those trained on images of patients can hold parts of these images."


@dataclass(frozen=True)
class ModelCard:
    """What a bundle's maker says of it.

    Attributes:
        name: Of the model.
        licence: As the hub names it, such as `mit` or `cc-by-nc-4.0`.
        trained_on: In words; empty where it is not stated.
        limits: In words.
    """

    name: str
    licence: str
    trained_on: str = ""
    limits: str = ""

    def markdown(self, folder: Path) -> str:
        """README.md of a model on the hub, for the bundle in a folder."""
        header = {
            "license": self.licence,
            "library_name": "diffusers",
            "pipeline_tag": "image-to-image",
            "tags": ["medical", "chest x-ray", "latent diffusion", "image editing", "radedit"],
        }
        parts = "\n".join(f"| `{part}/` | {kind} | {n:,} |" for part, (kind, n) in _parts(folder).items())
        return f"""---
{yaml.safe_dump(header, sort_keys=False, allow_unicode=True)}---

# {self.name}

A generator of chest radiographs for stress tests with radedit, in the formats of diffusers and transformers; tensors
are in safetensors, and no code comes with them. **For the validation of models; not for clinical use.**

| part | kind | parameters |
|---|---|---|
{parts}

- Trained on: {self.trained_on or "not stated by its maker."}
- Limits: {self.limits or "not stated by its maker. Look at its edits before you conclude anything from them."}
- Content hash: `{hash_folder(folder)}`. Reports of radedit {__version__} name the generator by such a hash.

```shell
python -m radedit.bundle pull=OWNER/NAME revision=COMMIT out=my-bundle
python -m radedit.edit image=x.png prompt="No acute cardiopulmonary process." generator.folder=my-bundle
```
"""


def lay_out(bundle: Path, out: Path, card: ModelCard) -> Path:
    """Write a bundle as the hub has it: its parts, byte by byte, and a model card.

    Args:
        bundle: Folder of a bundle.
        out: A new folder, or one of an earlier layout, which is replaced.
        card: What its maker says of it.

    Returns:
        The card's path.

    Raises:
        FileNotFoundError: If `bundle` has none of a bundle's parts.
        ValueError: If `out` is something else's.
    """
    there = [part for part in (*PARTS, *ALSO) if (bundle / part).is_dir()]
    if not set(there) & set(PARTS):
        raise FileNotFoundError(f"{bundle} is no bundle: it has none of {', '.join(PARTS)}. Name a generator's folder.")
    if out.exists() and (strangers := {path.name for path in out.iterdir()} - {*PARTS, *ALSO, CARD}):
        raise ValueError(f"{out} holds {sorted(strangers)[0]}, so it is no bundle's folder. Name a new one.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".bundle-") as temporary:
        made = Path(temporary) / "bundle"
        for path in _files(bundle, there):
            target = made / path.relative_to(bundle)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        (made / CARD).write_text(card.markdown(made), encoding="utf-8")
        shutil.rmtree(out, ignore_errors=True)
        made.rename(out)
    return out / CARD


def push(folder: Path, repository: str, *, private: bool = True) -> str:
    """Send a laid-out bundle to the hub, and return the commit to pull it by.

    Raises:
        ValueError: If the repository's name is none.
        OSError: If the hub can't be reached, or refuses.
    """
    _check_name(repository)
    print(f"{NOTICE} Repository: {repository}{', private' if private else ', public'}.", flush=True)
    api = HfApi()
    api.create_repo(repository, private=private, exist_ok=True)
    patterns = [f"*{suffix}" for suffix in sorted(SUFFIXES)] + [CARD]
    done = api.upload_folder(
        repo_id=repository,
        folder_path=folder,
        allow_patterns=patterns,
        commit_message=f"Bundle of radedit {__version__}",
    )
    return str(done.oid)


def pull(repository: str, revision: str, out: Path) -> Path:
    """Fetch a bundle from the hub at one commit, every file checked against what the hub publishes of it.

    Only tensors and text are fetched; code, pickles and anything else in the repository stay where they are.

    Args:
        repository: Owner and name.
        revision: Commit, 40 hexadecimal digits: a branch or tag can become another model.
        out: A new folder.

    Raises:
        ValueError: If the revision is no commit, the repository no bundle, or a file is another than published.
        OSError: If the hub can't be reached, or gives nothing.
    """
    _check_name(repository)
    if not COMMIT.fullmatch(revision):
        raise ValueError(
            f"revision is {revision!r}. Allowed is a commit, 40 hexadecimal digits, as the hub's history shows."
        )
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty. Name a new folder.")
    published = {path: file for path, file in published_files(repository, revision).items() if _is_of_bundle(path)}
    if not any(path.partition("/")[0] in PARTS for path in published):
        raise ValueError(f"{repository} at {revision} is no bundle: it has none of {', '.join(PARTS)}.")
    if (total := sum(file.size for file in published.values())) > BYTES_MAX:
        raise ValueError(f"{repository} has {total:,} bytes; allowed are {BYTES_MAX:,}.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".bundle-") as temporary:
        made = Path(temporary) / "bundle"
        for path, file in published.items():
            _fetch(repository, revision, path, file, made / path)
        if out.exists():
            out.rmdir()
        made.rename(out)
    return out


def _fetch(repository: str, revision: str, path: str, file: PublishedFile, target: Path) -> None:
    found = Path(hf_hub_download(repository, path, revision=revision))
    file.check(found, f"{repository}, {path}")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(found, target)


def _is_of_bundle(path: str) -> bool:
    pure = PurePosixPath(path)
    is_part = len(pure.parts) == 2 and pure.parts[0] in (*PARTS, *ALSO) and pure.suffix in SUFFIXES
    return (is_part or path == CARD) and ".." not in pure.parts and not pure.is_absolute() and "\\" not in path


def _check_name(repository: str) -> None:
    if not NAME.fullmatch(repository):
        raise ValueError(f"The repository is {repository!r}. Allowed is owner/name.")


def _files(bundle: Path, parts: list[str]) -> list[Path]:
    return [path for part in parts for path in sorted((bundle / part).iterdir()) if path.suffix in SUFFIXES]


def _parts(folder: Path) -> Mapping[str, tuple[str, int]]:
    """Part → its class, and how many parameters it has."""
    found: dict[str, tuple[str, int]] = {}
    for part in PARTS:
        if not (folder / part).is_dir():
            continue
        configuration = folder / part / "config.json"
        about: dict[str, Any] = json.loads(configuration.read_text(encoding="utf-8")) if configuration.is_file() else {}
        kind = str(about.get("_class_name") or (about.get("architectures") or [part.replace("_", " ")])[0])
        count = 0
        for weights in sorted((folder / part).glob("*.safetensors")):
            with safe_open(weights, "pt") as tensors:
                for name in tensors.keys():  # noqa: SIM118, it is no mapping
                    shape = tensors.get_slice(name).get_shape()
                    size = 1
                    for side in shape:
                        size *= int(side)
                    count += size
        found[part] = (kind, count)
    return found
