"""Image classifiers of transformers from a local folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import AutoModelForImageClassification

from radedit.models.adapters.loaded import LoadedNetwork, first_line, hash_files, of_module

PREPROCESSING = "preprocessor_config.json"


def load(path: str | Path, *, device: str = "cpu") -> LoadedNetwork:
    """What `save_pretrained` wrote, safetensors only; no code of the folder is run, and nothing is downloaded.

    Args:
        path: The folder.
        device: Where it runs.

    Raises:
        FileNotFoundError: If it is no such folder.
        ValueError: If its weights are a pickle or incomplete, or its network is not one of transformers' own.
    """
    folder = Path(path).expanduser()
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"There is no config.json in {folder.resolve()}. Give a folder of save_pretrained.")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ValueError(
            f"{folder} has no .safetensors file. A pickle (pytorch_model.bin) is not read, as that could run code: "
            "save the model again with save_pretrained."
        )
    try:
        network, found = AutoModelForImageClassification.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, output_loading_info=True
        )
    except Exception as error:  # whatever its configuration makes of it
        raise ValueError(f"{folder} can't be read as an image classifier: {first_line(error)}.") from error
    if missing := sorted(found["missing_keys"]):
        raise ValueError(f"{folder} lacks {len(missing)} weights of its network: {', '.join(missing[:3])}.")

    def logits(films: Tensor) -> Tensor:
        return network(pixel_values=films).logits

    classes = [network.config.id2label[index] for index in sorted(network.config.id2label)]
    hash_ = hash_files(folder / "config.json", *files)
    return of_module(network, hash_, device=device, answer=logits, classes=classes, facts=_facts(folder))


def _facts(folder: Path) -> dict[str, Any]:
    """What the folder says of the films that its network takes."""
    file = folder / PREPROCESSING
    said = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    normalised = said.get("do_normalize", "image_mean" in said)
    names = {"mean": "image_mean", "std": "image_std"}
    return {ours: said[theirs] for ours, theirs in names.items() if normalised and theirs in said}
