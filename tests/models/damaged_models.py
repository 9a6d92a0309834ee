"""Model files of every format, damaged at random; run as a program, so that a crash ends no test run.

    python -m tests.models.damaged_models FOLDER FIRST LAST

writes a line of JSON for each seed: what was damaged, how reading it ended, seconds.
"""

from __future__ import annotations

import io
import json
import random
import resource
import sys
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from radedit.models.adapters import built, exported, monai, onnx, torchscript, transformers
from radedit.models.adapters.own_model import OwnModel
from radedit.models.predictors import Classifier, load_predictor
from tests.models.networks import Net, seeded

SIDE = 32
MOST_ADDRESSES = 24 * 2**30  # bytes
NETWORK = {"channels": [8, 8, 8, 8], "layers": [1, 1, 1, 1]}
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1e308, 10**9, 3.7, "", "x", "hf-hub:a/b", "$1+1", "@a", "%a", [], [1, [2, [3]]], {},
    {"a": {"b": 1}}, "é" * 300,
)  # fmt: skip


def write_sound(folder: Path) -> None:
    """One sound model of each format."""
    from monai.networks import nets
    from transformers import ResNetConfig, ResNetForImageClassification

    folder.mkdir(parents=True, exist_ok=True)
    network, images = seeded(Net), torch.rand(2, 1, SIDE, SIDE)
    torch.jit.script(network).save(str(folder / "script.pt"))
    torch.export.save(
        torch.export.export(network, (images,), dynamic_shapes=({0: torch.export.Dim("batch")},)),
        folder / "program.pt2",
    )
    save_file(network.state_dict(), folder / "weights.safetensors")
    torch.save({"state_dict": network.state_dict(), "epoch": 1}, folder / "weights.pth")
    config = ResNetConfig(embedding_size=4, hidden_sizes=[4, 4], depths=[1, 1], layer_type="basic", num_channels=1)
    ResNetForImageClassification(config).save_pretrained(folder / "hf")
    (folder / "hf/preprocessor_config.json").write_text(
        json.dumps({"do_rescale": True, "do_normalize": True, "image_mean": 0.5, "image_std": 0.5, "size": 32})
    )
    for name in ("configs", "models"):
        (folder / "bundle" / name).mkdir(parents=True)
    given = {"spatial_dims": 2, "in_channels": 1, "out_channels": 2, "channels": [4, 8], "strides": [2]}
    (folder / "bundle/configs/inference.json").write_text(
        json.dumps({"p": {"ch": [4, 8]}, "network_def": {"_target_": "UNet", **given, "channels": "@p::ch"}})
    )
    torch.save(nets.UNet(**given).state_dict(), folder / "bundle/models/model.pt")  # type: ignore[attr-defined]
    Classifier("pneumothorax", size=SIDE, network=NETWORK).save_pretrained(folder / "own")
    (folder / "own/card.json").write_text(json.dumps({"hash": load_predictor(folder / "own").hash}))
    write_onnx(folder / "my.onnx")


def write_onnx(path: Path) -> None:
    import onnx as library

    content = torch.ones(1).numpy().tobytes()
    weight = library.helper.make_tensor("w", library.TensorProto.FLOAT, [1], content, raw=True)
    nodes = [
        library.helper.make_node("GlobalAveragePool", ["x"], ["m"]), library.helper.make_node("Flatten", ["m"], ["f"]),
        library.helper.make_node("Mul", ["f", "w"], ["y"]),
    ]  # fmt: skip
    kind = library.TensorProto.FLOAT
    made = library.helper.make_graph(
        nodes, "g", [library.helper.make_tensor_value_info("x", kind, ["b", 1, SIDE, SIDE])],
        [library.helper.make_tensor_value_info("y", kind, ["b", 1])], [weight],
    )  # fmt: skip
    model = library.helper.make_model(made, opset_imports=[library.helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())


def _predicted(network: Any, index: int | None = None, *, channels: int = 1, masks: tuple[str, ...] = ()) -> None:
    model = OwnModel(
        network, label=None if masks else "pneumothorax", masks=masks, input={"size": SIDE, "channels": channels},
        output={"index": index},
    )  # fmt: skip
    model.predict(torch.rand(3, 1, SIDE, SIDE))


def _transformers(folder: Path) -> None:
    network = transformers.load(folder / "hf")
    OwnModel(
        network, label="x", input={"size": SIDE, "range": [-1, 1]}, output={"index": 0, "kind": "softmax"}
    ).predict(torch.rand(3, 1, SIDE, SIDE))


# Format → files of which one is damaged, and how the model is read and asked.
FORMATS: dict[str, tuple[tuple[str, ...], Callable[[Path], None]]] = {
    "torchscript": (("script.pt",), lambda folder: _predicted(torchscript.load(folder / "script.pt"))),
    "exported": (("program.pt2",), lambda folder: _predicted(exported.load(folder / "program.pt2"))),
    "onnx": (("my.onnx",), lambda folder: _predicted(onnx.load(folder / "my.onnx"))),
    "safetensors": (
        ("weights.safetensors",), lambda folder: _predicted(built.load(Net(), folder / "weights.safetensors"))
    ),
    "checkpoint": (("weights.pth",), lambda folder: _predicted(built.load(Net(), folder / "weights.pth"))),
    "transformers": (("hf/config.json", "hf/preprocessor_config.json", "hf/model.safetensors"), _transformers),
    "monai": (
        ("bundle/configs/inference.json", "bundle/models/model.pt"),
        lambda folder: _predicted(monai.load(folder / "bundle"), masks=("a", "b")),
    ),
    "predictor": (
        ("own/config.json", "own/model.safetensors", "own/card.json"),
        lambda folder: load_predictor(folder / "own").predict(torch.rand(3, 1, SIDE, SIDE)) and None,
    ),
}  # fmt: skip


def damaged(content: bytes, draw: random.Random) -> bytes:
    """Bytes flipped, cut off, removed, repeated or put in."""
    data, kind = bytearray(content), draw.randrange(5)
    at, n = draw.randrange(len(data) + 1), draw.choice((1, 4, 64, 1000))
    if kind == 0:
        for _ in range(draw.choice((1, 8, 100))):
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    elif kind == 1:
        del data[at:]
    elif kind == 2:
        del data[at : at + n]
    elif kind == 3:
        data[at:at] = data[at : at + n]
    else:
        data[at:at] = draw.randbytes(n)
    return bytes(data)


def odd(node: Any, draw: random.Random) -> Any:
    """A JSON value of which one part, at some depth, is another."""
    if isinstance(node, dict | list) and node and draw.random() < 0.85:
        key = draw.choice(list(node) if isinstance(node, dict) else range(len(node)))
        changed = dict(node) if isinstance(node, dict) else list(node)
        if draw.random() < 0.15:
            del changed[key]
        else:
            changed[key] = odd(node[key], draw)
        return changed
    return draw.choice(ODD)


def damage(path: Path, draw: random.Random) -> None:
    """Damage a file: as bytes, as JSON, or one entry of an archive, whose checksums are made right again."""
    content = path.read_bytes()
    if path.suffix == ".json" and draw.random() < 0.7:
        path.write_text(json.dumps(odd(json.loads(content), draw)))
    elif zipfile.is_zipfile(path) and draw.random() < 0.75:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        name = draw.choice(sorted(entries))
        if name.endswith(".json") and draw.random() < 0.8:
            entries[name] = json.dumps(odd(json.loads(entries[name]), draw)).encode()
        else:
            entries[name] = damaged(entries[name], draw)
        with zipfile.ZipFile(path, "w") as archive:
            for entry, changed in entries.items():
                archive.writestr(entry, changed)
    else:
        path.write_bytes(damaged(content, draw))


def attempt(folder: Path, seed: int) -> dict[str, Any]:
    """Damage a model, read it, ask it, and put it right again."""
    draw = random.Random(seed)
    kind = list(FORMATS)[seed % len(FORMATS)]
    files, ask = FORMATS[kind]
    path = folder / draw.choice(files)
    sound, start = path.read_bytes(), time.process_time()
    damage(path, draw)
    try:
        ask(folder)
        ended, said = "read", ""
    except (ValueError, FileNotFoundError) as error:
        ended, said = "refused", str(error)
        if "\n" in said or not said:
            ended = "refused in several lines"
    except BaseException:
        ended, said = "traceback", traceback.format_exc()
    finally:
        path.write_bytes(sound)
    return {"seed": seed, "kind": kind, "file": path.name, "ended": ended, "said": said[-3000:],
            "seconds": round(time.process_time() - start, 2)}  # fmt: skip


def peak_mib() -> int:
    """Peak memory since this program began; that of `getrusage` counts the process that started it, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def main(folder: Path, first: int, last: int) -> None:
    """Attempts of the seeds from `first` to before `last`."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY or most > MOST_ADDRESSES:
        resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES,) * 2)
    if not (folder / "script.pt").exists():
        write_sound(folder)
    for seed in range(first, last):
        print(json.dumps({"begins": seed}), flush=True)
        print(json.dumps(attempt(folder, seed)), flush=True)
    print(json.dumps({"memory_mib": peak_mib()}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
