"""Tutorial and how-tos do what they say: their files are written, Python and commands are run, on a tiny bundle."""

from __future__ import annotations

import importlib
import inspect
import re
import shlex
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from omegaconf import OmegaConf

from radedit import bundle, compare_models, dossier, export, runs, stress
from radedit.app.configuration import composed
from radedit.data.batches.latents import LatentData
from radedit.data.datasets.phantom import PhantomDataset
from radedit.data.image.files import write_png
from radedit.data.io.table import read_table
from radedit.data.stress_set import read_rows
from radedit.phantom.world import World
from radedit.train import in_setting
from radedit.training.diffusion import DiffusionTraining
from tests.commands import run, save_tiny_predictors
from tests.made_up_runs import removal_run
from tests.test_shown_commands import calls
from tests.tiny_bundle import SIZE

FOLDER = Path(__file__).parents[1] / "docs/how-to"
TUTORIAL = FOLDER.parent / "tutorial/first-stress-test.md"
TRAINING = FOLDER / "train-on-many-gpus.md"
TYPING = FOLDER / "tab-completion.md"
DOSSIER = FOLDER / "dossier.md"
SHARING = FOLDER / "share-a-generator.md"
DOCS = sorted(set(FOLDER.glob("*.md")) - {TRAINING, TYPING, DOSSIER, SHARING})
SLOW = ("own-model", "compare-versions", "black-box", "subgroups")  # they test models on edits
MAINS = {"stress": stress.main, "export": export.main, "compare_models": compare_models.main, "runs": runs.main}
SWEEP = re.compile(r"outputs/sweeps/manifestation-([0-9a-f]{12})")
UNDECIDED = 3  # exit code of a comparison on a handful of images
TINY = ["preset=smoke", "logger=csv", f"size={SIZE}", "n=3", "n_cells=1", "n_own=4", "n_also=1", "edit.steps=2",
        "edit.max_lost=1", "edit.threshold=-1", "anatomy=null", "out=out"]  # fmt: skip


class Block(NamedTuple):
    """A fenced block: its language, the file that it is, if any, and its text."""

    language: str
    file: str
    text: str


def blocks(doc: Path) -> list[Block]:
    found = re.findall(r"^```(\w+)[ ]?(\S*)\n(.*?)^```$", doc.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [Block(*block) for block in found]


def draw_images(manifest: Path) -> None:
    """Images and masks of the names that a manifest lists, showing what its labels say."""
    for i, row in enumerate(read_table(manifest).rows):
        do = {name: int(row.cells[f"label_{name}"]) for name in ("pneumothorax", "drain")}
        images = PhantomDataset(World(), f"how-to-{i}", 1, SIZE, do=do)
        sample = images.load(images.records[0])
        named = {row.cells["image"]: sample.image}
        named |= {row.cells[f"mask_{name}"]: sample.masks.get(name, torch.zeros_like(sample.image)) for name in do}
        for cell, picture in named.items():
            path = re.sub(r"(\.nii\.gz|\.json)?(#.*)?$", "", cell)  # as PNG, of which the page makes others
            if path:
                path = path if path.endswith(".png") else f"{path}.png"
                (manifest.parent / path).parent.mkdir(parents=True, exist_ok=True)
                write_png(manifest.parent / path, picture, text={})


def commands(text: str, bundle: Path) -> list[tuple[str, list[str]]]:
    """Commands of a shell block with their arguments: stress tests made tiny, and what reads their folders."""
    tiny = [*TINY, f"generator.folder={bundle}"]
    replaced = {argument.partition("=")[0] for argument in tiny}
    found = []
    for line in text.replace("\\\n", " ").strip().splitlines():
        words = shlex.split(line)
        command = words[2].removeprefix("radedit.")
        assert words[:2] == ["python", "-m"] and command in MAINS, line
        if command in ("stress", "export"):
            arguments = [*(word for word in words[3:] if word.partition("=")[0] not in replaced), *tiny]
        else:
            arguments = [SWEEP.sub(_finished, word) for word in words[3:]] + ["out=out"]
        found.append((command, arguments))
    return found


def _finished(named: re.Match[str]) -> str:
    """The folder that stands for one that a how-to names: the first and the second that were written."""
    written = sorted(Path("out/sweeps").iterdir(), key=lambda folder: folder.stat().st_mtime)
    return str(written[0] if named[1] == "0123456789ab" else written[-1])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated")
@pytest.mark.parametrize(
    "doc",
    [pytest.param(doc, marks=pytest.mark.slow if doc.stem in SLOW else (), id=doc.stem) for doc in DOCS],
)
def test_how_to_does_what_it_says(doc: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path.cwd()))
    if doc.stem == "own-data":  # the model is the other how-to's
        exec(
            compile(next(b.text for b in blocks(doc.with_name("own-model.md")) if b.language == "python"), "", "exec"),
            {},
        )
    ran = 0
    for block in blocks(doc):
        if block.file:
            Path(block.file).parent.mkdir(parents=True, exist_ok=True)
            Path(block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            exec(compile(block.text, str(doc), "exec"), {})
        if block.language == "csv" and ",image," in block.text:
            draw_images(Path(block.file))
        for command, arguments in commands(block.text, tiny_bundle) if block.language == "shell" else ():
            if command not in ("stress", "export"):
                assert run(MAINS[command], arguments) in (0, UNDECIDED), arguments
                continue
            is_whole = command != "stress" or any(argument.startswith("predictor=") for argument in arguments)
            assert run(MAINS[command], arguments if is_whole else [*arguments, "run=[generate]"]) == 0, arguments
            ran += 1
    if "radedit.stress" in doc.read_text(encoding="utf-8"):
        assert ran and any(read_rows(folder) for folder in Path("out/stress_sets").iterdir())
    for name in [name for name in sys.modules if name.startswith("my_")]:
        del sys.modules[name]


@pytest.mark.slow
def test_tutorial_does_what_it_says(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = [*TINY, *save_tiny_predictors(Path("out/predictors")), f"generator.folder={tiny_bundle}"]
    extra = {"phantoms": ["n=1", "size=32"], "plan": tiny, "stress": tiny, "runs": ["out=out"], "explain": []}
    ran = []
    for command, line in calls(TUTORIAL.read_text(encoding="utf-8")):
        words = shlex.split(line)
        if "--help" in words:
            continue
        if command == "explain":
            words = [f"run={next(Path('out/stress').glob('manifestation-*/results.json')).parent}"]
        replaced = {argument.partition("=")[0] for argument in extra[command]}
        arguments = [*(word for word in words if word.partition("=")[0] not in replaced), *extra[command]]
        assert run(importlib.import_module(f"radedit.{command}").main, arguments) == 0, (command, arguments)
        ran.append(command)
    assert ran == ["phantoms", "plan", "stress", "runs", "explain", "stress"]
    assert "manifestation" in capsys.readouterr().out


@pytest.mark.slow
def test_dossier_is_written_of_a_finished_run_as_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    run_folder = removal_run(Path("outputs/stress"))
    parts = blocks(DOSSIER)
    for block in parts:
        if block.file:
            Path(block.file).write_text(block.text, encoding="utf-8")
    (line,) = (block.text for block in parts if "radedit.dossier" in block.text)
    words = [f"run={run_folder}" if word.startswith("run=") else word for word in shlex.split(line)[3:]]
    assert run(dossier.main, words) == 0
    (made,) = Path("outputs/dossiers").glob("*.zip")
    table = re.findall(r"^\| (`[^|]+) \|", DOSSIER.read_text(encoding="utf-8"), re.MULTILINE)
    named = {name.rpartition("/")[2] for cell in table for name in re.findall(r"`([^`]+)`", cell)}
    with zipfile.ZipFile(made) as archive:
        held = {name.rpartition("/")[2] for name in archive.namelist()}
    assert named <= held and str(made) in capsys.readouterr().out


def test_generator_is_laid_out_as_the_page_says(tiny_bundle: Path) -> None:
    lay_out, fetch = (shlex.split(block.text)[3:] for block in blocks(SHARING))
    assert run(bundle.main, [f"folder={tiny_bundle}" if w.startswith("folder=") else w for w in lay_out]) == 0
    assert "24,000 drawn radiographs" in Path("outputs/hub/mine/README.md").read_text(encoding="utf-8")
    assert len(composed("bundle", fetch).revision) == 40


def test_commands_of_many_gpus_are_understood() -> None:
    text = "\n".join(block.text for block in blocks(TRAINING)).replace("\\\n", " ")
    lines = [line.partition("-m radedit.train ")[2] for line in text.splitlines() if "-m radedit.train " in line]
    for line in lines:
        OmegaConf.resolve(composed("train", in_setting(shlex.split(line))).trainer)
    assert len(lines) == 4
    table = re.findall(r"^\| `(\S+=\w+)` \|", TRAINING.read_text(encoding="utf-8"), re.MULTILINE)
    config = composed("train", ["+experiment=diffusion", *table])
    for part, kind in ((config.data, LatentData), (config.module, DiffusionTraining)):
        inspect.signature(kind).bind(**{str(key): None for key in part if key != "_target_"})
    assert len(table) == 3
