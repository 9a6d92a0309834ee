"""The how-tos do what they say: their files are written, their Python is run, and their commands, on a tiny bundle."""

from __future__ import annotations

import inspect
import re
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from omegaconf import OmegaConf

from radedit import stress
from radedit.configuration import composed
from radedit.data.images import write_png
from radedit.data.latents import LatentData
from radedit.data.readers.phantom import PhantomReader
from radedit.data.stress_set import read_rows
from radedit.data.table import read_table
from radedit.phantom.world import World
from radedit.train import in_setting
from radedit.training.diffusion import DiffusionTraining
from tests.commands import run
from tests.tiny_bundle import SIZE

FOLDER = Path(__file__).parents[1] / "docs/how-to"
TRAINING = FOLDER / "train-on-many-gpus.md"
DOCS = sorted(set(FOLDER.glob("*.md")) - {TRAINING})
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


def draw_films(manifest: Path) -> None:
    """Films and masks of the names that a manifest lists, showing what its labels say."""
    for i, row in enumerate(read_table(manifest).rows):
        do = {name: int(row.cells[f"label_{name}"]) for name in ("pneumothorax", "drain")}
        films = PhantomReader(World(), f"how-to-{i}", 1, SIZE, do=do)
        sample = films.load(films.records[0])
        named = {row.cells["image"]: sample.image}
        named |= {row.cells[f"mask_{name}"]: sample.masks.get(name, torch.zeros_like(sample.image)) for name in do}
        for path, picture in named.items():
            if path:
                (manifest.parent / path).parent.mkdir(parents=True, exist_ok=True)
                write_png(manifest.parent / path, picture, text={})


def commands(text: str, bundle: Path) -> list[list[str]]:
    """Arguments of the stress tests in a shell block, made tiny."""
    tiny = [*TINY, f"generator.folder={bundle}"]
    replaced = {argument.partition("=")[0] for argument in tiny}
    found = []
    for line in text.replace("\\\n", " ").strip().splitlines():
        words = shlex.split(line)
        assert words[:3] == ["python", "-m", "radedit.stress"], line
        found.append([*(word for word in words[3:] if word.partition("=")[0] not in replaced), *tiny])
    return found


@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated")
@pytest.mark.parametrize(
    "doc",
    [pytest.param(doc, marks=pytest.mark.slow if doc.stem == "own-model" else (), id=doc.stem) for doc in DOCS],
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
        if block.language == "csv":
            draw_films(Path(block.file))
        for arguments in commands(block.text, tiny_bundle) if block.language == "shell" else ():
            is_own = any(argument.startswith("predictor=") for argument in arguments)
            assert run(stress.main, arguments if is_own else [*arguments, "run=[generate]"]) == 0, arguments
            ran += 1
    assert ran and any(read_rows(folder) for folder in Path("out/stress_sets").iterdir())
    for name in [name for name in sys.modules if name.startswith("my_")]:
        del sys.modules[name]


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
