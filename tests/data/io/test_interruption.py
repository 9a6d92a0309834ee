"""Ctrl-C waits for the end of a block, once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from radedit.data.io.interruption import Interruption


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def test_ctrl_c_ends_at_the_next_check_and_not_before(caplog: pytest.LogCaptureFixture) -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), Interruption("block") as interruption:
        for number in range(3):
            press_ctrl_c()
            done.append(number)
            interruption.check()
    assert done == [0]
    assert "Finishing this block; press Ctrl-C again to end at once." in caplog.text


def test_a_second_ctrl_c_ends_at_once() -> None:
    with Interruption("block"):
        press_ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c()


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C as in a terminal; a shell's background jobs, as these tests may be, ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_ctrl_c_is_afterwards_what_it_was_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interruption("block") as interruption:
        assert signal.getsignal(signal.SIGINT) is not before
        interruption.release()
        assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        press_ctrl_c()


def test_a_thread_which_hears_of_no_signal_is_not_hindered() -> None:
    def work() -> None:
        with Interruption("block") as interruption:
            interruption.check()
            ended.append(True)

    ended: list[bool] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended
