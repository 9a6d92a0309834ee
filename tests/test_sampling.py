"""The two ways to call the released weights, in both commands: `sampling=card` and `sampling=paper`."""

from __future__ import annotations

from typing import Any

import pytest

from radedit.app.configuration import composed

EDIT = ("edit", ["generator=radedit_hub", "image=x.png", "prompt=x"])
STRESS = ("stress", ["generator=radedit_hub", "+scenario=manifestation", "preset=smoke"])
both_commands = pytest.mark.parametrize("command", [EDIT, STRESS], ids=["edit", "stress"])


def called(command: tuple[str, list[str]], *overrides: str) -> tuple[Any, Any, Any]:
    """w, T and the step where the reverse process begins."""
    name, arguments = command
    config = composed(name, [*arguments, *overrides])
    return config.editor.w, config.steps if name == "edit" else config.edit.steps, config.editor.start


@both_commands
def test_card_has_little_guidance_and_skips_the_noisiest_steps(command: tuple[str, list[str]]) -> None:
    assert called(command, "sampling=card") == (7.5, 100, 70)


@both_commands
def test_paper_has_much_guidance_and_begins_in_noise(command: tuple[str, list[str]]) -> None:
    assert called(command, "sampling=paper") == (15.0, 100, None)


@pytest.mark.parametrize(
    ("command", "editor", "steps", "start"),
    [(EDIT, "radedit", 200, 140), (EDIT, "diffedit", 50, 35), (STRESS, "released_compat", 4, 3)],
    ids=["edit, radedit", "edit, diffedit", "stress, released_compat"],
)
def test_card_skips_the_same_share_of_any_number_of_steps_with_any_editor(
    command: tuple[str, list[str]], editor: str, steps: int, start: int
) -> None:
    assert called(command, "sampling=card", f"editor={editor}", f"steps={steps}") == (7.5, steps, start)


def test_steps_of_a_stress_test_may_be_given_where_they_always_are() -> None:
    assert called(STRESS, "sampling=card", "edit.steps=10") == (7.5, 10, 7)


@both_commands
def test_what_the_user_says_comes_last(command: tuple[str, list[str]]) -> None:
    assert called(command, "sampling=card", "editor.w=3", "start=40") == (3, 100, 40)


@pytest.mark.parametrize("setting", ["phantom", "open"])
def test_sampling_wins_over_the_weights_of_a_setting(setting: str) -> None:
    overrides = ["+scenario=population", f"setting={setting}", "sampling=card"]
    assert composed("stress", overrides).editor.w == 7.5
