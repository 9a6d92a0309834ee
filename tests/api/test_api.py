"""What a program calls gives what the commands give, and costs nothing before it is called."""

from __future__ import annotations

import doctest
import inspect
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import hydra
import numpy as np
import pandas as pd
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from torch import Tensor, nn

import radedit
from radedit import edit as edit_command
from radedit import stress as stress_command
from radedit.api.configured import configured, override
from radedit.app.configuration import CONF
from radedit.data.image.files import read_image
from radedit.types import Record, Sample
from tests.commands import run
from tests.own_images import write_own_images
from tests.tiny_bundle import SIZE

TINY = [f"size={SIZE}", "n_gallery=1", "edit.steps=2", "edit.max_lost=1", "edit.threshold=-1"]
SLOW = {"stress", "edit"}  # their examples edit


class Detector(nn.Module):
    """One logit an image, from a single weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(3.0))
        self.dropout = nn.Dropout(0.5)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.dropout(self.weight * (images.mean((1, 2, 3)) - 0.4))
        return out


class PlainDataset:
    """Records and `load`, and nothing else."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = {sample.record.id: sample for sample in samples}

    @property
    def records(self) -> list[Record]:
        return [sample.record for sample in self.samples.values()]

    def load(self, record: Record) -> Sample:
        return self.samples[record.id]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_own_images(tmp_path_factory.mktemp("own"), n=3)


# Names


def test_import_is_quick_and_loads_nothing() -> None:
    script = (
        "import time; start = time.process_time(); import radedit; took = time.process_time() - start; import sys\n"
        "print(took, sorted({'torch', 'hydra', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    done = [subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True) for _ in "123"]
    took, loaded = zip(*(one.stdout.strip().split(" ", 1) for one in done), strict=True)
    assert set(loaded) == {"[]"} and min(map(float, took)) < 0.2, took


def test_about_ten_names_are_there_documented_and_of_one_home() -> None:
    assert set(radedit.__all__) == set(radedit._HOMES) <= set(dir(radedit))
    for name in radedit.__all__:
        assert inspect.getdoc(getattr(radedit, name)), name
    with pytest.raises(AttributeError, match="no attribute 'strss'; it has EditedImage, "):
        _ = radedit.strss


@pytest.mark.parametrize("name", ["stress", "edit"])
@pytest.mark.parametrize("order", ["import radedit.{0}; f = radedit.{0}", "f = radedit.{0}; import radedit.{0}"])
def test_a_command_and_a_function_of_one_name_are_one_object_in_either_order(name: str, order: str) -> None:
    check = (
        f"import radedit, sys, inspect; {order.format(name)}\n"
        f"from radedit import {name} as g\n"
        f"assert f is g is radedit.{name} is sys.modules['radedit.{name}'] and callable(f) and callable(f.main)\n"
        f"assert list(inspect.signature(f).parameters)[0] in ('model', 'image') and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


@pytest.mark.parametrize("name", ["radedit", "radedit.stress", "radedit.edit"])
def test_a_command_is_run_by_its_module_without_a_warning(name: str) -> None:
    command = [sys.executable, "-W", "error", "-m", name, "--help"]
    assert f"-m {name}" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def examples() -> list[doctest.DocTest]:
    from radedit.api import result, single_edit, stress_test

    finder = doctest.DocTestFinder(exclude_empty=True)
    return [one for module in (result, single_edit, stress_test) for one in finder.find(module) if one.examples]


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(e, marks=pytest.mark.slow if e.name.rpartition(".")[2] in SLOW else (), id=e.name)
        for e in examples()
    ],
)
def test_examples_in_docstrings_do_what_they_say(example: doctest.DocTest) -> None:
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert runner.run(example, out=said.append).failed == 0, "".join(said)


def test_every_function_has_an_example() -> None:
    assert {"stress", "edit", "load_result", "load_generator"} <= {e.name.rpartition(".")[2] for e in examples()}


# stress


@pytest.mark.slow
def test_stress_gives_what_the_command_gives_of_a_table_a_frame_and_a_data_set(
    manifest: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    torch.save(Detector().state_dict(), "my.pt")
    built = ["predictor=built", f"predictor.build._target_={__name__}.Detector", "predictor.path=my.pt"]
    chosen = ["setting=manifest", f"manifest={manifest}", "generator=trained", f"generator.folder={tiny_bundle}"]
    assert run(stress_command.main, ["+scenario=manifestation", "preset=smoke", *chosen, *built, *TINY, "logger=csv",
                                     "predictor.name=Mine", "out=out"]) == 0  # fmt: skip
    (typed,) = Path("out/sweeps").glob("manifestation-*")
    wanted = radedit.load_result(typed)
    assert radedit.load_result(next(Path("out/stress").glob("manifestation-*/results.json"))).table == wanted.table

    frame = pd.read_csv(manifest)
    for column in frame.columns:
        if column == "image" or column.startswith("mask_"):
            frame[column] = [str(manifest.parent / cell) if isinstance(cell, str) else cell for cell in frame[column]]
    images = radedit.ManifestDataset(manifest)
    plain = PlainDataset([images.load(record) for record in images.records])
    model = Detector().train()
    for data in (frame, plain):
        found = radedit.stress(
            model, data, generator=tiny_bundle, preset="smoke", name="Mine", overrides=TINY, out="out"
        )
        assert found.table == wanted.table and found.verdicts == wanted.verdicts and found.checks == wanted.checks
        assert (found.hashes.stress_set == wanted.hashes.stress_set) == (data is frame)  # edited once
        assert found.command.startswith("radedit.stress(model, …)") and str(tmp_path) not in found.command
    assert model.training and model.dropout.training and model.weight.requires_grad

    rows = found.to_frame()
    edits = rows[rows.images == "synthetic (kept)"].iloc[0]
    row = found.row("own", "synthetic (kept)")
    assert edits["value"] == row.main.value and edits["low"] == row.main.low and edits["n"] == row.n
    assert str(found).splitlines()[1].startswith("UNDECIDED  Mine") and "own: undecided" in repr(found)
    found.report().unlink()
    assert found.report().read_text(encoding="utf-8").startswith("<!")
    (found.folder / "results.json").write_text("{}")
    with pytest.raises(ValueError, match=r"results.json was changed since"):
        radedit.load_result(found.folder)


def test_mistakes_are_named_before_anything_is_edited(
    manifest: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from radedit.harness.stress.block_editor import BlockEditor

    monkeypatch.setattr(BlockEditor, "block", lambda *_: pytest.fail("images were edited"))

    def refused(match: str, *data: object, **changed: object) -> None:
        said = {"generator": tiny_bundle, "preset": "smoke", "overrides": TINY} | changed
        with pytest.raises((ValueError, FileNotFoundError), match=match) as caught:
            radedit.stress(Detector(), *data, **said)
        assert "\n" not in str(caught.value).strip() or "- " in str(caught.value)

    refused("generator was not given. Name who edits", manifest, generator=None)
    refused("There is no scenario 'manifest'. Did you mean manifestation", manifest, scenario="manifest")
    refused("Did you mean predictor.input.size", manifest, input={"sise": 3})
    refused("no 'edit.sed' in conf/stress.yaml. Did you mean edit.seed", manifest, overrides=["edit.sed=1"])
    refused("There is no file gone.csv", "gone.csv")
    refused("data is a int; allowed are a DataFrame", 3)
    refused("predictor.input.channels is 2; allowed are 1 and 3", manifest, input={"channels": 2})
    frame = pd.read_csv(manifest)
    refused("files named by .* are missing", frame)
    refused("has the label '2'", frame.assign(label_drain=2))


def test_a_call_leaves_the_hydra_of_the_program_as_it_was() -> None:
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        program = GlobalHydra.instance().hydra
        with configured("stress", ["+scenario=manifestation", "preset=smoke"]) as config:
            assert GlobalHydra.instance().hydra is not program and HydraConfig.get().runtime.choices.preset == "smoke"
            assert "hydra" not in config
        assert GlobalHydra.instance().hydra is program and HydraConfig.instance().cfg is None
    assert not GlobalHydra.instance().is_initialized()


@pytest.mark.parametrize(
    "value", [None, 3, 0.25, -1e-6, "Effusion, left.", "it's ${not} [a] list", "", [0, 1], ["a,b", None]]
)
def test_a_value_arrives_as_it_was_given(value: object) -> None:
    with configured("edit", [override("prompt", value)]) as config:
        assert config.prompt == value


@pytest.mark.parametrize(("generator", "steps", "w"), [("phantom", 25, 5.0), ("radedit_hub", 100, 15.0)])
def test_own_images_are_edited_in_the_steps_that_suit_the_generator(generator: str, steps: int, w: float) -> None:
    chosen = ["setting=manifest", "dataset.images=null", f"generator={generator}", "predictor=own"]
    with configured("stress", ["+scenario=manifestation", *chosen, "predictor.network=null"]) as config:
        assert config.edit.steps == steps and config.editor.w == w


# edit


def test_edit_gives_what_the_command_gives(tiny_bundle: Path) -> None:
    from radedit.data.image.files import write_png

    with torch.random.fork_rng():
        torch.manual_seed(0)
        image = torch.rand(1, SIZE + 8, SIZE)
    where = torch.zeros_like(image, dtype=torch.bool)
    where[:, 10:30, 4:28] = True
    kept = where & (torch.arange(SIZE) > 15)
    for name, picture in {"x": image, "edit": where, "keep": kept}.items():
        write_png(f"{name}.png", picture, text={}, bits=16 if name == "x" else 8)
    arguments = ["image=x.png", "edit_mask=edit.png", "keep_mask=keep.png", "prompt=Effusion, left.", "steps=4",
                 f"generator.folder={tiny_bundle}", "editor.w=2.5", "seed=3", "out=out"]  # fmt: skip
    assert run(edit_command.main, arguments) == 0
    wanted = read_image("out/x-edited.png").pixels

    bundle = radedit.load_generator(tiny_bundle)
    how = {"prompt": "Effusion, left.", "steps": 4, "w": 2.5, "seed": 3, "id": "x"}
    pairs = [
        ("x.png", ("edit.png", "keep.png"), tiny_bundle),
        (image, {"edit": where, "keep": kept}, bundle),
        (image[0].numpy(), (255 * where.byte().numpy(), kept[0].float()), bundle),
    ]
    for picture, masks, generator in pairs:
        edited = radedit.edit(picture, masks, generator=generator, **how)
        assert isinstance(edited, radedit.EditedImage) and edited.image.shape == image.shape
        assert (edited.image - wanted).abs().max() <= 0.5 / 65535 + 1e-6
        assert edited.provenance["prompt"] == "Effusion, left." and edited.provenance["editor"]["w"] == 2.5
    another = radedit.edit(image, where, generator=bundle, **{**how, "id": "y"})
    assert (another.image - wanted).abs().max() > 0.01  # noise is bound to the id


def test_edit_names_what_it_can_not_take(tiny_bundle: Path) -> None:
    bundle, image = radedit.load_generator(tiny_bundle), np.random.default_rng(0).random((SIZE, SIZE))
    where = np.ones((SIZE, SIZE), bool)

    def refused(match: str, picture: object, masks: object, **how: object) -> None:
        with pytest.raises((ValueError, FileNotFoundError), match=match):
            radedit.edit(picture, masks, "Effusion.", **{"generator": bundle, "steps": 2, **how})

    refused(r"image has shape \(32, 32, 3\); allowed are \(H, W\)", np.zeros((SIZE, SIZE, 3)), where)
    refused(r"values from 0 to 255; allowed is \[0, 1\]", 255 * image.round(), where)
    refused("image has the type int64; allowed are float", image.astype(int), where)
    refused("A mask has values from 0.0", image, image)
    refused("masks has the key 'kept'; allowed are 'edit' and 'keep'", image, {"kept": where})
    refused("masks has 3 elements; expected two", image, (where, where, where))
    refused("Edit mask .* is empty", image, ~where)
    refused("no editor 'x'. Allowed are: diffedit", image, where, editor="x")
    refused("no file or folder gone.png", "gone.png", where)
