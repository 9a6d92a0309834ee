"""Image classifiers of transformers from a local folder."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import AutoModelForImageClassification

from radedit.models.adapters.loaded import LoadedNetwork, first_line, hash_files, of_module
from radedit.models.adapters.plain import check_local, read_plain
from radedit.models.adapters.weights import read_weights

PREPROCESSING = "preprocessor_config.json"
# problem_type → what the numbers are
KINDS = {"multi_label_classification": "logit", "single_label_classification": "softmax", "regression": "probability"}


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
    settings = read_plain(folder / "config.json")
    check_local(settings, folder / "config.json")
    _check_own(settings, folder)
    facts = _facts(folder, settings)
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ValueError(
            f"{folder} has no .safetensors file. A pickle (pytorch_model.bin) is not read, as that could run code: "
            "save the model again with save_pretrained."
        )
    for file in files:
        read_weights(file)  # damage is named by its file
    try:
        network, found = AutoModelForImageClassification.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, output_loading_info=True
        )
    except Exception as error:  # whatever its configuration makes of it
        raise ValueError(f"{folder} can't be read as an image classifier: {first_line(error)}.") from error
    for reason, names in (("lacks", found["missing_keys"]), ("has others than", found["unexpected_keys"])):
        if wrong := sorted(names):
            raise ValueError(
                f"{folder} {reason} {len(wrong)} weights of its network: {', '.join(wrong[:3])}. They are not "
                "those of config.json."
            )
    if found.get("mismatched_keys"):
        raise ValueError(f"{folder} has weights of another shape than its config.json: {found['mismatched_keys'][:3]}.")

    def logits(images: Tensor) -> Tensor:
        return network(pixel_values=images).logits

    classes = [str(network.config.id2label[index]) for index in sorted(network.config.id2label)]
    hash_ = hash_files(folder / "config.json", *files)
    return of_module(network, hash_, device=device, prediction=logits, classes=classes, facts=facts)


def _check_own(settings: Mapping[str, Any], folder: Path) -> None:
    """Refuse a folder whose network transformers would take, in part, from elsewhere."""
    if (folder / "adapter_config.json").exists():
        raise ValueError(
            f"{folder} has an adapter_config.json, which names another model to be loaded. Merge the adapter "
            "(merge_and_unload), and save the whole."
        )
    for key in ("quantization_config", "_attn_implementation", "attn_implementation", "_attn_implementation_internal"):
        value = settings.get(key)
        if isinstance(value, Mapping) or (isinstance(value, str) and value not in ("eager", "sdpa")):
            raise ValueError(
                f"{folder / 'config.json'} has {key}={value!r:.80}, for which code of other packages or of the hub "
                "would be run. Save the model without it."
            )


def _facts(folder: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the folder states about its network's input and output."""
    kind = settings.get("problem_type")
    facts: dict[str, Any] = {"kind": KINDS[kind]} if kind in KINDS else {}
    if settings.get("num_channels") in (1, 3):
        facts["channels"] = settings["num_channels"]
    file = folder / PREPROCESSING
    if not file.is_file():
        return facts
    said = read_plain(file)
    if said.get("auto_map"):
        raise ValueError(f"{file} has 'auto_map', which names code of its own. It is not run; save it without it.")
    factor = said.get("rescale_factor", 1 / 255)
    if not isinstance(factor, int | float) or not 0 < factor < 1e6:
        raise ValueError(f"{file} has rescale_factor={factor!r:.80}; expected a number above 0.")
    grey = 255.0 * factor if said.get("do_rescale", True) else 255.0
    low = -1.0 if said.get("rescale_offset") else 0.0  # of EfficientNet's processor, with a factor of 1/127.5
    facts["range"] = (low, low + grey)
    normalised = said.get("do_normalize", "image_mean" in said)
    names = {"mean": "image_mean", "std": "image_std"}
    if normalised and all(name in said for name in names.values()):
        facts |= {ours: _numbers(said[theirs], theirs, file) for ours, theirs in names.items()}
    elif normalised:
        del facts["range"]  # its processor's own mean and std, which the folder does not tell
    return facts


def _numbers(value: Any, name: str, file: Path) -> tuple[float, ...]:
    """One number a channel, or one for all."""
    numbers = value if isinstance(value, list) else [value]
    if len(numbers) not in (1, 3) or not all(isinstance(one, int | float) and isfinite(one) for one in numbers):
        raise ValueError(f"{file} has {name}={value!r:.80}; expected a number, or three.")
    if name == "image_std" and min(numbers) <= 0:
        raise ValueError(f"{file} has {name}={value!r:.80}; expected numbers above 0.")
    return tuple(float(one) for one in numbers)
