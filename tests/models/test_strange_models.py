"""Models of strangers are data: nothing in a file of theirs is unpickled, imported, executed, fetched or written."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from radedit.models.adapters import built, exported, monai, onnx, timm, torchscript, transformers
from radedit.models.bundle.bundle import Bundle
from radedit.models.predictors import Classifier, load_predictor
from tests.models.networks import Net, seeded

SIDE = 32
MARK = Path("was-run")


class Payload:
    """An object whose unpickling writes a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (MARK,)


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No payload has run, and nothing was asked of a network."""
    import socket

    def refuse(*args: Any) -> None:
        raise AssertionError(f"A connection was opened to {args[1:]}.")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield
    assert not MARK.exists()


def pickled() -> bytes:
    file = io.BytesIO()
    torch.save(Payload(), file)
    return file.getvalue()


def rewrite(path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """An archive with other entries, each with the checksum that it should have."""
    with zipfile.ZipFile(path) as archive:
        root = archive.namelist()[0].partition("/")[0]
        entries = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(f"{root}/{name}", content)


def edit(name: str, change: Callable[[Any], None]) -> Callable[[dict[str, bytes]], None]:
    """A change of one JSON file of an archive."""

    def changed(entries: dict[str, bytes]) -> None:
        content = json.loads(entries[name])
        change(content)
        entries[name] = json.dumps(content).encode()

    return changed


PROGRAM, WEIGHTS, CONSTANTS = (
    "models/model.json", "data/weights/model_weights_config.json", "data/constants/model_constants_config.json",
)  # fmt: skip


def with_pickled_weight(entries: dict[str, bytes]) -> None:
    edit(WEIGHTS, lambda found: next(iter(found["config"].values())).update(use_pickle=True))(entries)
    entries["data/weights/weight_0"] = pickled()


def with_object(kind: str) -> Callable[[dict[str, bytes]], None]:
    def changed(entries: dict[str, bytes]) -> None:
        entry = {"path_name": f"{kind}_0", "is_param": False, "use_pickle": False, "tensor_meta": None}
        edit(CONSTANTS, lambda found: found["config"].update(c=entry))(entries)
        entries[f"data/constants/{kind}_0"] = pickled()

    return changed


def graph(found: Any) -> Any:
    return found["graph_module"]["graph"]


SIZE_OF_BATCH = {"as_expr": {"expr_str": "__import__('pathlib').Path('was-run').touch()", "hint": {"as_int": 2}}}
SPEC = (
    '[1, {"type": "collections.defaultdict", "context": "{\\"default_factory_module\\": \\"os\\", '
    '\\"default_factory_name\\": \\"getcwd\\", \\"dict_context\\": []}", "children_spec": []}]'
)
PROGRAMS: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "use_pickle": (with_pickled_weight, "use_pickle"),
    "pickled sample": (lambda entries: entries.update({"data/sample_inputs/model.pt": pickled()}), "is a pickle"),
    "pickled weights": (lambda entries: entries.update({"data/weights/model.pt": pickled()}), "model.pt"),
    "custom object": (with_object("custom_obj"), "custom_obj_0"),
    "opaque object": (with_object("opaque_obj"), "opaque_obj_0"),
    "compiled code": (lambda entries: entries.update({"data/aotinductor/m/m.so": b"\x7fELF"}), r"m\.so"),
    "guards": (
        edit(PROGRAM, lambda found: found.update(guards_code=["__import__('os').mkdir('was-run')"])),
        "code that would be",
    ),
    "expression": (
        edit(PROGRAM, lambda found: graph(found)["tensor_values"]["conv2d"]["sizes"].__setitem__(0, SIZE_OF_BATCH)),
        "expression that is not computed",
    ),
    "function": (
        edit(PROGRAM, lambda found: graph(found)["nodes"][0].update(target="torch.hub.os.system")), "calls 'torch.hub"
    ),
    "file operator": (
        edit(PROGRAM, lambda found: graph(found)["nodes"][0].update(target="torch.ops.aten.from_file.default")),
        "from_file",
    ),
    "code in a name": (
        edit(PROGRAM, lambda found: graph(found)["inputs"][-1]["as_tensor"].update(name="x=open('was-run','w')")),
        "a name that is none",
    ),
    "imported tree": (
        edit(PROGRAM, lambda found: found["graph_module"]["module_call_graph"][0]["signature"].update(in_spec=SPEC)),
        "no tuples, lists or dictionaries",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An exported program of a free batch."""
    path = tmp_path_factory.mktemp("program") / "my.pt2"
    batch = torch.export.Dim("batch")
    torch.export.save(
        torch.export.export(seeded(Net), (torch.rand(2, 1, SIDE, SIDE),), dynamic_shapes=({0: batch},)), path
    )
    return path.read_bytes()


@pytest.mark.parametrize("attack", PROGRAMS)
def test_exported_program_with_more_than_a_graph_is_refused(attack: str, program: bytes) -> None:
    change, message = PROGRAMS[attack]
    Path("my.pt2").write_bytes(program)
    assert exported.load("my.pt2").shape == (None, 1, SIDE, SIDE)
    rewrite(Path("my.pt2"), change)
    with pytest.raises(ValueError, match=rf"my\.pt2 is refused: .*{message}"):
        exported.load("my.pt2")


class Writes(nn.Module):
    """A script that writes what it is shown into a file."""

    def forward(self, images: Tensor) -> Tensor:
        torch.save(images, "was-run")
        return images.mean((1, 2, 3))


class Maps(nn.Module):
    """A script that creates a file, by mapping it into memory."""

    def forward(self, images: Tensor) -> Tensor:
        bytes_ = torch.from_file("was-run", True, 100, dtype=torch.uint8, layout=None, device=None)
        return images.mean((1, 2, 3)) + bytes_.float().mean()


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("module", [Writes, Maps])
def test_script_that_reaches_files_is_refused(module: type[nn.Module]) -> None:
    torch.jit.script(module()).save("my.pt")
    with pytest.raises(ValueError, match=r"is refused: its code calls '(save|from_file)' .*files"):
        torchscript.load("my.pt")


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("load", [torchscript.load, exported.load, lambda path: built.load(Net(), path)])
def test_flipped_byte_in_an_archive_is_seen(load: Callable[[Path], Any], program: bytes) -> None:
    if load is torchscript.load:
        torch.jit.script(seeded(Net)).save("my.pt2")
    elif load is exported.load:
        Path("my.pt2").write_bytes(program)
    else:
        torch.save(seeded(Net).state_dict(), "my.pt2")
    load(Path("my.pt2"))
    content = bytearray(Path("my.pt2").read_bytes())
    weight = seeded(Net).layers[0].weight.detach().numpy().tobytes()
    content[content.index(weight) + 3] ^= 0x40
    Path("my.pt2").write_bytes(content)
    with pytest.raises(ValueError, match=r"my\.pt2 is no whole archive"):
        load(Path("my.pt2"))


# Bundles of MONAI


def bundle(settings: Any, name: str = "inference.json", **others: Any) -> Path:
    """A bundle with a small network's weights and this configuration."""
    from monai.networks import nets

    for folder in ("my/configs", "my/models"):
        Path(folder).mkdir(parents=True, exist_ok=True)
    Path("my/configs", name).write_text(settings if isinstance(settings, str) else json.dumps(settings))
    for other, content in others.items():
        Path("my/configs", f"{other}.json").write_text(json.dumps(content))
    torch.save(nets.UNet(**ARGUMENTS).state_dict(), "my/models/model.pt")  # type: ignore[attr-defined]
    return Path("my")


ARGUMENTS: dict[str, Any] = {
    "spatial_dims": 2, "in_channels": 1, "out_channels": 2, "channels": [4, 8], "strides": [2],
}  # fmt: skip
UNET = {"_target_": "UNet", **ARGUMENTS}
FOLLOWED: dict[str, tuple[Any, dict[str, Any]]] = {
    "nested": ({"p": {"ch": [4, 8]}, "network_def": {**UNET, "channels": "@p::ch"}}, {}),
    "old separator": ({"p": {"ch": [4, 8]}, "network_def": {**UNET, "channels": "@p#ch"}}, {}),
    "item of a list": ({"p": [[2, 4], [4, 8]], "network_def": {**UNET, "channels": "@p::1"}}, {}),
    "through a reference": ({"q": "@p", "p": {"ch": [4, 8]}, "network_def": {**UNET, "channels": "@q::ch"}}, {}),
    "macro": ({"network_def": "%other.json::net"}, {"other": {"net": UNET}}),
    "macro of the old separator": ({"network_def": "%other.json#net"}, {"other": {"net": UNET}}),
    "macro of the same file": ({"net": UNET, "network_def": "%net"}, {}),
}


@pytest.mark.parametrize("kind", FOLLOWED)
def test_references_and_macros_of_a_bundle_are_followed(kind: str) -> None:
    settings, others = FOLLOWED[kind]
    network = monai.load(bundle(settings, **others))
    assert network.prediction(torch.rand(2, 1, SIDE, SIDE)).shape == (2, 2, SIDE, SIDE)


def test_other_file_of_a_bundle_is_part_of_its_hash() -> None:
    once = monai.load(bundle({"network_def": "%other.json::net"}, other={"net": UNET})).hash
    again = monai.load(bundle({"network_def": "%other.json::net"}, other={"net": UNET, "more": 1})).hash
    assert once != again


BOMB = "a: &a [1, 1]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
DOUBLING = {f"v{i}": [f"@v{i + 1}"] * 10 for i in range(12)} | {"v12": 1}
JSON, YAML = "inference.json", "inference.yaml"
REFUSED: dict[str, tuple[Any, str, str]] = {
    "alias bomb": (BOMB + "network_def: {_target_: UNet, channels: *i}", YAML, "aliases"),
    "circular alias": ("network_def: &a {_target_: UNet, channels: *a}", YAML, "aliases"),
    "Python object": ("network_def: !!python/object/apply:os.mkdir [was-run]", YAML, "can't be read"),
    "circular reference": ({"a": "@b", "b": "@a", "network_def": {**UNET, "channels": "@a"}}, JSON, "itself"),
    "reference to its own inside": ({"network_def": {**UNET, "channels": "@network_def"}}, JSON, "itself"),
    "doubling references": ({**DOUBLING, "network_def": {**UNET, "channels": "@v0"}}, JSON, "unfold into more"),
    "depth": ('{"network_def": ' + "[" * 5000 + "]" * 5000 + "}", JSON, "can't be read|nested"),
    "file elsewhere": ({"network_def": "%../../secret.json::a"}, JSON, "outside of"),
    "absent key": ({"p": {"ch": 1}, "network_def": {**UNET, "channels": "@p::x"}}, JSON, "has no 'p::x'"),
    "relative reference": ({"network_def": {**UNET, "channels": "@::x"}}, JSON, "is not followed"),
    "URL": ({"network_def": {"_target_": "HoVerNet", "pretrained_url": "http://x/y"}}, JSON, "would be fetched"),
    "pretrained": ({"network_def": {"_target_": "DenseNet121", "pretrained": True}}, JSON, "would be fetched"),
    "hub": ({"network_def": {**UNET, "act": "hf-hub:a/b"}}, JSON, "is not fetched"),
    "not a network": ({"network_def": {"_target_": "monai.networks.nets.resnet.sys"}}, JSON, "no network"),
    "inner object": (
        {"network_def": {**UNET, "act": {"_target_": "os.mkdir", "path": "was-run"}}}, JSON, "to be built"
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_bundle_that_would_run_fetch_or_unfold_is_refused(kind: str) -> None:
    settings, name, message = REFUSED[kind]
    with pytest.raises(ValueError, match=message):
        monai.load(bundle(settings, name))


def test_urls_of_a_bundle_are_not_fetched() -> None:
    folder = bundle({"network_def": UNET})
    (folder / "models/model.pt").unlink()
    (folder / "large_files.yml").write_text("large_files:\n- {path: models/model.pt, url: 'http://x/model.pt'}\n")
    with pytest.raises(FileNotFoundError, match=r"large_files\.yml names URLs, which are not fetched"):
        monai.load(folder)


# Folders of transformers, names of timm, predictors and generators of our own


def classifier_folder(**changed: Any) -> Path:
    from transformers import ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(embedding_size=4, hidden_sizes=[4, 4], depths=[1, 1], layer_type="basic", num_channels=3)
    ResNetForImageClassification(config).save_pretrained("hf")
    settings = json.loads(Path("hf/config.json").read_text()) | changed
    Path("hf/config.json").write_text(json.dumps(settings))
    Path("hf/own.py").write_text("open('was-run', 'w')\nMyConfig = MyModel = None\n")
    return Path("hf")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"auto_map": {"AutoConfig": "own.MyConfig", "AutoModelForImageClassification": "own.MyModel"}}, "'auto_map'"),
        ({"model_type": "own", "auto_map": {"AutoConfig": "own.MyConfig"}}, "'auto_map'"),
        ({"trust_remote_code": True}, "'trust_remote_code'"),
        ({"_attn_implementation": "kernels-community/flash-attn"}, "_attn_implementation='kernels"),
        ({"use_pretrained_backbone": True, "backbone": "resnet50"}, "use_pretrained_backbone=True"),
        ({"model_type": "timm_wrapper", "architecture": "hf-hub:a/b"}, "'hf-hub:' names something elsewhere"),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "quantization_config"),
    ],
)
def test_folder_that_names_code_or_something_elsewhere_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        transformers.load(classifier_folder(**changed))


def test_processor_with_own_code_is_refused() -> None:
    folder = classifier_folder()
    (folder / "preprocessor_config.json").write_text(json.dumps({"auto_map": {"AutoImageProcessor": "own.MyModel"}}))
    with pytest.raises(ValueError, match="'auto_map'"):
        transformers.load(folder)


def test_adapter_of_another_model_is_refused() -> None:
    folder = classifier_folder()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "a/b", "peft_type": "LORA"}))
    with pytest.raises(ValueError, match=r"adapter_config\.json, which names another model"):
        transformers.load(folder)


@pytest.mark.parametrize("name", ["hf-hub:timm/resnet10t.c3_in1k", "hf_hub:a/b", "local-dir:/tmp"])
def test_name_that_timm_would_fetch_is_refused(name: str) -> None:
    save_file(Net().state_dict(), "my.safetensors")
    with pytest.raises(ValueError, match="which timm would fetch"):
        timm.load(name, "my.safetensors", channels=1, classes=1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"network": "hf-hub:timm/resnet10t.c3_in1k"}, "'hf-hub:' names something elsewhere"),
        ({"network": "local-dir:."}, "'local-dir:' names something elsewhere"),
        ({"network": "no_such_network"}, "no network of timm"),
        ({"network": "resnet10t", "pretrained": True}, "would be fetched"),
        ({"architecture": "os.system"}, "damaged"),
        ({"auto_map": {"x": "y"}}, "'auto_map'"),
    ],
)
def test_predictor_whose_configuration_would_fetch_is_refused(changed: dict[str, Any], message: str) -> None:
    Classifier("pneumothorax", size=SIDE, network={"channels": [8, 8, 8, 8], "layers": [1, 1, 1, 1]}).save_pretrained(
        "p"
    )
    settings = json.loads(Path("p/config.json").read_text()) | changed
    Path("p/config.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match=message):
        load_predictor("p")


def test_weights_that_are_not_those_of_the_card_are_refused() -> None:
    network = Classifier("pneumothorax", size=SIDE, network={"channels": [8, 8, 8, 8], "layers": [1, 1, 1, 1]})
    network.save_pretrained("p")
    Path("p/card.json").write_text(json.dumps({"hash": load_predictor("p").hash}))
    load_predictor("p")
    content = bytearray(Path("p/model.safetensors").read_bytes())
    content[-5] ^= 1
    Path("p/model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"predictor in p is not the one of its card\.json"):
        load_predictor("p")


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_code_that_a_generator_names_is_not_run(part: str) -> None:
    Path("g", part).mkdir(parents=True)
    named = {"auto_map": {"AutoConfig": "own.MyConfig", "AutoModel": "own.MyModel"}, "model_type": "own"}
    Path("g", part, "config.json").write_text(json.dumps(named))
    Path("g", part, "own.py").write_text("open('was-run', 'w')\n")
    with pytest.raises(ValueError, match=f"Part '{part}'"):
        Bundle.load("g")


def test_generator_that_would_fetch_is_refused() -> None:
    Path("g/unet").mkdir(parents=True)
    Path("g/unet/config.json").write_text(json.dumps({"encoder": "hf-hub:a/b"}))
    with pytest.raises(ValueError, match="Part 'unet' .*'hf-hub:' names something elsewhere"):
        Bundle.load("g")


# ONNX


def onnx_file(folder: Path, location: str) -> Path:
    """Mean grey level times a weight, which lies in a file of this name."""
    library = pytest.importorskip("onnx")
    folder.mkdir(exist_ok=True)
    content = torch.tensor([1.0]).numpy().tobytes()
    weight = library.helper.make_tensor("w", library.TensorProto.FLOAT, [1], content, raw=True)
    library.external_data_helper.set_external_data(weight, location, offset=0, length=4)
    weight.ClearField("raw_data")
    nodes = [
        library.helper.make_node("GlobalAveragePool", ["x"], ["m"]), library.helper.make_node("Flatten", ["m"], ["f"]),
        library.helper.make_node("Mul", ["f", "w"], ["y"]),
    ]  # fmt: skip
    made = library.helper.make_graph(
        nodes, "g",
        [library.helper.make_tensor_value_info("x", library.TensorProto.FLOAT, ["b", 1, SIDE, SIDE])],
        [library.helper.make_tensor_value_info("y", library.TensorProto.FLOAT, ["b", 1])], [weight],
    )  # fmt: skip
    model = library.helper.make_model(made, opset_imports=[library.helper.make_opsetid("", 17)], ir_version=8)
    (folder / "my.onnx").write_bytes(model.SerializeToString())
    return folder / "my.onnx"


@pytest.mark.parametrize("name", ["weights.bin", "my.onnx.data", "deeper/w"])
def test_every_file_that_an_onnx_graph_names_is_hashed(name: str) -> None:
    pytest.importorskip("onnxruntime")
    path = onnx_file(Path("o"), name)
    hashes, predictions = [], []
    for value in (1.0, 1.0, 2.0):
        Path("o", name).parent.mkdir(exist_ok=True)
        Path("o", name).write_bytes(torch.tensor([value]).numpy().tobytes())
        network = onnx.load(path)
        hashes.append(network.hash)
        predictions.append(float(network.prediction(torch.ones(1, 1, SIDE, SIDE))["y"]))
    assert predictions == [1, 1, 2]
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize("name", ["../w.bin", "/etc/hostname", "*/_ORT_MEM_ADDR_/*"])
def test_onnx_weights_outside_of_their_folder_are_refused(name: str) -> None:
    pytest.importorskip("onnxruntime")
    Path("w.bin").write_bytes(bytes(4))
    with pytest.raises(
        (ValueError, FileNotFoundError), match=r"outside of its folder|no file of the weights|no file of weights"
    ):
        onnx.load(onnx_file(Path("o"), name))


def test_onnx_input_of_unknown_rank_is_taken() -> None:
    library = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    onnx_file(Path("o"), "w")
    Path("o/w").write_bytes(torch.tensor([2.0]).numpy().tobytes())
    model = library.load("o/my.onnx", load_external_data=False)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    Path("o/my.onnx").write_bytes(model.SerializeToString())
    network = onnx.load("o/my.onnx")
    assert network.shape is None
    assert float(network.prediction(torch.ones(1, 1, SIDE, SIDE))["y"]) == 2


def test_nothing_was_left_beside() -> None:
    """The guard itself sees a payload that runs."""
    torch.load(io.BytesIO(pickled()), weights_only=False)
    assert MARK.exists()
    os.remove(MARK)
