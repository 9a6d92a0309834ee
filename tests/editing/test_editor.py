"""An editor with its replay and its inversion, and what it costs."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor

from radedit.app.configuration import CONF
from radedit.editing import lance, radedit, sdedit
from radedit.editing.editor import Editor
from radedit.editing.noise import record_randn
from radedit.harness.single.edit import inverted
from radedit.schedule import Schedule
from radedit.studies.editors.benchmark import at_weight
from radedit.types import EditMasks

EDITORS = sorted(path.stem for path in (CONF / "editor").glob("*.yaml"))
T = 5


class Counting:
    """A network that counts the images it is shown."""

    def __init__(self) -> None:
        self.images = 0

    def __call__(self, x_t: Tensor, t: int | Tensor, c: Tensor | None) -> Tensor:
        self.images += len(x_t)
        return torch.tanh(x_t + (0 if c is None else c.mean((1, 2)).view(-1, 1, 1, 1)))


@pytest.fixture
def case() -> tuple[Tensor, EditMasks, Schedule]:
    x_0 = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    edit, keep = torch.zeros(2, 1, 6, 6), torch.zeros(2, 1, 6, 6)
    edit[..., :3], keep[..., 5:] = 1, 1
    return x_0, EditMasks(edit, keep), Schedule.linear(T)


def of(name: str, **changes: object) -> Editor:
    """An editor of `conf/editor`."""
    return Editor.of(instantiate(OmegaConf.merge(OmegaConf.load(CONF / "editor" / f"{name}.yaml"), changes)))


@pytest.mark.parametrize("name", EDITORS)
def test_editor_of_conf_has_its_modules_name_and_replay(name: str) -> None:
    editor = of(name, w=3.5)
    assert (editor.name, editor.w) == (name, 3.5)
    assert editor.replay.func.__module__ == editor.edit.func.__module__  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", EDITORS)
def test_editor_of_conf_at_another_weight_is_the_same_but_for_that(name: str) -> None:
    editor = of(name, start=2)
    other = at_weight(editor, 7.0)
    assert (other.name, other.w, other.edit.keywords["start"]) == (name, 7.0, 2)  # type: ignore[attr-defined]
    assert other.replay.keywords == other.edit.keywords and editor.w == 15  # type: ignore[attr-defined]


def test_edit_without_a_replay_is_no_editor() -> None:
    with pytest.raises(ValueError, match="has no replay"):
        Editor.of(partial(Schedule.linear, T=1))


@pytest.mark.parametrize("name", EDITORS)
def test_replay_is_what_the_edit_does_without_a_prompt(name: str, case: tuple[Tensor, EditMasks, Schedule]) -> None:
    x_0, masks, schedule = case
    editor, network, randn = of(name), Counting(), record_randn(0, ["a", "b"])
    trajectory = editor.invert(network, x_0, schedule, randn)
    given = (masks, schedule, randn)
    replay = editor.replay(network, x_0, None, *given, trajectory=trajectory)
    torch.testing.assert_close(
        editor.edit(network, x_0, None, None, *given, trajectory=trajectory), replay, atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("name", EDITORS)
def test_edits_share_their_inversion_and_noise(name: str, case: tuple[Tensor, EditMasks, Schedule]) -> None:
    """Each edit is the one made alone, from scratch, with the same noise."""
    x_0, masks, schedule = case
    editor, network, randn = of(name, w=2.0), Counting(), record_randn(0, ["a", "b"])
    prompts = {"edit": torch.full((1, 3, 2), 0.5), "keep_sham": torch.full((1, 3, 2), -0.5)}
    together = editor.edits(network, x_0, prompts, masks, schedule, randn)
    for kind, c in prompts.items():
        alone = editor.edit(network, x_0, None, c, masks, schedule, randn)
        torch.testing.assert_close(together[kind], alone, atol=1e-4, rtol=1e-4)
    assert set(together) == {"edit", "keep_sham", "replay"}


@pytest.mark.parametrize(("prompts", "replay"), [(1, True), (2, True), (1, False)])
@pytest.mark.parametrize("start", [None, 2])
@pytest.mark.parametrize("name", EDITORS)
def test_calls_are_those_that_are_made(
    name: str, start: int | None, prompts: int, replay: bool, case: tuple[Tensor, EditMasks, Schedule]
) -> None:
    x_0, masks, schedule = case
    editor, network = of(name, start=start), Counting()
    texts = {str(i): torch.zeros(1, 3, 2) for i in range(prompts)}
    editor.edits(network, x_0, texts, masks, schedule, record_randn(0, ["a", "b"]), replay=replay)
    assert editor.calls(T, prompts, replay=replay) * len(x_0) == network.images


@pytest.mark.parametrize(("module", "kind"), [(radedit, "ddpm"), (lance, "ddim"), (sdedit, None)])
def test_inversion_is_the_editors_own(
    module: object, kind: str | None, case: tuple[Tensor, EditMasks, Schedule]
) -> None:
    x_0, _, schedule = case
    editor = Editor.of(partial(module.edit, w=1.0))  # type: ignore[attr-defined]
    trajectory = editor.invert(Counting(), x_0, schedule, record_randn(0, ["a", "b"]))
    assert (trajectory.kind if trajectory else None) == kind


@pytest.mark.parametrize("name", ["radedit", "lance"])
def test_image_whose_steps_do_not_fit_together_is_inverted_step_by_step(name: str) -> None:
    x_0 = torch.randn(1, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    network, rows = Counting(), []

    def small(x_t: Tensor, t: int | Tensor, c: Tensor | None) -> Tensor:
        if len(x_t) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        rows.append(len(x_t))
        return network(x_t, t, c)

    given = (x_0, Schedule.linear(T), record_randn(0, ["a"]), torch.ones(1, 3, 2))
    found, expected = inverted(of(name), small, *given), inverted(of(name), network, *given)
    assert found is not None and expected is not None and len(rows) >= T - 1
    torch.testing.assert_close((found.x_hat, found.z), (expected.x_hat, expected.z), rtol=1e-4, atol=1e-4)
