"""The third journey: own images, own model, all three scenarios; and mistakes that are named before long work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from radedit import stress
from radedit.harness.evidence.results import load
from radedit.harness.stress.block_editor import BlockEditor
from tests.commands import run
from tests.own_images import write_own_images
from tests.tiny_bundle import SIZE

CHOSEN = ["setting=manifest", "preset=smoke", "generator=phantom", "logger=csv", f"size={SIZE}", "edit.steps=2",
          "edit.max_lost=1", "edit.threshold=-1", "predictor=built", "predictor.path=my.safetensors"]  # fmt: skip


class Detector(nn.Module):
    """One logit an image."""

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        self.convolution, self.linear = nn.Conv2d(1, 4, 3), nn.Linear(4, outputs)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.linear(self.convolution(images).mean((2, 3)))
        return out


class Drawer(nn.Conv2d):
    """Logits of two masks."""

    def __init__(self) -> None:
        super().__init__(1, 2, 3, padding=1)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_own_images(tmp_path_factory.mktemp("own"), n=3)


@pytest.fixture
def arguments(manifest: Path, tiny_bundle: Path) -> list[str]:
    return [*CHOSEN, f"manifest={manifest}", f"generator.folder={tiny_bundle}", "out=out"]


def save(network: nn.Module) -> str:
    """Write weights, and say what builds the network."""
    save_file(network.state_dict(), "my.safetensors")
    return f"predictor.build._target_={__name__}.{type(network).__name__}"


OTHERS = ("acquisition", "population")


@pytest.mark.parametrize("scenario", ["manifestation", *(pytest.param(s, marks=pytest.mark.slow) for s in OTHERS)])
def test_scenario_runs_on_own_images_with_an_own_model(scenario: str, arguments: list[str]) -> None:
    build = save(Drawer() if scenario == "population" else Detector())
    more = ["additions=oedema"] if scenario == "population" else []
    assert run(stress.main, [f"+scenario={scenario}", *arguments, build, *more]) == 0
    (folder,) = Path("out/stress").glob(f"{scenario}-*")
    results = load(folder)
    assert results.setting == "manifest" and [p.key for p in results.predictors] == ["own"]
    assert results.counts["edited"] >= 3 and [v.outcome for v in results.verdicts] == ["undecided"]
    assert results.row("own", "in-distribution test set") is not None
    assert (folder / "report.html").stat().st_size > 100_000


@pytest.mark.slow
def test_without_references_there_is_evidence_but_no_verdict(arguments: list[str]) -> None:
    command = ["+scenario=manifestation", *arguments, save(Detector()), "dataset.reference=null"]
    assert run(stress.main, [*command, "fail_on=undecided"]) == 3
    (folder,) = Path("out/stress").glob("manifestation-*")
    results = json.loads((folder / "results.json").read_text())
    assert results["table"] and not results["verdicts"] and not results["attribution"]


MISTAKES = {
    "no manifest": (["manifest=gone.csv"], "There is no file gone.csv"),
    "manifest is not named": (["manifest=???"], "manifest was not given. Say manifest=… (your table of images, CSV"),
    "weights are not named": (
        ["predictor=torchscript"],
        "predictor.path was not given. Say predictor.path=… (the file",
    ),
    "no generator": (
        ["generator=trained"],
        "generator.folder was not given. Say generator.folder=… (of the generator",
    ),
    "no model": (["predictor=trained", "~predictor.path", "~predictor.build"], "Name the model that is to be tested"),
    "no weights": (["predictor.path=gone.safetensors"], "no file of weights gone.safetensors"),
    "no such masks": (["dataset.masks=[lungs]"], "None has mask_lungs"),
    "several outputs": (["+predictor.build.outputs=3"], "Say which is pneumothorax: predictor.output.index=…"),
    "other channels": (["predictor.input.channels=3"], "can't take images of 32×32 px with 3 channels"),
    "no such key": (["predictor.input.sise=3"], "no 'predictor.input.sise' in conf/stress.yaml. Did you mean"),
}


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_named_before_long_work(
    mistake: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def edited(*_: object) -> None:
        raise AssertionError("images were edited")

    monkeypatch.setattr(BlockEditor, "block", edited)
    changes, message = MISTAKES[mistake]
    outputs = 3 if mistake == "several outputs" else 1
    given = {change.partition("=")[0].lstrip("~") for change in changes}
    rest = [argument for argument in [*arguments, save(Detector(outputs))] if argument.partition("=")[0] not in given]
    if mistake == "weights are not named":
        rest = [argument for argument in rest if not argument.startswith("predictor.")]
    if mistake == "no generator":
        rest = [argument for argument in rest if not argument.startswith("generator.")]
    if mistake == "no model":
        rest, changes = [argument for argument in rest if not argument.startswith("predictor")], []
    assert run(stress.main, ["+scenario=manifestation", *rest, *changes]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error, error


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated")
def test_phantom_setting_tests_an_own_model(tiny_bundle: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.jit.trace(Detector().eval(), torch.rand(2, 1, SIZE, SIZE)).save("my.pt")
    few = ["preset=smoke", "logger=csv", f"size={SIZE}", "n=3", "n_cells=1", "n_own=4", "edit.steps=2",
           "edit.max_lost=1", "edit.threshold=-1", "anatomy=null", f"generator.folder={tiny_bundle}"]  # fmt: skip
    assert (
        run(stress.main, ["+scenario=manifestation", *few, "out=out", "predictor=torchscript", "predictor.path=my.pt"])
        == 0
    )
    (folder,) = Path("out/stress").glob("manifestation-*")
    results = load(folder)
    assert [p.key for p in results.predictors] == ["own"] and results.predictor_seed is None
    assert results.row("own", "truly shifted, same patients") is not None
