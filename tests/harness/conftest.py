"""A scenario small enough to run whole: images of 32 px, a generator with random weights, a handful of patients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from radedit.editing import radedit
from radedit.editing.editor import Editor
from radedit.harness.stress.block_editor import EditPlan
from radedit.harness.stress.scenario import Removal, StressData, removal_images
from radedit.models.bundle.bundle import Bundle
from radedit.phantom.world import World
from radedit.types import Dataset, Record, Sample

SIZE = 32
N, BLOCK, STEPS = 3, 2, 2  # the last block is not full


@pytest.fixture(autouse=True, scope="session")
def _disk_need_not_be_safe() -> Iterator[None]:
    """Nobody pulls the plug on a test, and waiting for the disk takes longer than editing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session")
def bundle(tiny_bundle: Path) -> Bundle:
    """The tiny generator, loaded once. Not to be changed."""
    return Bundle.load(tiny_bundle)


@pytest.fixture(scope="session")
def scenario() -> Removal:
    return Removal(
        name="toy",
        title="Does the detector see the pneumothorax or the drain?",
        section="Section 5.3",
        finding="pneumothorax",
        shortcut="drain",
        prompt="No acute cardiopulmonary process.",
        keep_sham_prompt="Large left pneumothorax.",
        score_real="Large left pneumothorax.",
        score_edit="No acute cardiopulmonary process.",
        paper={"confounded": {"in_distribution": [93.3, 0.6], "synthetic": [17.9, 3.7]}},
        qualifies={
            "confounded": {"1-0": [0.70, None], "0-0": [0.90, None], "0-1": [None, 0.40]},
            "unconfounded": {cell: [0.85, None] for cell in ("1-1", "1-0", "0-1", "0-0")},
        },
    )


@pytest.fixture(scope="session")
def world() -> World:
    return World(seed=1, prevalence={"pneumothorax": 0.6}, drain_given=(0.3, 0.8), images=(0.4, 0.4, 0.2))


class Remembering:
    """A dataset that draws every image once."""

    def __init__(self, dataset: Dataset) -> None:
        self.records = dataset.records
        self.samples = {record.id: dataset.load(record) for record in dataset.records}

    def load(self, record: Record) -> Sample:
        return self.samples[record.id]


@pytest.fixture(scope="session")
def data(world: World) -> StressData:
    drawn = removal_images(
        world, n=N, n_cells=2, size=SIZE, source={"pneumothorax": 1, "drain": 1},
        reference={"pneumothorax": 0, "drain": 0}, counterfactual={"pneumothorax": 0},
        shifted={"pneumothorax": 0, "drain": 1},
        cells={f"{f}-{s}": {"pneumothorax": f, "drain": s} for f in (0, 1) for s in (0, 1)},
    )  # fmt: skip
    datasets: dict[str, Any] = {
        name: Remembering(getattr(drawn, name)) for name in ("source", "reference", "counterfactual")
    }
    return replace(drawn, **datasets)


def halves(sample: Sample) -> tuple[Tensor, Tensor]:
    """Edit the image's left half and keep its last eight columns."""
    edit, keep = (torch.zeros_like(sample.image, dtype=torch.bool) for _ in range(2))
    edit[..., : SIZE // 2], keep[..., -8:] = True, True
    return edit, keep


@pytest.fixture(scope="session")
def make_plan() -> Callable[..., EditPlan]:
    """An `EditPlan` of RadEdit in three steps, but for what is given."""

    def make(**given: Any) -> EditPlan:
        settings: dict[str, Any] = {
            "editor": Editor.of(partial(radedit.edit, w=2.0)),
            "masks": halves,
            "steps": STEPS,
            "block": BLOCK,
        }
        return EditPlan(**settings | given)

    return make


@pytest.fixture
def batches(bundle: Bundle) -> Iterator[list[int]]:
    """Filled with the size of every batch that goes through the generator's U-Net."""
    sizes: list[int] = []
    unet: Any = bundle.unet  # diffusers' types hide that it is a module
    hook = unet.register_forward_pre_hook(lambda _, arguments: sizes.append(len(arguments[0])))
    yield sizes
    hook.remove()
