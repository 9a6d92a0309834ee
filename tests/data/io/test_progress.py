"""Something that takes long says how far it is: plain lines where there is no terminal."""

from __future__ import annotations

import itertools

import pytest

from radedit.data.io import progress as module
from radedit.data.io.progress import Progress, tracked


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the clock is 4 s after the one before."""
    seconds = itertools.count(0.0, 4.0)
    monkeypatch.setattr(module.time, "monotonic", lambda: next(seconds))


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(tracked("abc", 3, "Editing", "blocks")) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


def test_lines_come_rarer_and_tell_the_time_that_is_left(clock: None, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(20, "Editing", "images") as progress:
        for _ in range(20):
            progress.add()
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert not out and lines[0] == "Editing: 3 of 20 images, about 68 s left"
    assert 2 <= len(lines) <= 4


def test_what_was_done_before_tells_nothing_of_the_speed() -> None:
    progress = Progress(100, "Training", "steps", done=90)
    progress.add(5)
    assert progress.line(10.0) == "Training: 95 of 100 steps, about 10 s left"


def test_progress_never_passes_its_end() -> None:
    progress = Progress(10, "Editing", "calls")
    progress.add(16)  # the last block is padded
    assert progress.n == 10
